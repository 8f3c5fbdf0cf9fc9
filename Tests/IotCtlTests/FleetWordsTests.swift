import ArgumentParser
import Pipelines
import Testing

@testable import iotctl

/// What people write to change many sensors, and what is drawn of it.
@Suite struct FleetWordsTests {
    @Test func tagsAreReadAsPeopleWriteThem() throws {
        #expect(try TagChange("hall=3").path == ["hall"])
        #expect(try TagChange("hall=3").value == .text("3"))
        #expect(try TagChange("a.b=x=y").path == ["a", "b"])
        #expect(try TagChange("a.b=x=y").value == .text("x=y"))
        #expect(try TagChange("line-").value == .null)
        #expect(try TagChange("line=null") == TagChange("line-"))
    }

    @Test(arguments: [
        "kind=x", "serial-", "hall=", "hall= 3", "hall=a,b", "=3", "a..b=3", "-a=3", "a b=3", "hall", "-",
    ])
    func whatIsNoTagIsRefusedInOneLine(_ word: String) throws {
        let error = try #require(throws: TagChange.Invalid.self) { try TagChange(word) }
        #expect(!error.description.isEmpty && !error.description.contains("\n"))
    }

    @Test func tagsAreSetAndTakenAway() throws {
        let tags = try #require(Value(json: #"{"hall": "3", "machine": {"maker": "Acme"}, "n": 1}"#))
        func applied(_ words: String...) throws -> String {
            try words.reduce(tags) { try TagChange($1).applied(to: $0) }.json
        }
        #expect(try applied("hall=4") == #"{"hall":"4","machine":{"maker":"Acme"},"n":1}"#)
        #expect(try applied("machine.maker-") == #"{"hall":"3","n":1}"#)
        #expect(try applied("hall.left=yes") == #"{"hall":{"left":"yes"},"machine":{"maker":"Acme"},"n":1}"#)
        #expect(try applied("none-") == tags.json)
        #expect(try applied("hall-", "machine-", "n=null") == "{}")
    }

    @Test func aRateIsReadWithItsUnit() throws {
        for word in ["rate=2500", "rate_hz=2500", "rate=2.5kHz", "rate=2.5k", "rate_hz=2500Hz"] {
            let change = try DesiredChange(word)
            #expect(change.path == ["rate_hz"] && change.value == .number(2500), "\(word)")
        }
        #expect(try DesiredChange("rate=null").value == .null)
        #expect(try DesiredChange("motor.rate=fast").value == .text("fast"))
        for word in ["rate=fast", "rate=-1", "rate=", "rate_hz=true"] {
            #expect(throws: DesiredChange.Invalid.self, "\(word)") { try DesiredChange(word) }
        }
    }

    @Test func theBarFitsATerminal() {
        let counts = [("succeeded", 24), ("rejected", 1)]
        let line = ProgressBar.line("sleep", of: 100, ended: 25, open: 10, counts: counts, .seconds(3))
        #expect(line == "sleep [#####...............] 25/100  succeeded 24  rejected 1  open 10  3s")
        let long = ProgressBar.line(
            "change_sample_frequency", of: 100_000, ended: 99_999, open: 100_000,
            counts: CommandOutcome.allCases.map { ($0.rawValue, 12_345) }, .seconds(100_000))
        #expect(long.count == ProgressBar.columns)
        let none = ProgressBar.line("set", of: 0, ended: 0, open: 0, counts: [], .zero)
        #expect(none == "set [....................] 0/0  0ms")
    }

    @Test func aFleetIsSummedUp() {
        var lines = (1...100).map {
            FleetReport.Line(sensor: "s\($0)", outcome: "succeeded", gravity: 0, milliseconds: Int64($0), reason: "")
        }
        let style = Style(isColoured: false)
        let good = FleetReport(lines: lines).text(wide: false, style)
        #expect(good == "OUTCOME    SENSORS  MEDIAN MS  MOST MS\nsucceeded      100         51      100\n")
        lines += (1...30).map {
            FleetReport.Line(
                sensor: "t\($0 + 10)", outcome: "skipped", gravity: 1, milliseconds: nil, reason: "not sent")
        }
        lines.append(FleetReport.Line(sensor: "u", outcome: "failed", gravity: 5, milliseconds: 7, reason: "worn out"))
        let bad = FleetReport(lines: lines).text(wide: false, style).split(separator: "\n")
        #expect(bad.contains("skipped         30          -        -"))
        #expect(bad.contains { $0.hasPrefix("u ") && $0.hasSuffix("worn out") })
        #expect(
            bad.firstIndex { $0.hasPrefix("u ") } ?? 99 < bad.firstIndex { $0.hasPrefix("t11") } ?? 0, "the worst first"
        )
        #expect(bad.last == "11 more: -o wide shows them")
        #expect(!bad.contains { $0.hasPrefix("s1 ") })
        let wide = FleetReport(lines: lines).text(wide: true, style)
        #expect(wide.contains("t40") && !wide.contains("more:"))
    }

    @Test(arguments: [([], true), (["a"], false)])
    func oneWayToSayWhichSensors(_ words: [String], _ isMissing: Bool) throws {
        let none = try SensorSelection.parse([])
        if isMissing {
            #expect(throws: (any Error).self) { try none.check(words) }
        } else {
            try none.check(words)
        }
        for way in [["-l", "kind=x"], ["--all"]] {
            let selection = try SensorSelection.parse(way)
            if isMissing {
                try selection.check(words)
            } else {
                #expect(throws: (any Error).self) { try selection.check(words) }
            }
        }
        #expect(throws: (any Error).self) { try SensorSelection.parse(["-l", "kind=x", "--all"]).check([]) }
        #expect(throws: (any Error).self) { try SensorSelection.parse(["-l", "kind in x"]) }
    }
}
