internal import ArgumentParser
internal import Model

/// `iotctl awake SENSOR…|-l SELECTOR|--all`
struct Awake: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "awake",
        abstract: "Resumes the sampling of sensors.",
        usage: """
            iotctl awake <sensor> ... [<options>]
            iotctl awake -l <selector>|--all [<options>]
            """,
        discussion: """
            Examples:
              iotctl awake lab-1
              iotctl awake lab-1 lab-2 -o json
              iotctl awake field-7 --wait none --expires 24h
              iotctl awake -l state=asleep,target=press-1 --yes

            iotctl sleep --help explains how iotctl waits for sensors that are offline.
            """)

    @Argument(help: ArgumentHelp("Serial numbers or globs.", valueName: "sensor"), completion: .sensors)
    var sensors: [String] = []

    @OptionGroup var options: CommandOptions

    func validate() throws { try options.selection.check(sensors) }

    func run() async throws {
        try await perform { try await options.send(Command.Name.awake, to: sensors) }
    }
}
