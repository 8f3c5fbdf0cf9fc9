internal import ArgumentParser

/// `iotctl watch …`
struct Watch: AsyncParsableCommand {
    /// Help and subcommands.
    static let configuration = CommandConfiguration(
        commandName: "watch",
        abstract: "Shows changes as they come.",
        discussion: """
            Examples:
              iotctl watch alarms
              iotctl watch sensors lab-1
              iotctl watch commands
            """,
        subcommands: [WatchAlarms.self, WatchSensors.self, WatchCommands.self])
}
