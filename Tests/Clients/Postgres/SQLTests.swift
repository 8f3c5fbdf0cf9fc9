import Testing
import Time

@testable import Postgres

@Suite struct SQLTests {
    private let evil = "x'); DROP TABLE sensor; --"

    @Test func aValueBecomesAParameter() {
        let (id, name): (Int32, String?) = (7, nil)
        let sql: SQL = "SELECT \(evil), \(id) FROM t WHERE a = \(name) AND b = \(1.5) AND c = \(true)"
        #expect(sql.text == "SELECT $1, $2 FROM t WHERE a = $3 AND b = $4 AND c = $5")
        #expect(sql.parameters == [.text(evil), .integer(7), .null, .double(1.5), .flag(true)])
        #expect(sql.description == sql.text, "values are not shown")
    }

    @Test func numbersOfAllSizes() {
        let sql: SQL = "\(Int16.min) \(Int32.max) \(Int64.min) \(UInt32.max) \(Int?.none) \(-1)"
        #expect(sql.text == "$1 $2 $3 $4 $5 $6")
        #expect(
            sql.parameters == [
                .integer(-32_768), .integer(2_147_483_647), .integer(.min), .integer(4_294_967_295), .null,
                .integer(-1),
            ])
    }

    @Test func arraysAreOneParameter() {
        let time = Timestamp(unixNanoseconds: 1000)
        let (none, numbers): ([String], [Int16?]) = ([], [1, nil])
        let sql: SQL = "\(none) \(numbers) \([evil, "b"]) \([0.5]) \([time, nil]) \([true, false]) \([UInt8(1), 2])"
        #expect(sql.text == "$1 $2 $3 $4 $5 $6 $7")
        #expect(
            sql.parameters == [
                .texts([]), .integers([1, nil]), .texts([evil, "b"]), .doubles([0.5]), .times([time, nil]),
                .texts(["t", "f"]), .bytes([1, 2]),
            ])
    }

    private enum Side: String, SQLParameter { case high, low }

    @Test func aTypeWithARawValue() {
        let sql: SQL = "\(Side.high) \([Side.low, nil]) \(Side?.none)"
        #expect(sql.parameters == [.text("high"), .texts(["low", nil]), .null])
    }

    @Test func partsKeepTheirParametersInOrder() {
        let condition: SQL = "a = \(1) OR a = \(2)"
        let sql: SQL = "SELECT \(0) WHERE \(condition) OR b = \(3) AND (\(condition))"
        #expect(sql.text == "SELECT $1 WHERE a = $2 OR a = $3 OR b = $4 AND (a = $5 OR a = $6)")
        #expect(sql.parameters == [0, 1, 2, 3, 1, 2].map { .integer($0) })
        let conditions: [SQL] = [condition, "true", "c = \(evil)"]
        #expect(conditions.joined(separator: " AND ").text == "a = $1 OR a = $2 AND true AND c = $3")
        #expect([SQL]().joined(separator: ", ").text == "")
    }

    @Test(arguments: [nil, 5])
    func aConditionThatIsOnlyAskedForSometimes(limit: Int?) {
        let sql: SQL = "SELECT 1 WHERE true \(ifPresent: limit, { "AND a < \($0)" }) LIMIT \(9)"
        #expect(
            sql.text == (limit == nil ? "SELECT 1 WHERE true  LIMIT $1" : "SELECT 1 WHERE true AND a < $1 LIMIT $2"))
        #expect(sql.parameters == [limit, 9].compactMap { $0.map { .integer(Int64($0)) } })
    }

    @Test func manyParameters() {
        let sql = (0..<1000).map { "\($0)" as SQL }.joined(separator: ",")
        #expect(sql.text.hasPrefix("$1,$2,") && sql.text.hasSuffix(",$999,$1000"))
        #expect(sql.parameters == (0..<1000).map { .integer($0) })
    }

    /// Whatever the name is, it stays a name.
    @Test func identifiersAreQuoted() {
        let sql: SQL = "SELECT FROM \(identifier: "a\"b; DROP").\(identifier: "select")"
        #expect(sql.text == #"SELECT FROM "a""b; DROP"."select""# && sql.parameters.isEmpty)
    }

    @Test func literals() {
        let time = Timestamp(unixNanoseconds: 1_795_253_400_123_456_789)
        let sql: SQL = "SELECT TIMESTAMPTZ \(literal: time), \(literal: evil)"
        #expect(
            sql.text
                == "SELECT TIMESTAMPTZ '2026-11-21T09:30:00.123456Z', 'x''); DROP TABLE sensor; --'")
        #expect(sql.parameters.isEmpty)
    }

    @Test func inlined() {
        let sql: SQL = "SELECT f(\(evil), \(-1)::int, \(String?.none), \(["a", "b"]))"
        #expect(sql.inlined == #"SELECT f('x''); DROP TABLE sensor; --', (-1)::int, NULL, '{"a","b"}')"#)
    }

    @Test func timesOfColumns() {
        #expect(microseconds("a.\"time\"").text == "(extract(epoch FROM a.\"time\") * 1000000)::bigint")
    }
}
