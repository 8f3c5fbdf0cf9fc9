internal import ArgumentParser

/// `iotctl command …`
struct CommandVerb: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "command",
        abstract: "Cancels commands.",
        discussion: """
            Examples:
              iotctl command cancel 6fa459ea
            """,
        subcommands: [CommandCancel.self])
}
