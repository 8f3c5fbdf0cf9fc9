internal import ArgumentParser

/// `iotctl rename …`
struct Rename: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rename",
        abstract: "Gives a sensor another serial number.",
        discussion: """
            Examples:
              iotctl rename sensor lab-1 press-4
            """,
        subcommands: [RenameSensor.self])
}
