/// The result of a request to many sensors, for people: counts for each outcome, then the sensors that failed.
struct FleetReport {
    /// The result for one sensor.
    struct Line {
        var sensor: String
        var outcome: String
        /// Severity of the outcome; 0 is success.
        var severity: Int
        /// Duration; nil if the sensor was not asked.
        var milliseconds: Int64?
        /// The reason of a failure; empty otherwise.
        var reason: String
    }

    /// Most failed sensors that are listed without `-o wide`.
    static let linesMax = 20

    /// One line for each sensor.
    var lines: [Line]

    func text(wide: Bool, _ style: Style) -> String {
        let bad = lines.filter { $0.severity > 0 }.sorted { ($1.severity, $0.sensor) < ($0.severity, $1.sensor) }
        let shown = wide ? bad[...] : bad.prefix(Self.linesMax)
        var text = summary.text(wide: wide, style)
        if bad.isEmpty { return text }
        text += "\n" + table(shown).text(wide: wide, style)
        if shown.count < bad.count { text += "\(bad.count - shown.count) more: -o wide shows them\n" }
        return text
    }

    private var summary: Table {
        let outcomes = Dictionary(grouping: lines, by: \.outcome).sorted {
            ($0.value[0].severity, $0.key) < ($1.value[0].severity, $1.key)
        }
        return Table(
            columns: [.text("OUTCOME"), .number("SENSORS"), .number("MEDIAN MS"), .number("MAX MS")],
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
            columns: [.name("SENSOR"), .text("OUTCOME"), .number("MS"), .long("REASON")], expendable: ["MS"],
            rows: lines.map {
                [
                    Cell($0.sensor), Cell(word: $0.outcome), Cell($0.milliseconds.map { "\($0)" }), Cell($0.reason),
                ]
            })
    }
}
