internal import ArgumentParser

/// `iotctl wait …`
struct Wait: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wait",
        abstract: "Waits for a condition of sensors or a command.",
        discussion: """
            Examples:
              iotctl wait sensor lab-1 --for state=awake --timeout 10s
              iotctl wait command 6fa459ea --for done
            """,
        subcommands: [WaitSensor.self, WaitCommand.self])

    /// Time between two queries of the database.
    static let interval: Duration = .milliseconds(200)
}
