internal import ArgumentParser
internal import Store

/// `iotctl get targets`
struct GetTargets: AsyncParsableCommand {
    /// Help.
    static let configuration = CommandConfiguration(
        commandName: "targets",
        abstract: "Lists machines that carry sensors, and how their sensors are.",
        discussion: """
            Examples:
              iotctl get targets
              iotctl get targets -o json | jq '.[] | select(.active_alarms > 0).name'
            """,
        aliases: ["target"])

    /// How to print.
    @OptionGroup var output: OutputOptions

    /// Prints them.
    func run() async throws {
        try await perform {
            let targets = try await Connections().store().targetSummaries()
            try output.show(.list(targets.map(\.record))) { wide, style in Self.table(targets).text(wide: wide, style) }
            if targets.isEmpty { Talk.sayOnTerminal("no targets") }
        }
    }

    private static func table(_ targets: [TargetSummary]) -> Table {
        Table(
            columns: [
                .text("NAME"), .number("SENSORS"), .number("AWAKE"), .number("ONLINE"), .number("ALARMS"),
                .long("DESCRIPTION"),
            ],
            rows: targets.map {
                [
                    Cell($0.name), Cell(String($0.sensors)), Cell(String($0.awake)),
                    Cell(String($0.online), $0.online < $0.sensors ? .doubtful : .plain),
                    Cell(String($0.activeAlarms), $0.activeAlarms > 0 ? .bad : .plain), Cell($0.description),
                ]
            })
    }
}

extension TargetSummary {
    /// As JSON (docs/iotctl-json.md, "target").
    var record: Value { .object(fields) }

    /// The fields of that.
    var fields: [Value.Field] {
        let record = Value.record([
            "name": .text(name), "description": .text(description), "sensors": .integer(sensors),
            "awake": .integer(awake), "online": .integer(online), "active_alarms": .integer(activeAlarms),
        ])
        guard case .object(let fields) = record else { return [] }
        return fields
    }
}
