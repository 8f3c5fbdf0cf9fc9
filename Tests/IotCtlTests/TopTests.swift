import Sensors
import Testing

@testable import Store
@testable import iotctl

@Suite struct TopTests {
    private func partition(_ number: Int, offset: Int64, at seconds: Int64) -> PartitionRecord {
        PartitionRecord(
            stream: "measurements.\(number)", incarnation: 1, owner: "measurements-ingester-7d9f8b6c5-x2x4z", epoch: 3,
            leaseLeft: .seconds(4), committedOffset: offset, committedAt: nil, committedAge: .milliseconds(20),
            at: Timestamp(unixMilliseconds: seconds * 1000))
    }

    private func fleet(at seconds: Int64, offset: Int64, sensors: Int = 40, alarms: Int = 0) -> FleetSnapshot {
        FleetSnapshot(
            at: Timestamp(unixMilliseconds: seconds * 1000), states: ["awake": 39, "asleep": 1],
            presences: ["online": 40], frames: offset * 2, samplesPerSecond: 1_234_567, activeAlarms: Int64(alarms),
            partitions: (0..<4).map { partition($0, offset: offset, at: seconds) },
            sensors: (0..<sensors).map {
                FleetSnapshot.Load(
                    serial: "gateway-hall-3--vibration-\($0)", kind: "vibration", state: "awake", presence: "online",
                    samplesPerSecond: 48_000, lastValueAge: .seconds(1), activeAlarms: 0)
            },
            alarms: (0..<alarms).map {
                AlarmRecord(
                    id: "a\($0)", serial: "lab-\($0)", channel: 0, channelName: "temperature", unit: "°C",
                    rule: "limit:temperature:high", raisedAt: Timestamp(unixMilliseconds: 1_763_728_440_000),
                    clearedAt: nil, value: 31.5, limit: 30, clearValue: nil, text: "")
            })
    }

    private func model(sensors: Int = 40, alarms: Int = 0, trouble: String? = nil) -> TopModel {
        TopModel(
            fleet(at: 102, offset: 1500, sensors: sensors, alarms: alarms), since: fleet(at: 100, offset: 500),
            ends: ["measurements.0": 1600, "measurements.1": 1500, "measurements.2": -1], trouble: trouble)
    }

    @Test func ratesAndLagComeFromTwoLooks() {
        let model = model()
        #expect(model.framesPerSecond == 1000)
        #expect(model.partitions.map(\.messagesPerSecond) == [500, 500, 500, 500])
        #expect(model.partitions.map(\.lag) == [100, 0, 0, nil])
        let first = TopModel(fleet(at: 100, offset: 5), since: nil, ends: [:], trouble: nil)
        #expect(first.framesPerSecond == nil && first.partitions[0].messagesPerSecond == nil)
        // A stream that was made anew begins again.
        var other = partition(0, offset: 3, at: 200)
        other.incarnation = 2
        #expect(other.messagesPerSecond(since: partition(0, offset: 500, at: 100)) == nil)
        #expect(partition(0, offset: 3, at: 5).messagesPerSecond(since: partition(0, offset: 1, at: 5)) == nil)
    }

    @Test(arguments: [(80, 24), (40, 10), (200, 60), (80, 5), (1, 1), (20, 100)])
    func itFitsIntoAnyTerminal(_ columns: Int, _ rows: Int) {
        let size = Screen.Size(columns: columns, rows: rows)
        for alarms in [0, 2, 50] {
            for coloured in [true, false] {
                let layout = TopLayout(model: model(alarms: alarms), style: Style(isColoured: coloured))
                let lines = layout.lines(in: size)
                #expect(lines.count <= rows)
                let plain = lines.map { $0.replacing(/\u{1B}\[[0-9]*m/, with: "") }
                #expect(plain.allSatisfy { $0.count <= columns }, "\(plain)")
            }
        }
    }

    @Test func aSmallTerminalShowsAllParts() {
        let layout = TopLayout(model: model(alarms: 9), style: Style(isColoured: false))
        let lines = layout.lines(in: Screen.Size(columns: 80, rows: 24))
        #expect(lines.count == 24)
        let text = lines.joined(separator: "\n")
        #expect(text.contains("1,000 frames/s stored, 3,000 in all; 1,234,567 samples/s"))
        #expect(text.contains("39 awake  1 asleep") && text.contains("9 active"))
        for title in ["STREAM", "measurements.3", "~100", "SENSOR", "gateway-hall-3--vibration…", "RAISED", "lab-0"] {
            #expect(text.contains(title), "\(title) in\n\(text)")
        }
    }

    @Test func nothingThereIsNoTrouble() {
        let empty = FleetSnapshot(
            at: Timestamp(unixMilliseconds: 0), states: [:], presences: [:], frames: 0, samplesPerSecond: 0,
            activeAlarms: 0, partitions: [], sensors: [], alarms: [])
        let lines = TopLayout(
            model: TopModel(empty, since: nil, ends: [:], trouble: "broker: away"), style: Style(isColoured: false)
        ).lines(in: .standard)
        #expect(lines.count == 5 && lines.last == "broker: away" && lines[2] == "state     -")
    }
}
