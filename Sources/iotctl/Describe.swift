internal import ArgumentParser

/// `iotctl describe …`
struct Describe: AsyncParsableCommand {
    /// Help and subcommands.
    static let configuration = CommandConfiguration(
        commandName: "describe",
        abstract: "Shows all that is known of one thing.",
        discussion: """
            Examples:
              iotctl describe sensor lab-1
              iotctl describe command 6fa459ea
              iotctl describe target press-4
            """,
        subcommands: [DescribeSensor.self, DescribeCommand.self, DescribeTarget.self])
}
