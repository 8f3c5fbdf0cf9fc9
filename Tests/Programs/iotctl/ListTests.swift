import ArgumentParser
import Testing

@testable import iotctl

/// The options that all lists share.
@Suite struct ListTests {
    /// The lists, with the words that call them.
    static let lists = [
        "get sensors", "get alarms", "get commands", "get targets", "get partitions", "get policies", "quarantine ls",
        "context ls",
    ]

    private func parse(_ call: String, _ words: String...) async throws -> any ParsableCommand {
        try await IotCtl.parsed(call.split(separator: " ").map { String($0) } + words)
    }

    @Test(arguments: lists)
    func everyListHasTheSameFormats(_ list: String) async throws {
        // What only a list takes; the parser of the formats is the one of `ListOptions`.
        _ = try await parse(list, "-o", "name")
        _ = try await parse(list, "--no-headers", "--output", "wide")
        await #expect(throws: (any Error).self) { try await parse(list, "-o", "nmae") }
    }

    @Test func aMistypedFormatIsProposed() {
        #expect(throws: (any Error).self) { try ListOptions.parse(["-o", "csv"]) }
        let error = #expect(throws: ValidationError.self) { try ListFormat.read("nam") }
        #expect(error?.message == "did you mean name?")
        // What is no list has no names.
        #expect(throws: (any Error).self) { try OutputOptions.parse(["-o", "name"]) }
    }

    /// `-w` is `iotctl watch …`, which lists nothing: what applies to the list only is refused.
    @Test func watchingTakesNoOptionsOfLists() async throws {
        for list in ["get sensors", "get alarms", "get commands"] {
            _ = try await parse(list, "-w", "-o", "json")
            await #expect(throws: (any Error).self) { try await parse(list, "-w", "-o", "name") }
            await #expect(throws: (any Error).self) { try await parse(list, "-w", "--no-headers") }
        }
        for list in ["get alarms", "get commands"] {
            await #expect(throws: (any Error).self) { try await parse(list, "-w", "--since", "1h") }
        }
        await #expect(throws: (any Error).self) { try await parse("get sensors", "-w", "--sort-by", "age") }
    }

    @Test func onlyFullFormatsHaveAllValues() throws {
        let full = try [[], ["-o", "table"], ["-o", "name"], ["-o", "wide"], ["-o", "json"], ["-o", "yaml"]].map {
            try ListOptions.parse($0).isFull
        }
        #expect(full == [false, false, false, true, true, true])
    }

    /// A command with the filter: its completion is asynchronous, which ArgumentParser allows in asynchronous commands only.
    private struct Filtered: AsyncParsableCommand {
        @OptionGroup var filter: SensorFilter
    }

    @Test func sensorsAreNamedOrSelected() async throws {
        func filter(_ words: [String]) async throws -> SensorFilter {
            try #require(try await Filtered.asyncParseAsRoot(words) as? Filtered).filter
        }
        let named = try await filter(["lab-1", "press-*"])
        #expect(named.words == ["lab-1", "press-*"] && !named.isEmpty)
        #expect(try await filter([]).isEmpty)
        #expect(try await !filter(["-l", "hall=3"]).isEmpty)
        await #expect(throws: (any Error).self) { try await filter(["lab-1", "-l", "hall=3"]) }
        await #expect(throws: (any Error).self) { try await filter((0...32).map { "a\($0)*" }) }
        _ = try await filter((0...1000).map { "a\($0)" })
    }

    /// A glob stands for several sensors, as -l does: the same question, and the same report.
    @Test func aGlobIsASelection() throws {
        let selection = try SensorSelection.parse([])
        #expect(!selection.naming(["lab-1", "lab-2"]).isFleet)
        #expect(selection.naming(["lab-1", "lab-*"]).isFleet)
        #expect(try SensorSelection.parse(["--all"]).isFleet)
        #expect(try SensorSelection.parse(["-l", "hall=3"]).isFleet)
    }
}
