internal import ArgumentParser

/// `iotctl delete …`
struct Delete: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete",
        abstract: "Deletes sensors, with their histories or without.",
        discussion: """
            Examples:
              iotctl delete sensor lab-1
              iotctl delete sensor 'test-*' --with-history
            """,
        subcommands: [DeleteSensors.self])
}
