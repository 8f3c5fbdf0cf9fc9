import Model
import Testing
import Time

@testable import Store
@testable import iotctl

@Suite struct TableTests {
    private let table = Table(
        columns: [.text("ID"), .name("SENSOR"), .number("AGE"), .long("REASON"), .wide("ISSUER")],
        rows: [
            ["6fa459ea", "gateway-hall-3--vibration-0001", "12s", "too fast: 1000000 Hz, at most 48000 Hz", "me"],
            ["7fa459ea", "lab-1", "3d", "-", "you"],
        ])

    private func lines(_ width: Int?, wide: Bool = false, coloured: Bool = false) -> [String] {
        table.text(wide: wide, Style(isColoured: coloured, width: width)).split(separator: "\n").map { String($0) }
    }

    @Test func longTextsAreCutToTheTerminal() {
        #expect(
            lines(nil)[1] == "6fa459ea  gateway-hall-3--vibration-0001  12s  too fast: 1000000 Hz, at most 48000 Hz")
        let cut = lines(60)
        #expect(cut.allSatisfy { $0.count <= 60 }, "\(cut)")
        #expect(cut[1].hasPrefix("6fa459ea  gateway-hall-3") && cut[1].contains("…") && cut[1].hasSuffix("…"))
        #expect(cut[2].contains("lab-1 ") && cut[2].contains(" 3d  -"), "\(cut[2])")
        // A name loses its middle, when other texts are as short as they may be.
        #expect(lines(55)[1] == "6fa459ea  gateway-hall-3--vibration-0001  12s  too fas…")
        #expect(lines(54)[1] == "6fa459ea  gateway-hall-3…vibration-0001  12s  too fas…")
    }

    @Test func theLeastImportantIsLeftOutOrShortened() {
        let sensors = Table(
            columns: [
                .name("SERIAL"), .text("KIND"), .text("AT"), .text("VALUE"), .long("PLACE"),
            ], expendable: ["PLACE", "KIND"],
            rows: [
                [
                    "lab-1", "vibration", Cell("2026-11-21 09:30:00", brief: "11-21 09:30:00"), "x 3.971 m/s² +2",
                    "Hall 3, by the east gate",
                ]
            ])
        func line(_ width: Int?) -> String {
            String(sensors.text(wide: false, Style(isColoured: false, width: width)).split(separator: "\n")[1])
        }
        let whole = "lab-1   vibration  2026-11-21 09:30:00  x 3.971 m/s² +2  Hall 3, by the east gate"
        #expect(line(nil) == whole && line(whole.count) == whole)
        #expect(line(80) == "lab-1   vibration  11-21 09:30:00  x 3.971 m/s² +2  Hall 3, by the east gate")
        #expect(line(70) == "lab-1   vibration  11-21 09:30:00  x 3.971 m/s² +2  Hall 3, by the ea…")
        #expect(line(66) == "lab-1   vibration  11-21 09:30:00  x 3.971 m/s² +2")
        #expect(line(45) == "lab-1   11-21 09:30:00  x 3.971 m/s² +2")
        // What is essential stays, however narrow the terminal is.
        #expect(line(10) == line(45))
    }

    @Test func timesOfThisYearHaveABriefForm() {
        let now = Cell(at: .now)
        #expect(now.text.count == 19 && now.brief == String(now.text.dropFirst(5)))
        let past = Cell(at: Timestamp(iso8601: "2001-02-03T04:05:06Z"))
        #expect(past.text == "2001-02-03 04:05:06" && past.brief == past.text && Cell(at: nil).text == "-")
    }

    @Test func textIsWrappedBetweenWords() {
        #expect("a bc def".folded(to: 4) == "a bc\ndef" && "a bc def".folded(to: nil) == "a bc def")
        #expect("abcdef g".folded(to: 3) == "abcdef\ng" && "".folded(to: 3).isEmpty)
    }

    @Test func whatMayNotBeCutIsNot() {
        for width in [1, 10, 30] { #expect(lines(width)[1].hasPrefix("6fa459ea  gate…001  12s  too fas…"), "\(width)") }
        #expect(lines(40, wide: true)[1].hasSuffix("at most 48000 Hz  me"))
    }

    @Test func titlesCanBeLeftOut() {
        let bare = table.text(wide: false, Style(isColoured: false), hasTitles: false).split(separator: "\n")
        #expect(bare.count == 2 && bare[0].hasPrefix("6fa459ea") && bare[1].hasPrefix("7fa459ea"))
        let narrow = Table(columns: [.text("SERIAL"), .text("KIND")], rows: [["a", "b"]])
        #expect(narrow.text(wide: false, Style(isColoured: false), hasTitles: false) == "a  b\n")
    }

    @Test func charactersAreCountedAndControlsReplaced() {
        #expect("abc".width == 3 && "°C".width == 2 && "e\u{301}".width == 1 && "".width == 0)
        #expect("plain text".printable == "plain text" && "a\u{1B}[2Jb\tc".printable == "a\u{FFFD}[2Jb c")
    }

    @Test func idsAreAsLongAsTheyMustBe() {
        let ids = ["6fa459ea-ee8a-3ca4", "6fa459ea-ee8b-3ca4", "7fa459ea-ee8a-3ca4"]
        #expect(ids.shortened.values.map(\.count).allSatisfy { $0 == 16 })
        #expect(Set(ids.shortened.values).count == 3)
        #expect(["6fa459ea-ee8a-3ca4"].shortened == ["6fa459ea-ee8a-3ca4": "6fa459ea"])
        #expect(["a", "b", "a"].shortened == ["a": "a", "b": "b"] && [String]().shortened.isEmpty)
    }

    @Test func coloursDoNotCount() {
        let text = "\u{1B}[31mabcdef\u{1B}[0m"
        #expect(text.clipped(to: 3) == "\u{1B}[31mabc\u{1B}[0m")
        #expect("abc".clipped(to: 3) == "abc" && "abc".clipped(to: 0).isEmpty)
    }

    @Test func numbersAreGrouped() {
        #expect(Int64(0).grouped == "0" && Int64(999).grouped == "999" && Int64(-1000).grouped == "-1,000")
        #expect(Int64(12_345_678).grouped == "12,345,678")
        #expect(Int64(clamped: .infinity) == .max && Int64(clamped: .nan) == 0 && Int64(clamped: 2.5) == 3)
    }

    @Test func sensorsAreSorted() {
        func sensor(_ serial: String, _ kind: String, _ hertz: Double?, seen: Duration?) -> SensorSummary {
            SensorSummary(
                serial: serial, kind: kind, firmware: "", state: "awake", presence: "online",
                rate: hertz.flatMap { SampleRate(hertz: $0) }, lastSeenAge: seen, tagsJSON: "{}")
        }
        let sensors = [
            sensor("c", "gps", 1, seen: .seconds(5)), sensor("b", "vibration", 1000, seen: nil),
            sensor("a", "gps", 1, seen: .seconds(50)),
        ]
        func order(_ order: SensorOrder) -> String { order.sorted(sensors).map(\.serial).joined() }
        #expect(order(.serial) == "abc" && order(.kind) == "acb" && order(.rate) == "bac" && order(.seen) == "acb")
        #expect(order(.dropped) == "abc" && order(.clock) == "abc")
    }

    @Test func clocksSayHowFarTheyAreOff() {
        func text(_ seconds: Double, _ clock: ClockVerdict = .ok) -> String {
            var sensor = SensorSummary(
                serial: "a", kind: "", firmware: "", state: "awake", presence: "online", tagsJSON: "{}")
            (sensor.clock, sensor.clockOffsetSeconds) = (clock, seconds)
            return sensor.clockCell.text
        }
        #expect(text(-0.012) == "-12ms" && text(3.21) == "+3s" && text(-0.000_4) == "0ms" && text(0) == "0ms")
        #expect(text(900, .future) == "future +15m")
    }

    @Test func valuesAndPlacesAreShort() {
        func value(_ name: String, _ value: Double, _ unit: String) -> ChannelValue {
            ChannelValue(channel: 0, name: name, unit: unit, value: value)
        }
        var sensor = SensorSummary(
            serial: "a", kind: "", firmware: "", state: "awake", presence: "online", tagsJSON: "{}",
            values: [value("x", 3.971_234, "m/s²")], valueCount: 1)
        #expect(sensor.valueText == "x 3.971 m/s²" && sensor.placeText == nil)
        sensor.valueCount = 3
        #expect(sensor.valueText == "x 3.971 m/s² +2")
        sensor.values += [value("y", 0.1, ""), value("z", -9.806_65, "m/s²")]
        #expect(sensor.valuesText == "x 3.97123 m/s², y 0.1, z -9.80665 m/s²")
        sensor.position = GeoPosition(latitude: 52.520_008, longitude: -13.404_95, altitude: 34.4)
        #expect(sensor.placeText == "52.52001, -13.40495, 34 m")
        sensor.place = "Hall 3"
        #expect(sensor.placeText == "Hall 3")
        (sensor.values, sensor.valueCount) = ([], 0)
        #expect(sensor.valueText == nil && sensor.valuesText.isEmpty)
        let numbers = [1013.25, 101_325, 49.98, -0.001_234_5, 1_234_567, 3, .nan]
        #expect(numbers.map(\.compact) == ["1013", "101325", "49.98", "-0.001234", "1.235e+06", "3", "NaN"])
    }
}
