import Testing
import Time

@testable import Postgres

@Suite struct RowTests {
    private enum Side: String { case high, low }
    private enum Level: Int16 {
        case debug = 1
        case info
    }

    /// A result of one row.
    private func row(_ values: KeyValuePairs<String, String?>) throws -> Row {
        let result = QueryResult(
            statement: "\n  SELECT a, b\n  FROM t\n", columns: values.map(\.key), values: values.map(\.value), count: 1,
            affected: 1)
        return try #require(result.first)
    }

    /// The accessor must throw; the error names the column, what was expected, what was found, and the statement.
    private func expectError(
        _ column: String, expected: String, found: String, sourceLocation: SourceLocation = #_sourceLocation,
        _ access: () throws -> Void
    ) {
        let error = #expect(throws: StoreError.self, sourceLocation: sourceLocation) { try access() }
        #expect(
            error == .undecodable(column: column, expected: expected, found: found, statement: "SELECT a, b"),
            sourceLocation: sourceLocation)
    }

    @Test func valuesOfEachType() throws {
        let row = try row([
            "text": "", "integer": "-9223372036854775808", "double": "NaN", "yes": "t", "no": "f", "side": "low",
            "level": "2", "time": "-1", "bytes": "00ff7f", "now_us": "7", "serial": "a-1",
        ])
        #expect(try row.text("text") == "")
        #expect(try row.integer("integer") == .min)
        #expect(try row.integer("level", as: Int16.self) == 2)
        #expect(try row.double("double").isNaN)
        #expect(try row.flag("yes") && !row.flag("no"))
        #expect(try row.value("side", as: Side.self) == .low)
        #expect(try row.value("level", as: Level.self) == .info)
        #expect(try row.time("time") == Timestamp(unixNanoseconds: -1000))
        #expect(try row.age("time") == .microseconds(8))
        #expect(try row.bytes("bytes") == [0, 255, 127])
        #expect(try row.text("serial", as: "two letters") { $0.count == 3 ? $0.uppercased() : nil } == "A-1")
        #expect(try row.optionalText("text") == "")
        #expect(try row.optionalInteger("level") == 2)
        #expect(try row.optionalDouble("level") == 2)
        #expect(try row.optionalValue("side", as: Side.self) == .low)
        #expect(try row.optionalTime("now_us") == Timestamp(unixNanoseconds: 7000))
        #expect(try row.optionalAge("time") == .microseconds(8))
        #expect(try row.optionalBytes("bytes") == [0, 255, 127])
    }

    private func expectMissing(
        _ column: String, sourceLocation: SourceLocation = #_sourceLocation, _ access: () throws -> Void
    ) {
        let error = StoreError.missingColumn(column, found: ["a", "b"], statement: "SELECT a, b")
        #expect(throws: error, sourceLocation: sourceLocation, performing: access)
    }

    /// NULL must be asked for.
    @Test func nullIsNoValue() throws {
        let row = try row(["a": nil, "now_us": "1"])
        expectError("a", expected: "a text", found: "NULL") { _ = try row.text("a") }
        expectError("a", expected: "Int64", found: "NULL") { _ = try row.integer("a") }
        expectError("a", expected: "Int32", found: "NULL") { _ = try row.integer("a", as: Int32.self) }
        expectError("a", expected: "Double", found: "NULL") { _ = try row.double("a") }
        expectError("a", expected: "a boolean", found: "NULL") { _ = try row.flag("a") }
        expectError("a", expected: "Side", found: "NULL") { _ = try row.value("a", as: Side.self) }
        expectError("a", expected: "Level", found: "NULL") { _ = try row.value("a", as: Level.self) }
        expectError("a", expected: "microseconds since 1970", found: "NULL") { _ = try row.time("a") }
        expectError("a", expected: "Int64", found: "NULL") { _ = try row.age("a") }
        expectError("a", expected: "hexadecimal digits", found: "NULL") { _ = try row.bytes("a") }
        expectError("a", expected: "a name", found: "NULL") { _ = try row.text("a", as: "a name") { $0 } }
        #expect(try row.optionalText("a") == nil && row.optionalInteger("a") == nil && row.optionalDouble("a") == nil)
        #expect(try row.optionalValue("a", as: Side.self) == nil && row.optionalValue("a", as: Level.self) == nil)
        #expect(try row.optionalTime("a") == nil && row.optionalAge("a") == nil && row.optionalBytes("a") == nil)
        #expect(try row.optionalText("a", as: "a name") { $0 } == nil)
    }

    @Test func aMissingColumn() throws {
        let row = try row(["a": "1", "b": nil])
        for access in [
            { _ = try row.text("c") }, { _ = try row.optionalText("c") }, { _ = try row.integer("c") },
            { _ = try row.optionalInteger("c") }, { _ = try row.optionalDouble("c") }, { _ = try row.flag("c") },
            { _ = try row.optionalTime("c") }, { _ = try row.optionalValue("c", as: Side.self) },
            { _ = try row.optionalBytes("c") },
        ] as [() throws -> Void] {
            expectMissing("c", access)
        }
        expectMissing("now_us") { _ = try row.age("a") }
    }

    @Test func aValueOfAnotherType() throws {
        let row = try row(["a": "1.5", "b": "yes", "c": "0g", "d": "fff", "long": String(repeating: "x", count: 65)])
        expectError("a", expected: "Int64", found: "\"1.5\"") { _ = try row.integer("a") }
        expectError("a", expected: "Int64", found: "\"1.5\"") { _ = try row.optionalInteger("a") }
        expectError("a", expected: "a boolean", found: "\"1.5\"") { _ = try row.flag("a") }
        expectError("b", expected: "Double", found: "\"yes\"") { _ = try row.optionalDouble("b") }
        expectError("b", expected: "Side", found: "\"yes\"") { _ = try row.optionalValue("b", as: Side.self) }
        expectError("b", expected: "Level", found: "\"yes\"") { _ = try row.value("b", as: Level.self) }
        expectError("b", expected: "microseconds since 1970", found: "\"yes\"") { _ = try row.optionalTime("b") }
        expectError("c", expected: "hexadecimal digits", found: "\"0g\"") { _ = try row.bytes("c") }
        expectError("d", expected: "hexadecimal digits", found: "\"fff\"") { _ = try row.optionalBytes("d") }
        expectError("b", expected: "a name", found: "\"yes\"") { _ = try row.text("b", as: "a name") { Int($0) } }
        let short = String(repeating: "x", count: 64)
        expectError("long", expected: "Int64", found: "\"\(short)…\"") { _ = try row.integer("long") }
    }

    @Test(arguments: [
        ("32768", "Int16"), ("-32769", "Int16"), ("2147483648", "Int32"), ("9223372036854775808", "Int64"),
    ])
    func outOfRange(number: String, type: String) throws {
        let row = try row(["a": number])
        expectError("a", expected: type, found: "\"\(number)\"") {
            switch type {
            case "Int16": _ = try row.integer("a", as: Int16.self)
            case "Int32": _ = try row.integer("a", as: Int32.self)
            default: _ = try row.integer("a")
            }
        }
    }

    /// 2^63 ns are about 292 years.
    @Test(arguments: ["9223372036854776", "-9223372036854776"])
    func aTimeOutOfRange(microseconds: String) throws {
        let row = try row(["a": microseconds])
        expectError("a", expected: "microseconds since 1970", found: "\"\(microseconds)\"") { _ = try row.time("a") }
    }

    @Test func rowsOfAResult() throws {
        let result = QueryResult(
            statement: "SELECT", columns: ["a", "b"], values: ["1", nil, "2", "x"], count: 2, affected: 2)
        #expect(result.count == 2 && result.columns == ["a", "b"])
        #expect(try result.map { try $0.integer("a") } == [1, 2])
        #expect(try result.map { try $0.optionalText("b") } == [nil, "x"])
        #expect(try result[1].text("b") == "x")
        let (a, b) = (try result.column("a"), try result.column("b"))
        #expect(try result.map { try $0.integer(a) } == [1, 2])
        #expect(try result.map { try $0.optionalText(b) } == [nil, "x"])
    }

    @Test func rowsWithoutColumns() {
        let result = QueryResult(statement: "SELECT FROM t", columns: [], values: [], count: 3, affected: 3)
        #expect(result.count == 3 && !result.isEmpty)
    }

    @Test func aColumnIsLookedUpInAResultWithoutRows() throws {
        let result = QueryResult(statement: "SELECT a, b", columns: ["a", "b"], values: [], count: 0, affected: 0)
        #expect(try result.column("b").index == 1)
        expectMissing("c") { _ = try result.column("c") }
    }

    /// A column of one result finds the column of the same name in another.
    @Test func aColumnOfAnotherResult() throws {
        let other = QueryResult(statement: "", columns: ["b", "a"], values: [], count: 0, affected: 0)
        let row = try row(["a": "1", "b": "2"])
        #expect(try row.integer(try other.column("a")) == 1)
        let wide = QueryResult(statement: "", columns: ["x", "y", "c"], values: [], count: 0, affected: 0)
        expectMissing("c") { _ = try row.integer(try wide.column("c")) }
    }
}

@Suite struct HexadecimalTests {
    @Test(arguments: [("", []), ("00ff", [0, 255]), ("a9", [0xA9])] as [(String, [UInt8])])
    func digits(text: String, bytes: [UInt8]) { #expect([UInt8](hexadecimal: text) == bytes) }

    @Test(arguments: ["0", "0g", " 0", "\\x", "é"])
    func notDigits(text: String) { #expect([UInt8](hexadecimal: text) == nil) }
}
