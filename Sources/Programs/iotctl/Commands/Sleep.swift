internal import ArgumentParser
internal import Model

/// `iotctl sleep SENSOR…|-l SELECTOR|--all`
struct Sleep: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sleep",
        abstract: "Stops the sampling of sensors; they stay connected.",
        usage: """
            iotctl sleep <sensor> ... [<options>]
            iotctl sleep -l <selector>|--all [<options>]
            """,
        discussion: """
            Examples:
              iotctl sleep lab-1
              iotctl sleep lab-1 lab-2 --wait delivered --timeout 5s
              iotctl sleep field-7 --wait none --expires 24h
              iotctl sleep -l kind=vibration,hall=3 --dry-run
              iotctl sleep --all --yes --max-per-minute 600 --abort-if-failed 5%

            iotctl waits for the answer of each sensor. It does not wait for a sensor that
            the registry has recorded as offline, unless --wait or --timeout is given: it
            says how long the sensor has been offline and until when the command is kept,
            and reports timed_out. It waits for a sensor that is lost, because it may
            return, until the sensor is offline. With --wait none it reports queued.
            """)

    @Argument(help: ArgumentHelp("Serial numbers or globs.", valueName: "sensor"), completion: .sensors)
    var sensors: [String] = []

    @OptionGroup var options: CommandOptions

    func validate() throws { try options.selection.check(sensors) }

    func run() async throws {
        try await perform { try await options.send(Command.Name.sleep, to: sensors) }
    }
}
