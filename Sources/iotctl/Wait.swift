internal import ArgumentParser

/// `iotctl wait …`
struct Wait: AsyncParsableCommand {
    /// Help and subcommands.
    static let configuration = CommandConfiguration(
        commandName: "wait",
        abstract: "Waits until something is so.",
        discussion: """
            Examples:
              iotctl wait sensor lab-1 --for state=awake --timeout 10s
              iotctl wait command 6fa459ea --for done
            """,
        subcommands: [WaitSensor.self, WaitCommand.self])

    /// How often the database is asked.
    static let interval: Duration = .milliseconds(200)
}
