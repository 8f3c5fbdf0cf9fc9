internal import Pipelines

/// What became of many sensors, for people: counts for each outcome, then those that it went wrong with.
struct FleetReport {
    /// What became of one sensor.
    struct Line {
        /// Its serial number.
        var sensor: String
        /// In one word.
        var outcome: String
        /// How bad that is: 0 is good.
        var gravity: Int
        /// How long it took.
        var milliseconds: Int64?
        /// Why it went no further.
        var reason: String
    }

    /// Most lines of sensors without `-o wide`.
    static let linesMax = 20

    /// One for each sensor.
    var lines: [Line]

    /// The tables.
    func text(wide: Bool, _ style: Style) -> String {
        let bad = lines.filter { $0.gravity > 0 }.sorted { ($1.gravity, $0.sensor) < ($0.gravity, $1.sensor) }
        let shown = wide ? bad[...] : bad.prefix(Self.linesMax)
        var text = summary.text(wide: wide, style)
        if bad.isEmpty { return text }
        text += "\n" + table(shown).text(wide: wide, style)
        if shown.count < bad.count { text += "\(bad.count - shown.count) more: -o wide shows them\n" }
        return text
    }

    private var summary: Table {
        let outcomes = Dictionary(grouping: lines, by: \.outcome).sorted {
            ($0.value[0].gravity, $0.key) < ($1.value[0].gravity, $1.key)
        }
        return Table(
            columns: [.text("OUTCOME"), .number("SENSORS"), .number("MEDIAN MS"), .number("MOST MS")],
            rows: outcomes.map { outcome, lines in
                let times = lines.compactMap(\.milliseconds).sorted()
                return [
                    Cell(word: outcome), Cell("\(lines.count)"),
                    Cell(times.isEmpty ? nil : "\(times[times.count / 2])"), Cell(times.last.map { "\($0)" }),
                ]
            })
    }

    private func table(_ lines: ArraySlice<Line>) -> Table {
        Table(
            columns: [.text("SENSOR"), .text("OUTCOME"), .number("MS"), .text("REASON")],
            rows: lines.map {
                [
                    Cell($0.sensor), Cell(word: $0.outcome), Cell($0.milliseconds.map { "\($0)" }), Cell($0.reason),
                ]
            })
    }
}
