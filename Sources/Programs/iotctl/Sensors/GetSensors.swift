internal import ArgumentParser
internal import Model
internal import Records
internal import Store

/// `iotctl get sensors [SENSOR…|-l SELECTOR]`
struct GetSensors: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sensors",
        abstract: "Lists sensors with their states, newest values and places.",
        discussion: """
            Examples:
              iotctl get sensors
              iotctl get sensors lab-1 'press-*' -o wide
              iotctl get sensors --sort-by age
              iotctl get sensors lab-1 -w
              iotctl get sensors -l kind=vibration,hall=3,presence!=online -o name
              iotctl get sensors -o json | jq '.[] | select(.state == "asleep").serial'

            SEEN is the time since the newest message of any kind arrived at the broker,
            by the clocks of broker and database. VALUE is the newest value of the first
            channel by name; "+2": two more channels have values, -o wide shows them. AGE
            (-o wide) is the time since the newest value was measured by the sensor's
            clock, or since its arrival if that clock is wrong. PLACE is the name that the
            sensor reports; -o wide adds its position. CLOCK (-o wide) is how far the
            sensor's clock was ahead when its newest frame arrived; a correct clock is
            behind by the frame's transit time.
            """,
        aliases: ["sensor"])

    @Option(
        name: .customLong("sort-by"),
        help: "serial, kind, state, presence, target, place; or largest first: rate, seen, age, clock, dropped.")
    var order = SensorOrder.serial

    @OptionGroup var filter: SensorFilter

    @OptionGroup var watch: WatchOption

    @OptionGroup var output: ListOptions

    func validate() throws { try watch.check(output, ["--sort-by": order != .serial]) }

    /// Prints the sensors. If a named sensor does not exist, stderr names it and the exit code is 2.
    func run() async throws {
        if watch.isOn { return try await showChanges(WatchSensors.self, filter, output) }
        try await perform {
            let store = try Connections().store()
            var serials: [String]?
            var unknown: [String] = []
            if filter.words.isEmpty {
                serials = try await filter.serials(in: store)
            } else {
                let named = try await store.sensors(named: filter.words)
                (serials, unknown) = (named.serials, named.unknown)
            }
            if output.format == .names, order == .serial {
                if serials == nil { serials = try await store.serials(countMax: .max) }
                try output.show(names: (serials ?? []).sorted())
            } else if unknown.isEmpty || serials?.isEmpty == false {
                let extent = output.isFull || order.needsAll ? SensorSummary.Extent.full : .brief
                let sensors = order.sorted(try await store.sensorSummaries(serials, extent))
                try output.show(sensors, name: \.serial, view: { SensorView($0) }) { Self.table(sensors, wide: $0) }
                if sensors.isEmpty { Talk.sayOnTerminal("no sensors yet") }
            }
            if !unknown.isEmpty { throw try await store.notFound(unknown) }
        }
    }

    static func table(_ sensors: [SensorSummary], wide: Bool) -> Table {
        if wide { return wideTable(sensors) }
        return Table(
            columns: columns, expendable: ["PLACE", "KIND", "RATE", "PRESENCE", "SEEN", "STATE"],
            rows: sensors.map { cells($0, $0.valueText, $0.place) })
    }

    private static let columns: [Table.Column] = [
        .name("SERIAL"), .text("KIND"), .text("STATE"), .text("PRESENCE"), .number("RATE"), .number("SEEN"),
        .text("VALUE"), .long("PLACE"),
    ]

    private static func cells(_ sensor: SensorSummary, _ value: String?, _ place: String?) -> [Cell] {
        [
            Cell(sensor.serial), Cell(sensor.kind), Cell(word: sensor.state), Cell(word: sensor.presence),
            Cell(sensor.rate?.short), Cell(sensor.lastSeenAge?.short), Cell(value), Cell(place),
        ]
    }

    private static func wideTable(_ sensors: [SensorSummary]) -> Table {
        Table(
            columns: columns + [
                .number("AGE"), .text("POSITION"), .text("FIRMWARE"), .text("TARGET"), .text("TAGS"), .number("BOOT"),
                .number("DROPPED"), .number("CLOCK"),
            ],
            rows: sensors.map {
                cells($0, $0.valuesText, $0.place) + [
                    Cell($0.lastValueAge?.short), Cell($0.position?.short), Cell($0.firmware), Cell($0.target),
                    Cell($0.tagsText), Cell($0.boot.map { "\($0)" }), Cell($0.framesDropped.map { "\($0)" }),
                    $0.clockCell,
                ]
            })
    }
}
