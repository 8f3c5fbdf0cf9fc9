internal import Records
internal import Store

/// The screen of `iotctl top`. Pure.
struct TopLayout {
    /// A screen, and how much of the sensors it shows.
    struct Page: Equatable {
        /// The lines.
        var lines: [String]
        /// The number of sensors that are shown at once.
        var visible: Int
        /// The number of sensors that match the filter.
        var count: Int
    }

    /// Alarms that are always shown, also on a small screen.
    private static let alarmsMax = 3

    /// The figures to show.
    let model: TopModel
    /// What keys have changed; nil: there are no keys, so there is no line that explains them.
    var controls: TopControls?
    let style: Style

    /// At most `size.rows` lines of at most `size.columns` characters, colours not counted.
    func lines(in size: Screen.Size) -> [String] { page(in: size).lines }

    /// The screen for a terminal of that size.
    ///
    /// The head comes first, then partitions, sensors, alarms and the keys. If there is too little room, sensors are left
    /// out first, then partitions; the newest alarms stay.
    func page(in size: Screen.Size) -> Page {
        let model = model.filtered(by: controls?.filter ?? "")
        let rows = size.rows - (controls == nil ? 0 : 1)
        let head = self.head(size.columns)
        var list = GetAlarms.table(model.fleet.alarms)
        list.expendable = ["LASTED", "LIMIT", "CHANNEL"]
        var alarms = section(list, size.columns)
        if alarms.count > Self.alarmsMax + 2, alarms.count > rows / 3 {
            alarms.removeLast(alarms.count - max(Self.alarmsMax + 2, rows / 3))
        }
        var partitions = section(PartitionStatus.table(model.partitions), size.columns)
        let sensors = section(Self.table(model.fleet.sensors), size.columns)
        let room = max(0, rows - head.count - alarms.count)
        partitions = partitions.cut(to: max(room / 2, room - sensors.count))
        let visible = max(0, min(sensors.count, room - partitions.count) - 2)
        let count = model.fleet.sensors.count
        let offset = min(controls?.offset ?? 0, max(0, count - visible))
        let shown: [String] =
            visible == 0 ? [] : Array(sensors.prefix(2)) + Array(sensors.dropFirst(2 + offset).prefix(visible))
        var lines = head + partitions
        lines += shown + alarms
        lines = Array(lines.prefix(max(0, rows)))
        if let controls {
            // The keys stand in the last line.
            lines += Array(repeating: "", count: max(0, rows - lines.count))
            lines.append(Self.footer(controls, first: offset, visible: visible, of: count))
        }
        return Page(
            lines: lines.prefix(size.rows).map { $0.clipped(to: size.columns) }, visible: visible, count: count)
    }

    /// The line that names the keys: "q quit  1-14 of 40  ↑↓ PgUp PgDn scroll  / filter".
    private static func footer(_ controls: TopControls, first: Int, visible: Int, of count: Int) -> String {
        if controls.isTyping { return "filter: \(controls.filter)_  Enter keep  Esc clear" }
        let last = min(count, first + visible)
        let range = count == 0 ? "no sensors" : "\(min(first + 1, last))-\(last) of \(count)"
        let filter = controls.filter.isEmpty ? "/ filter" : "/ filter: \(controls.filter)  Esc clear"
        return "q quit  \(range)  ↑↓ PgUp PgDn scroll  \(filter)"
    }

    /// An empty line, the titles and the rows; no lines if the table has no rows.
    private func section(_ table: Table, _ width: Int) -> [String] {
        guard !table.rows.isEmpty else { return [] }
        var style = style
        style.width = width
        return [""] + table.text(wide: false, style).split(separator: "\n").map { String($0) }
    }

    private func head(_ width: Int) -> [String] {
        let fleet = model.fleet
        let alarms = style.paint("\(fleet.activeAlarms) active", fleet.activeAlarms > 0 ? .bad : .plain)
        let rate = model.framesPerSecond.map { "\(Int64($0.rounded()).grouped) frames/s stored" } ?? "frames/s: -"
        let data = [
            "data      \(rate), \(fleet.frames.grouped) in all",
            "\(Int64(clamped: fleet.samplesPerSecond).grouped) samples/s nominal",
        ]
        var lines = ["\(fleet.at.short) UTC   \(fleet.sensorCount.grouped) sensors   alarms \(alarms)"]
        let joined = data.joined(separator: "; ")
        lines += joined.count <= width ? [joined] : [data[0], "          \(data[1])"]
        lines += ["state     " + counts(fleet.states), "presence  " + counts(fleet.presences)]
        if let trouble = model.trouble { lines.append(style.paint(trouble.printable, .bad)) }
        return lines
    }

    private func counts(_ counts: [String: Int64]) -> String {
        if counts.isEmpty { return "-" }
        return counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
            .map { "\($0.value.grouped) \(style.paint($0.key.printable, Tone(word: $0.key)))" }.joined(separator: "  ")
    }

    private static func table(_ sensors: [FleetSnapshot.Load]) -> Table {
        Table(
            columns: [
                .name("SENSOR"), .long("KIND"), .text("STATE"), .text("PRESENCE"), .number("SAMPLES/S"),
                .number("AGE"), .number("ALARMS"),
            ], expendable: ["KIND", "AGE", "PRESENCE", "SAMPLES/S", "STATE"],
            rows: sensors.map {
                [
                    Cell($0.serial), Cell($0.kind), Cell(word: $0.state), Cell(word: $0.presence),
                    Cell($0.samplesPerSecond.short), Cell($0.lastValueAge?.short),
                    Cell(String($0.activeAlarms), $0.activeAlarms > 0 ? .bad : .plain),
                ]
            })
    }
}

extension [String] {
    /// At most `count` lines; if some are left out, the last says how many.
    fileprivate func cut(to count: Int) -> [String] {
        if self.count <= count { return self }
        // A blank line, the titles and one row are the least that makes sense.
        if count < 4 { return [] }
        return prefix(count - 1) + ["… \(self.count - count + 1) more"]
    }
}
