import Testing
import Time

@testable import Records
@testable import Store
@testable import iotctl

@Suite struct TailTests {
    private static let noon = Timestamp(unixMilliseconds: 1_763_728_440_123)

    private func record(_ name: String, _ unit: String) -> ChannelRecord {
        ChannelRecord(channel: 0, name: name, quantity: "", unit: unit)
    }

    private func frame(
        _ serial: String, _ channels: [(name: String, count: Int, value: Double?)], at time: Timestamp? = noon
    ) -> FrameView {
        FrameView(
            sensor: serial, time: time, unixNanoseconds: nil, bootID: nil, sequence: nil, sampleRateHz: nil,
            receivedUnixMilliseconds: nil,
            channels: channels.map {
                FrameView.Channel(
                    channel: 0, name: $0.name, count: $0.count, min: -2.5, mean: 0, max: 1, rms: 0.70710678,
                    value: $0.value)
            })
    }

    private func layout(width: Int? = nil) -> TailLayout {
        TailLayout(
            serials: ["lab-1", "press-14"],
            channels: [
                "lab-1": [record("x", "m/s²"), record("y", "")], "press-14": [record("temperature", "°C")],
            ], width: width)
    }

    @Test func samplesAreRMSAndPeakAndAValueIsItself() {
        let lines = layout().lines(frame("lab-1", [("x", 500, nil), ("y", 500, nil)]), received: Self.noon)
        #expect(
            lines == [
                "12:34:00.123  lab-1     x            rms 0.707107   peak 2.5        m/s²",
                "12:34:00.123  lab-1     y            rms 0.707107   peak 2.5",
            ], "\(lines)")
        #expect(
            layout().lines(frame("press-14", [("temperature", 1, 21.5)]), received: Self.noon) == [
                "12:34:00.123  press-14  temperature  21.5 °C"
            ])
        #expect(layout().lines(frame("lab-1", []), received: Self.noon) == ["12:34:00.123  lab-1     no channels"])
        #expect(
            layout().lines(frame("lab-1", [("x", 0, nil)]), received: Self.noon).first?.hasSuffix("no samples") == true)
    }

    @Test func aSensorWithoutAClockHasTheTimeOfArrival() {
        let lines = layout().lines(frame("lab-1", [("x", 1, 1)], at: nil), received: Self.noon)
        #expect(lines.first?.hasPrefix("12:34:00.123  ") == true)
        let old = layout().lines(
            frame("lab-1", [("x", 1, 1)], at: Timestamp(unixMilliseconds: 1_763_600_000_000)), received: Self.noon)
        #expect(old.first?.hasPrefix("2025-11-20 00:53  ") == true, "\(old)")
    }

    @Test(arguments: [10, 40, 60, 80, 200])
    func linesFitTheTerminal(_ width: Int) {
        let long = String(repeating: "s", count: 100)
        let layout = TailLayout(
            serials: [long], channels: [long: [record(String(repeating: "c", count: 60), "kg·m²/s³")]], width: width)
        let name = String(repeating: "c", count: 60)
        for line in layout.lines(frame(long, [(name, 500, nil), (name, 1, -1.23456e-300)]), received: Self.noon) {
            #expect(line.count <= width)
        }
        // Without a terminal it is 80.
        #expect(
            self.layout().lines(frame("lab-1", [("x", 500, nil)]), received: Self.noon).allSatisfy { $0.count <= 80 })
    }
}
