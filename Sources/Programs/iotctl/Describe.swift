internal import ArgumentParser

/// `iotctl describe …`
struct Describe: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "describe",
        abstract: "Shows one sensor, command or target in detail.",
        discussion: """
            Examples:
              iotctl describe sensor lab-1
              iotctl describe command 6fa459ea
              iotctl describe target press-4
            """,
        subcommands: [DescribeSensor.self, DescribeCommand.self, DescribeTarget.self])
}
