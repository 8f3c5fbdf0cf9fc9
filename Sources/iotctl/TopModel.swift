internal import Sensors
internal import Store

/// What `iotctl top` shows at one moment.
struct TopModel: Sendable, Equatable {
    /// As it is now.
    var fleet: FleetSnapshot
    /// With rates and lag.
    var partitions: [PartitionStatus]
    /// Frames stored a second; nil: not known.
    var framesPerSecond: Double?
    /// Why some of it is missing or old; nil: nothing is.
    var trouble: String?

    /// What two looks and the broker say.
    /// - Parameters:
    ///   - before: the earlier look; nil: there was none.
    ///   - ends: offsets near the ends of the streams.
    init(_ fleet: FleetSnapshot, since before: FleetSnapshot?, ends: [String: Int64], trouble: String?) {
        self.fleet = fleet
        partitions = PartitionStatus.compare(before?.partitions ?? [], fleet.partitions, ends: ends)
        framesPerSecond = before.flatMap { fleet.framesPerSecond(since: $0) }
        self.trouble = trouble
    }

    /// As JSON (docs/iotctl-json.md, "fleet").
    var value: Value {
        .record([
            "at": .time(fleet.at), "sensors": .integer(fleet.sensorCount), "states": Self.object(fleet.states),
            "presences": Self.object(fleet.presences), "frames": .integer(fleet.frames),
            "frames_per_s": .number(framesPerSecond), "samples_per_s": .number(fleet.samplesPerSecond),
            "active_alarms": .integer(fleet.activeAlarms), "partitions": .list(partitions.map(\.value)),
            "busiest": .list(
                fleet.sensors.map {
                    .record([
                        "serial": .text($0.serial), "kind": .text($0.kind), "state": .text($0.state),
                        "presence": .text($0.presence), "samples_per_s": .number($0.samplesPerSecond),
                        "last_value_age_s": .seconds($0.lastValueAge), "active_alarms": .integer($0.activeAlarms),
                    ])
                }), "alarms": .list(fleet.alarms.map(\.record)), "trouble": .text(trouble),
        ])
    }

    private static func object(_ counts: [String: Int64]) -> Value {
        .object(counts.sorted { $0.key < $1.key }.map { Value.Field(name: $0.key, value: .integer($0.value)) })
    }
}

/// The lines of `iotctl top`. Pure.
struct TopLayout {
    /// Most alarms that are shown where there is little room.
    private static let alarmsMax = 3

    /// What is shown.
    let model: TopModel
    /// Colours.
    let style: Style

    /// At most `size.rows` lines of at most `size.columns` characters, colours not counted.
    ///
    /// The head comes first, then partitions, sensors and alarms. Where there is too little room sensors give way, then
    /// partitions; the newest alarms stay.
    func lines(in size: Screen.Size) -> [String] {
        let head = head
        var alarms = section(GetAlarms.table(model.fleet.alarms), size.columns)
        if alarms.count > Self.alarmsMax + 2, alarms.count > size.rows / 3 {
            alarms.removeLast(alarms.count - max(Self.alarmsMax + 2, size.rows / 3))
        }
        var partitions = section(PartitionStatus.table(model.partitions), size.columns)
        var sensors = section(sensorTable, size.columns)
        let room = max(0, size.rows - head.count - alarms.count)
        partitions = Array(partitions.prefix(max(0, room - min(sensors.count, 5))))
        sensors = Array(sensors.prefix(max(0, room - partitions.count)))
        return (head + partitions + sensors + alarms).prefix(size.rows).map { $0.clipped(to: size.columns) }
    }

    /// An empty line, titles, rows; nothing where there are no rows.
    private func section(_ table: Table, _ width: Int) -> [String] {
        guard !table.rows.isEmpty else { return [] }
        var style = style
        style.width = width
        return [""] + table.text(wide: false, style).split(separator: "\n").map { String($0) }
    }

    private var head: [String] {
        let fleet = model.fleet
        let alarms = style.paint("\(fleet.activeAlarms) active", fleet.activeAlarms > 0 ? .bad : .plain)
        let rate = model.framesPerSecond.map { "\(Int64($0.rounded()).grouped) frames/s stored" } ?? "frames/s: -"
        var lines = [
            "\(fleet.at.short) UTC   \(fleet.sensorCount.grouped) sensors   alarms \(alarms)",
            "data      \(rate), \(fleet.frames.grouped) in all; "
                + "\(Int64(clamped: fleet.samplesPerSecond).grouped) samples/s by their rates",
            "state     " + counts(fleet.states), "presence  " + counts(fleet.presences),
        ]
        if let trouble = model.trouble { lines.append(style.paint(trouble.printable, .bad)) }
        return lines
    }

    private func counts(_ counts: [String: Int64]) -> String {
        if counts.isEmpty { return "-" }
        return counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
            .map { "\($0.value.grouped) \(style.paint($0.key.printable, Tone(word: $0.key)))" }.joined(separator: "  ")
    }

    private var sensorTable: Table {
        Table(
            columns: [
                .long("SENSOR"), .long("KIND"), .text("STATE"), .text("PRESENCE"), .number("SAMPLES/S"),
                .number("VALUE"), .number("ALARMS"),
            ],
            rows: model.fleet.sensors.map {
                [
                    Cell($0.serial), Cell($0.kind), Cell(word: $0.state), Cell(word: $0.presence),
                    Cell($0.samplesPerSecond.short), Cell($0.lastValueAge?.short),
                    Cell(String($0.activeAlarms), $0.activeAlarms > 0 ? .bad : .plain),
                ]
            })
    }
}

extension Int64 {
    /// In groups of three digits: "12,345,678".
    var grouped: String {
        var groups: [String] = []
        var digits = String(magnitude)
        while digits.count > 3 {
            groups.insert(String(digits.suffix(3)), at: 0)
            digits.removeLast(3)
        }
        return (self < 0 ? "-" : "") + ([digits] + groups).joined(separator: ",")
    }

    /// The nearest whole number; the ends of the range where there is none.
    init(clamped number: Double) {
        self = Int64(exactly: number.rounded()) ?? (number > 0 ? .max : number < 0 ? .min : 0)
    }
}

extension String {
    /// At most so many characters, the sequences for colours (ESC [ … m) not counted; all of those are kept.
    func clipped(to width: Int) -> String {
        var clipped = ""
        var shown = 0
        var isSequence = false
        for character in self {
            if character == "\u{1B}" { isSequence = true }
            if isSequence {
                clipped.append(character)
                if character == "m" { isSequence = false }
            } else if shown < width {
                clipped.append(character)
                shown += 1
            }
        }
        return clipped
    }
}
