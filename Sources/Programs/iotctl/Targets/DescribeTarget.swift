internal import ArgumentParser
internal import Records
internal import Service
internal import Store

/// `iotctl describe target NAME`
struct DescribeTarget: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "target",
        abstract: "Shows a target: its sensors, their newest values and active alarms.",
        discussion: """
            Examples:
              iotctl describe target press-4
              iotctl describe target press-4 -o json | jq '.members[].channels[].value'
            """,
        aliases: ["targets"])

    @Argument(help: "The target's name.", completion: .targets)
    var name: String

    @OptionGroup var output: OutputOptions

    func run() async throws {
        try await perform {
            let store = try Connections().store()
            guard let target = try await store.targetDetail(name) else {
                let names = try await store.targetSummaries().map(\.name)
                let proposals = DidYouMean.proposals(for: name, among: names)
                let hint = proposals.isEmpty ? "" : "; did you mean \(proposals.joined(separator: " or "))?"
                throw Failure(ExitStatus.notFound, "no target \(name)\(hint)")
            }
            try output.show(TargetDetailView(target)) { wide, style in Self.text(target, wide, style) }
        }
    }

    private static func text(_ target: TargetDetail, _ wide: Bool, _ style: Style) -> String {
        let summary = target.summary
        let head =
            "Name:        \(summary.name.printable)\nDescription: \(Cell(summary.description).text)\n"
            + "Sensors:     \(summary.sensors), \(summary.awake) awake, \(summary.online) online\n"
        return head + section("Sensors", sensors(target), wide, style)
            + section("Newest values", values(target), wide, style)
            + section("Active alarms", GetAlarms.table(target.activeAlarms), wide, style)
    }

    private static func section(_ title: String, _ table: Table, _ wide: Bool, _ style: Style) -> String {
        guard !table.rows.isEmpty else { return "\n\(title): none\n" }
        return "\n\(title):\n" + table.text(wide: wide, style, indent: "  ")
    }

    private static func sensors(_ target: TargetDetail) -> Table {
        Table(
            columns: [
                .name("SERIAL"), .text("KIND"), .text("STATE"), .text("PRESENCE"), .number("RATE"), .number("SEEN"),
                .number("AGE"), .wide("TAGS"),
            ], expendable: ["AGE", "KIND", "RATE", "SEEN"],
            rows: target.sensors.map(\.summary).map {
                [
                    Cell($0.serial), Cell($0.kind), Cell(word: $0.state), Cell(word: $0.presence),
                    Cell($0.rate?.short), Cell($0.lastSeenAge?.short), Cell($0.lastValueAge?.short), Cell($0.tagsText),
                ]
            })
    }

    private static func values(_ target: TargetDetail) -> Table {
        Table(
            columns: [
                .name("SERIAL"), .name("CHANNEL"), .number("VALUE"), .text("UNIT"), .number("MIN"), .number("MAX"),
                .number("RMS"), .number("AGE"),
            ], expendable: ["AGE", "MIN", "MAX", "RMS"],
            rows: target.sensors.flatMap { sensor in
                sensor.channels.map {
                    [
                        Cell(sensor.summary.serial), Cell($0.name), Cell($0.value?.short), Cell($0.unit),
                        Cell($0.min?.short), Cell($0.max?.short), Cell($0.rms?.short), Cell($0.age?.short),
                    ]
                }
            })
    }
}
