internal import ArgumentParser
internal import Broker
internal import Pipelines
internal import Sensors
internal import Store
internal import Wire

/// `iotctl watch sensors [SENSOR…]`
struct WatchSensors: AsyncParsableCommand {
    /// Help.
    static let configuration = CommandConfiguration(
        commandName: "sensors",
        abstract: "Shows what changes of sensors as they announce it, one line each. Times are UTC.",
        discussion: """
            Examples:
              iotctl watch sensors
              iotctl watch sensors lab-1 lab-2
              iotctl watch sensors lab-1 -C 1 -W 60s
              iotctl watch sensors -o json | jq 'select(.property == "presence")'

            Told are boot_id (it began anew), presence, state, rate_hz, kind, firmware,
            frames_dropped and what else it reports, like reported.location.name. Presence
            becomes lost when the connection breaks; get sensors says offline some time
            later, if it does not come back.
            Ctrl-C ends with 0, or with 1 if -C was not reached.
            """,
        aliases: ["sensor"])

    /// Which.
    @Argument(help: ArgumentHelp("Serial numbers; all if none is given.", valueName: "sensor"), completion: .sensors)
    var serials: [String] = []

    /// How many, how long, how.
    @OptionGroup var live: LiveOptions

    /// Shows them.
    func run() async throws {
        try await perform {
            let connections = try Connections()
            let store = connections.store()
            let asked = try await serials.isEmpty ? nil : store.require(serials)
            let watch = SensorWatch(try await store.sensorSummaries(asked))
            await store.close()
            let keys = asked?.compactMap { SerialNumber($0) }.map { Routing.key($0, .registry) } ?? ["*.registry"]
            try await live.follow(keys, over: connections, lengthMax: 100_000, state: watch) { delivery, watch in
                let (serial, subject) = try Routing.parse(key: delivery.key)
                guard subject == .registry else { return [] }
                let announcement = unsafe try AnnouncementCodec.decode(delivery.body.span.bytes)
                return watch.note(announcement, from: serial.text).map { Self.line($0, delivery.received) }
            }
        }
    }

    private static func line(_ change: SensorChange, _ at: Timestamp) -> LiveLine {
        LiveLine(
            value: .record([
                "at": .time(at), "sensor": .text(change.serial), "property": .text(change.property),
                "before": change.before, "after": change.after,
            ]),
            cells: [
                Cell(at.short), Cell(change.serial), Cell(change.property),
                Cell("\(change.before == .null ? "?" : change.before.plain) →"),
                Cell(change.after.plain, Tone(word: change.after.plain)),
            ], text: "")
    }
}
