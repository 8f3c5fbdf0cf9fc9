internal import ArgumentParser
internal import Store

/// `iotctl target assign TARGET SENSOR…|-l SELECTOR|--all`
struct TargetAssign: AsyncParsableCommand {
    /// Help.
    static let configuration = CommandConfiguration(
        commandName: "assign",
        abstract: "Puts sensors on a machine; they leave the one they were on.",
        discussion: """
            Examples:
              iotctl target assign press-1 lab-1 lab-2
              iotctl target assign press-1 -l 'serial=press-1-*' --dry-run
            """)

    /// Where.
    @Argument(help: "The machine's name.", completion: .targets)
    var target: String

    /// Which.
    @Argument(help: ArgumentHelp("Serial numbers.", valueName: "sensor"), completion: .sensors)
    var sensors: [String] = []

    /// Which, if they are not named.
    @OptionGroup var selection: SensorSelection

    /// How to print.
    @OptionGroup var output: OutputOptions

    /// Refuses none, and several ways to say which.
    func validate() throws { try selection.check(sensors) }

    /// Puts them there.
    func run() async throws {
        try await perform {
            let store = try Connections().store()
            let serials = try await selection.serials(sensors, in: store)
            if !selection.dryRun { try selection.confirm(serials.count, "put \(serials.count.sensors) on \(target)") }
            guard let moved = try await store.assign(serials, toTarget: target, dryRun: selection.dryRun) else {
                throw try await Target.notFound(target, in: store)
            }
            try Target.show(serials, moved, on: target, output)
            if selection.dryRun { Talk.say("dry run: \(moved.count.sensors) would move, nothing was done") }
        }
    }
}
