import Model
import Postgres
import Testing

@testable import Ingest

/// Sensors with a row that cannot be decoded: how they are found, and what is reported of them.
@Suite struct UnreadableSensorsTests {
    private func error(_ found: String = "?") -> StoreError {
        .undecodable(column: "gaps", expected: "gaps of a ledger", found: found, statement: "SELECT gaps")
    }

    private func serial(_ text: String) throws -> SerialNumber { try #require(SerialNumber(text)) }

    // MARK: finding them

    /// Reads `keys`, of which each of `bad` has a row that cannot be decoded.
    private func read(_ keys: Range<Int>, bad: Set<Int>) async throws -> (bad: [Int], good: [Int], calls: Int) {
        var (good, calls): ([Int], Int) = ([], 0)
        let found = try await IngestLoader.read(Array(keys)[...]) { keys in
            calls += 1
            if let key = keys.first(where: bad.contains) { throw error("\(key)") }
            good += keys
        }
        #expect(found.allSatisfy { $0.error == error("\($0.key)") }, "each with its own error")
        return (found.map(\.key), good, calls)
    }

    @Test func nothingIsReadForNoKeys() async throws {
        #expect(try await read(0..<0, bad: []) == ([], [], 0))
    }

    @Test func readableRowsAreReadAtOnce() async throws {
        #expect(try await read(0..<4000, bad: []) == ([], Array(0..<4000), 1))
    }

    @Test(arguments: [[0], [7], [3999], [0, 1], [5, 2000, 3999]])
    func everyOtherKeyIsReadAndTheBadOnesAreNamed(bad: [Int]) async throws {
        let result = try await read(0..<4000, bad: Set(bad))
        #expect(result.bad == bad)
        #expect(result.good == (0..<4000).filter { !bad.contains($0) })
        #expect(result.calls <= 1 + 2 * 12 * bad.count, "by halves, not one by one")
    }

    @Test func allOfThemMayBeBad() async throws {
        #expect(try await read(0..<3, bad: [0, 1, 2]).bad == [0, 1, 2])
        #expect(try await read(4..<5, bad: [4]) == ([4], [], 1))
    }

    /// A schema without the column, or a server that is away, is no sensor's fault.
    @Test(arguments: [
        StoreError.missingColumn("gaps", found: [], statement: "SELECT"), .unreachable("away"), .unexpected("no row"),
    ])
    func anyOtherErrorEndsTheReading(error: StoreError) async throws {
        var calls = 0
        await #expect(throws: error) {
            _ = try await IngestLoader.read([1, 2, 3][...]) { _ in
                calls += 1
                throw error
            }
        }
        #expect(calls == 1)
    }

    // MARK: reporting them

    @Test func eachChangeIsReportedOnce() throws {
        var sensors = UnreadableSensors()
        let (a, b) = (try serial("a"), try serial("b"))
        #expect(sensors.note([a: nil, b: nil]) == [] && sensors.count == 0 && sensors.reason == nil)
        #expect(sensors.note([b: error(), a: nil]) == [.unreadable(b, error())])
        #expect(sensors.note([b: error()]) == [], "it was reported")
        #expect(sensors.note([b: error("other")]) == [.unreadable(b, error("other"))])
        #expect(sensors.note([a: error()]) == [.unreadable(a, error())])
        #expect(sensors.count == 2, "b is not in the last batch, and nobody has repaired it")
        #expect(sensors.note([a: nil, b: nil]) == [.readable(a), .readable(b)])
        #expect(sensors.count == 0 && sensors.reason == nil)
    }

    @Test func theReasonNamesTheFirstSensorAndTheColumn() throws {
        var sensors = UnreadableSensors()
        _ = sensors.note([try serial("b"): error("b"), try serial("a"): error("a")])
        #expect(
            sensors.reason == "frames of 2 sensors go to the quarantine, such as a: "
                + "column gaps: expected gaps of a ledger, found a, in the result of: SELECT gaps")
    }
}
