internal import ArgumentParser
internal import Pipelines
internal import Sensors
internal import Store

/// `iotctl get sensors [SERIAL…|-l SELECTOR]`
struct GetSensors: AsyncParsableCommand {
    /// Help.
    static let configuration = CommandConfiguration(
        commandName: "sensors",
        abstract: "Lists sensors: what they are, what they do, when they were last heard.",
        discussion: """
            Examples:
              iotctl get sensors
              iotctl get sensors lab-1 lab-2 -o wide
              iotctl get sensors --sort-by value
              iotctl get sensors -l kind=vibration,hall=3,presence!=online
              iotctl get sensors -o json | jq '.[] | select(.presence == "offline").serial'

            SEEN is the age of the newest announcement, VALUE that of the newest stored value.
            CLOCK (-o wide) is how far the sensor's clock was ahead when its newest frame
            arrived; a right one is behind by as long as the frame took.
            """,
        aliases: ["sensor"])

    /// In which order.
    @Option(
        name: .customLong("sort-by"),
        help: "serial, kind, state, presence, target; or the largest first: rate, seen, value, clock, dropped.")
    var order = SensorOrder.serial

    /// Which.
    @Argument(help: ArgumentHelp("Serial numbers; all if none is given.", valueName: "serial"), completion: .sensors)
    var serials: [String] = []

    /// Those that it means.
    @Option(
        name: [.customShort("l"), .customLong("selector")],
        help: ArgumentHelp("Only those that this fits: kind=vibration,hall=3.", valueName: "selector"),
        transform: SensorSelector.read)
    var selector: SensorSelector?

    /// How to print.
    @OptionGroup var output: OutputOptions

    /// Refuses two ways to say which.
    func validate() throws {
        guard serials.isEmpty || selector == nil else { throw ValidationError("give serial numbers or -l, not both") }
    }

    /// Prints them. Those that there are not are named on stderr, and the exit code is 2.
    func run() async throws {
        try await perform {
            let store = try Connections().store()
            var wanted = serials.isEmpty ? nil : serials
            if let selector {
                wanted = try await store.serials(matching: selector)
                if wanted?.isEmpty == true { throw Failure(ExitStatus.notFound, "no sensor fits the selector") }
            }
            let sensors = try await store.sensorSummaries(wanted)
            let unknown = serials.filter { word in !sensors.contains { $0.serial == word } }
            if unknown.isEmpty || !sensors.isEmpty {
                let ordered = order.sorted(sensors)
                try output.show(.list(ordered.map(\.record))) { wide, style in
                    Self.table(ordered).text(wide: wide, style)
                }
            }
            if !unknown.isEmpty { throw try await store.notFound(unknown) }
            if sensors.isEmpty {
                Talk.sayOnTerminal(selector == nil ? "no sensors yet" : "no sensor fits the selector")
            }
        }
    }

    private static func table(_ sensors: [SensorSummary]) -> Table {
        Table(
            columns: [
                .text("SERIAL"), .text("KIND"), .text("STATE"), .text("PRESENCE"), .number("RATE"), .number("SEEN"),
                .number("VALUE"), .wide("FIRMWARE"), .wide("TARGET"), .wide("TAGS"), .wideNumber("BOOT"),
                .wideNumber("DROPPED"), .wideNumber("CLOCK"),
            ],
            rows: sensors.map {
                [
                    Cell($0.serial), Cell($0.kind), Cell(word: $0.state), Cell(word: $0.presence),
                    Cell($0.rate?.short), Cell($0.lastSeenAge?.short), Cell($0.lastValueAge?.short),
                    Cell($0.firmware), Cell($0.target), Cell($0.tagsText), Cell($0.boot.map { "\($0)" }),
                    Cell($0.framesDropped.map { "\($0)" }), $0.clockCell,
                ]
            })
    }
}
