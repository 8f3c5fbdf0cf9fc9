import ArgumentParser
import Control
import Records
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
        let tags = try #require(JSONValue(json: #"{"hall": "3", "machine": {"maker": "Acme"}, "n": 1}"#))
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

    /// `set limit.x.high=1` used to be taken for a property of the sensor's own, and no alarm was ever raised.
    @Test(arguments: [
        ("limit.x.high=1", "limits.x.high"), ("Limits.x.high=1", "limits.x.high"), ("limits.x.hihg=1", "limits.x.high"),
        ("limts.a.b.lo=1", "limits.a.b.low"), ("limits.x.hysterese=1", "limits.x.hysteresis"), ("Rate=5", "rate"),
        ("rate-hz=5", "rate"), ("rates=5", "rate"), ("rate_hx=5", "rate"), ("raet=5", "rate"),
    ])
    func aNameThatNearlySaysASettingIsRefused(_ word: String, _ meant: String) throws {
        let error = #expect(throws: DesiredChange.Invalid.self) { try DesiredChange(word) }
        #expect(error?.description.contains("did you mean \(meant)?") == true, "\(error?.description ?? "")")
    }

    @Test(arguments: [
        "location.name=Hall 3", "calibrated=true", "limit=5", "date=2026-01-01", "gate=5", "ratio=2", "motor.rate=5",
        "limit.x=5", "motor.limit.high=5", "limit.x.high=null", "rates=null", "crate=4",
    ])
    func aPropertyMayBeCalledAnythingElse(_ word: String) throws { _ = try DesiredChange(word) }

    @Test func limitsThatContradictEachOtherAreFound() throws {
        func found(_ json: String) throws -> [String] {
            DesiredChange.contradictions(in: try #require(JSONValue(json: json)))
        }
        #expect(
            try found(#"{"limits": {"x": {"high": 1, "low": 2.5}, "y": {"high": 1, "low": 1}}}"#) == [
                "limits.x: low 2.5 is above high 1"
            ])
        #expect(try found(#"{"limits": {"x": {"high": 3, "low": -2}, "y": {"low": 5}}, "rate_hz": 1}"#) == [])
        #expect(try found(#"{"limits": 5}"#) == [] && found("{}") == [])
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
            FleetReport.Line(sensor: "s\($0)", outcome: "succeeded", severity: 0, milliseconds: Int64($0), reason: "")
        }
        let style = Style(isColoured: false)
        let good = FleetReport(lines: lines).text(wide: false, style)
        #expect(good == "OUTCOME    SENSORS  MEDIAN MS  MAX MS\nsucceeded      100         51     100\n")
        lines += (1...30).map {
            FleetReport.Line(
                sensor: "t\($0 + 10)", outcome: "skipped", severity: 1, milliseconds: nil, reason: "not sent")
        }
        lines.append(FleetReport.Line(sensor: "u", outcome: "failed", severity: 5, milliseconds: 7, reason: "worn out"))
        let bad = FleetReport(lines: lines).text(wide: false, style).split(separator: "\n")
        #expect(bad.contains("skipped         30          -       -"))
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
