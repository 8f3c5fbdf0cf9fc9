internal import ArgumentParser

/// `iotctl report …`
struct Report: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Reports on the system in words and figures.",
        discussion: """
            Examples:
              iotctl report storage
              iotctl report storage -o json | jq .days_left
            """,
        subcommands: [ReportStorage.self])
}
