internal import ArgumentParser
internal import Records
internal import Store

/// `iotctl get targets`
struct GetTargets: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "targets",
        abstract: "Lists machines that carry sensors, with the states of their sensors.",
        discussion: """
            Examples:
              iotctl get targets
              iotctl get targets -o name
              iotctl get targets -o json | jq '.[] | select(.active_alarms > 0).name'
            """,
        aliases: ["target"])

    @OptionGroup var output: ListOptions

    func run() async throws {
        try await perform {
            let targets = try await Connections().store().targetSummaries()
            try output.show(targets, name: \.name, view: { TargetView($0) }) { _ in Self.table(targets) }
            if targets.isEmpty { Talk.sayOnTerminal("no targets") }
        }
    }

    private static func table(_ targets: [TargetSummary]) -> Table {
        Table(
            columns: [
                .name("NAME"), .number("SENSORS"), .number("AWAKE"), .number("ONLINE"), .number("ALARMS"),
                .long("DESCRIPTION"),
            ], expendable: ["DESCRIPTION", "AWAKE"],
            rows: targets.map {
                [
                    Cell($0.name), Cell(String($0.sensors)), Cell(String($0.awake)),
                    Cell(String($0.online), $0.online < $0.sensors ? .doubtful : .plain),
                    Cell(String($0.activeAlarms), $0.activeAlarms > 0 ? .bad : .plain), Cell($0.description),
                ]
            })
    }
}
