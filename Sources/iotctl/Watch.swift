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
            """,
        subcommands: [WatchAlarms.self])
}
