internal import ArgumentParser
internal import Store

/// `iotctl target unassign SENSOR…|-l SELECTOR|--all`
struct TargetUnassign: AsyncParsableCommand {
    /// Help.
    static let configuration = CommandConfiguration(
        commandName: "unassign",
        abstract: "Takes sensors off the machines they are on.",
        discussion: """
            Examples:
              iotctl target unassign lab-1 lab-2
              iotctl target unassign -l target=press-1
            """)

    /// Which.
    @Argument(help: ArgumentHelp("Serial numbers.", valueName: "sensor"), completion: .sensors)
    var sensors: [String] = []

    /// Which, if they are not named.
    @OptionGroup var selection: SensorSelection

    /// How to print.
    @OptionGroup var output: OutputOptions

    /// Refuses none, and several ways to say which.
    func validate() throws { try selection.check(sensors) }

    /// Takes them off.
    func run() async throws {
        try await perform {
            let store = try Connections().store()
            let serials = try await selection.serials(sensors, in: store)
            if !selection.dryRun {
                try selection.confirm(serials.count, "take \(serials.count.sensors) off their machines")
            }
            let moved = try await store.assign(serials, toTarget: nil, dryRun: selection.dryRun) ?? []
            try Target.show(serials, moved, on: nil, output)
            if selection.dryRun { Talk.say("dry run: \(moved.count.sensors) would move, nothing was done") }
        }
    }
}
