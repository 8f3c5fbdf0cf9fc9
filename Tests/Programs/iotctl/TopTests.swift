import Records
import Testing
import Time

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
                    clearedAt: nil, value: 31.5, limit: 30, clearValue: nil, clearCause: nil, text: "")
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
        // The offsets of a recreated stream begin again.
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
                // With keys the last line names them.
                let page = TopLayout(
                    model: model(alarms: alarms), controls: TopControls(), style: Style(isColoured: coloured)
                ).page(in: size)
                #expect(page.lines.count == rows && page.lines.last?.hasPrefix("q quit".prefix(columns)) == true)
                #expect(page.count == 40 && page.visible <= rows)
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
        for title in ["STREAM", "measurements.3", "~100", "SENSOR", "gateway-hall-3--vibration-", "RAISED", "lab-0"] {
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

    private func page(_ columns: Int, _ rows: Int, _ keys: [Key] = [], sensors: Int = 40) -> TopLayout.Page {
        var controls = TopControls()
        let size = Screen.Size(columns: columns, rows: rows)
        func layout() -> TopLayout {
            TopLayout(
                model: model(sensors: sensors, alarms: 2), controls: controls, style: Style(isColoured: false))
        }
        for key in keys {
            let page = layout().page(in: size)
            controls.handle(key, page: page.visible, count: page.count)
        }
        return layout().page(in: size)
    }

    @Test(arguments: [(40, false), (60, false), (80, true), (200, true)])
    func theImportantColumnsStay(_ columns: Int, _ isKindShown: Bool) {
        let lines = page(columns, 24).lines
        let titles = lines.filter { $0.hasPrefix("STREAM") || $0.hasPrefix("SENSOR") || $0.hasPrefix("RAISED") }
        #expect(titles.count == 3, "\(lines)")
        #expect(titles[0].hasSuffix("LAG") && titles[1].hasSuffix("ALARMS"), "\(titles)")
        #expect(titles[1].contains("KIND") == isKindShown, "\(titles)")
        #expect(lines.contains { $0.hasSuffix("~100") })
        // The figures of the head are not cut.
        #expect(lines.joined().contains("1,234,567 samples/s"))
    }

    @Test func keysScrollTheSensors() {
        let first = page(60, 20)
        #expect(first.lines.last == "q quit  1-\(first.visible) of 40  ↑↓ PgUp PgDn scroll  / filter")
        func shown(_ keys: [Key]) -> String? {
            page(60, 20, keys).lines.last?.split(separator: " ").dropFirst(2).first.map { String($0) }
        }
        let (visible, end) = (first.visible, 41 - first.visible)
        #expect(visible > 2)
        #expect(shown([.down]) == "2-\(visible + 1)")
        #expect(shown([.pageDown]) == "\(visible + 1)-\(2 * visible)")
        #expect(shown([.end]) == "\(end)-40" && shown([.end, .down, .pageDown]) == "\(end)-40")
        #expect(shown([.end, .up]) == "\(end - 1)-39" && shown([.end, .home]) == "1-\(visible)")
        #expect(shown([.up, .pageUp]) == "1-\(visible)")
    }

    @Test func aFilterKeepsMatches() {
        let typed = "/n-39".map { Key.character($0) }
        let typing = page(80, 24, typed)
        #expect(typing.lines.last == "filter: n-39_  Enter keep  Esc clear" && typing.count == 1)
        let kept = page(80, 24, typed + [.enter])
        #expect(
            kept.lines.last?.contains("1-1 of 1  ↑↓ PgUp PgDn scroll  / filter: n-39  Esc") == true, "\(kept.lines)")
        #expect(page(80, 24, typed + [.backspace, .enter]).count == 11, "-3 and -30 to -39")
        #expect(page(80, 24, typed + [.escape]).count == 40 && page(80, 24, typed + [.enter, .escape]).count == 40)
        #expect(page(80, 24, [.end] + typed + [.enter]).lines.contains { $0.contains("vibration-39") })
        let none = page(80, 24, "/nothing".map { Key.character($0) } + [.enter])
        #expect(none.count == 0 && none.lines.last?.contains("no sensors") == true)
        // Letters of a filter are not commands.
        var controls = TopControls()
        for key in "/q".map({ Key.character($0) }) { controls.handle(key, page: 1, count: 1) }
        #expect(!controls.hasQuit && controls.filter == "q")
        controls.handle(.enter, page: 1, count: 1)
        controls.handle(.character("q"), page: 1, count: 1)
        #expect(controls.hasQuit)
    }

    @Test func bytesOfATerminalAreKeys() {
        var reader = KeyReader()
        #expect(
            reader.read(Array("q\u{1B}[A\u{1B}OB\u{1B}[5~\u{1B}[6~\u{1B}[H\u{1B}[4~/".utf8)) == [
                .character("q"), .up, .down, .pageUp, .pageDown, .home, .end, .character("/"),
            ])
        // A sequence that comes in two reads; Escape alone; an unknown sequence; bytes that are no key.
        #expect(reader.read([0x1B]) == [] && reader.read(Array("[B".utf8)) == [.down])
        #expect(reader.read([0x1B]) == [] && reader.read([]) == [.escape] && reader.read([]) == [])
        #expect(reader.read([0x1B, 0x1B]) == [.escape] && reader.read([]) == [.escape])
        #expect(reader.read(Array("\u{1B}[1;5Cx".utf8)) == [.character("x")])
        #expect(reader.read([0x0D, 0x7F, 0xC3, 0xA4, 0x01]) == [.enter, .backspace])
        // A sequence without an end is dropped.
        #expect(reader.read(Array("\u{1B}[000000000000000".utf8)).isEmpty && reader.read([0x71]) == [.character("q")])
    }
}
