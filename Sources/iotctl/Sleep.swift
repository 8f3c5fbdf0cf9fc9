internal import ArgumentParser
internal import Sensors

/// `iotctl sleep SENSOR…|-l SELECTOR|--all`
struct Sleep: AsyncParsableCommand {
    /// Help.
    static let configuration = CommandConfiguration(
        commandName: "sleep",
        abstract: "Asks sensors to stop sampling; they stay connected.",
        discussion: """
            Examples:
              iotctl sleep lab-1
              iotctl sleep lab-1 lab-2 --wait delivered --timeout 5s
              iotctl sleep field-7 --wait none --expires 24h
              iotctl sleep -l kind=vibration,hall=3 --dry-run
              iotctl sleep --all --max-per-minute 600 --abort-if-failed 5%
            """)

    /// Which.
    @Argument(help: ArgumentHelp("Serial numbers.", valueName: "sensor"), completion: .sensors)
    var sensors: [String] = []

    /// What all such commands have.
    @OptionGroup var options: CommandOptions

    /// Refuses none, and several ways to say which.
    func validate() throws { try options.selection.check(sensors) }

    /// Asks them.
    func run() async throws {
        try await perform { try await options.send(Command.Name.sleep, to: sensors) }
    }
}
