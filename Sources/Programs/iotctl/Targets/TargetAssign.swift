internal import ArgumentParser
internal import Store

/// `iotctl target assign TARGET SENSOR…|-l SELECTOR|--all`
struct TargetAssign: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "assign",
        abstract: "Assigns sensors to a target. A sensor has at most one target.",
        usage: """
            iotctl target assign <target> <sensor> ... [<options>]
            iotctl target assign <target> -l <selector>|--all [<options>]
            """,
        discussion: """
            Examples:
              iotctl target assign press-1 lab-1 lab-2
              iotctl target assign press-1 -l 'serial=press-1-*' --dry-run
            """)

    @Argument(help: "The target's name.", completion: .targets)
    var target: String

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
                try selection.confirm(serials.count, "assign \(serials.count.sensors) to \(target)")
            }
            guard let moved = try await store.assign(serials, toTarget: target, dryRun: selection.dryRun) else {
                throw try await Target.notFound(target, in: store)
            }
            try Target.show(serials, moved, on: target, output)
            if selection.dryRun { Talk.say("dry run: \(moved.count.sensors) would move; nothing was changed") }
        }
    }
}
