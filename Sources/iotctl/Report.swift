internal import ArgumentParser

/// `iotctl report …`
struct Report: AsyncParsableCommand {
    /// Help and subcommands.
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Says how something stands, in plain words and in figures.",
        discussion: """
            Examples:
              iotctl report storage
              iotctl report storage -o json | jq .days_left
            """,
        subcommands: [ReportStorage.self])
}
