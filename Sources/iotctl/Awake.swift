internal import ArgumentParser
internal import Sensors

/// `iotctl awake SENSOR…|-l SELECTOR|--all`
struct Awake: AsyncParsableCommand {
    /// Help.
    static let configuration = CommandConfiguration(
        commandName: "awake",
        abstract: "Asks sensors to sample again.",
        discussion: """
            Examples:
              iotctl awake lab-1
              iotctl awake lab-1 lab-2 -o json
              iotctl awake field-7 --wait none --expires 24h
              iotctl awake -l state=asleep,target=press-1 --yes
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
        try await perform { try await options.send(Command.Name.awake, to: sensors) }
    }
}
