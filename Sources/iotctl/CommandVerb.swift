internal import ArgumentParser

/// `iotctl command …`
struct CommandVerb: AsyncParsableCommand {
    /// Help and subcommands.
    static let configuration = CommandConfiguration(
        commandName: "command",
        abstract: "Takes commands back.",
        discussion: """
            Examples:
              iotctl command cancel 6fa459ea
            """,
        subcommands: [CommandCancel.self])
}
