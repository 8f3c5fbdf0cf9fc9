internal import ArgumentParser
internal import Store

/// `iotctl target unassign SENSOR…|-l SELECTOR|--all`
struct TargetUnassign: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "unassign",
        abstract: "Removes sensors from their targets.",
        usage: """
            iotctl target unassign <sensor> ... [<options>]
            iotctl target unassign -l <selector>|--all [<options>]
            """,
        discussion: """
            Examples:
              iotctl target unassign lab-1 lab-2
              iotctl target unassign -l target=press-1
            """)

    @Argument(help: ArgumentHelp("Serial numbers or globs.", valueName: "sensor"), completion: .sensors)
    var sensors: [String] = []

    @OptionGroup var selection: SensorSelection

    @OptionGroup var output: OutputOptions

    func validate() throws { try selection.check(sensors) }

    func run() async throws {
        try await perform {
            let store = try Connections().acting(unless: selection.dryRun).store()
            let selection = selection.naming(sensors)
            let serials = try await selection.serials(sensors, in: store)
            if !selection.dryRun {
                try selection.confirm(serials.count, "remove \(serials.count.sensors) from their targets")
            }
            let moved = try await store.assign(serials, toTarget: nil, dryRun: selection.dryRun) ?? []
            try Target.show(serials, moved, on: nil, output)
            if selection.dryRun { Talk.say("dry run: \(moved.count.sensors) would move; nothing was changed") }
        }
    }
}
