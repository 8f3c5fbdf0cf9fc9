internal import ArgumentParser
internal import Broker
internal import Messaging
internal import Model
internal import Postgres
internal import Records
internal import Store
internal import Time
internal import Wire

/// `iotctl watch sensors [SENSOR…|-l SELECTOR]`
struct WatchSensors: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sensors",
        abstract: "Shows the state of sensors, then changes as they are announced. Times are UTC.",
        discussion: """
            Examples:
              iotctl watch sensors
              iotctl watch sensors lab-1 'press-*'
              iotctl watch sensors lab-1 -C 1 -W 60s
              iotctl watch sensors -o json | jq 'select(.property == "presence")'

            The state at the start is one line a sensor (with -o json one a property, with
            null as before), and -C does not count it. Then changes of boot_id (the sensor
            restarted), presence, state, rate_hz, kind, firmware, frames_dropped
            and other reported properties, like reported.location.name. Presence becomes
            lost when the connection breaks; get sensors shows offline some time later, if
            the sensor does not return. Ctrl-C ends with 0, or with 1 if -C was not
            reached.
            """,
        aliases: ["sensor"])

    @OptionGroup var filter: SensorFilter

    @OptionGroup var watch: WatchOptions

    func run() async throws {
        try await perform {
            let connections = try Connections()
            let store = connections.store()
            let asked = try await filter.subscribed(in: store)
            let keys = asked?.map { Routing.key($0, .registry) } ?? ["*.registry"]
            try await watch.follow(
                keys, over: connections, lengthMax: 100_000, state: SensorWatch([]), isStateNeeded: true,
                present: { known in
                    let summaries = try await store.sensorSummaries(asked?.map(\.text))
                    await store.close()
                    known = SensorWatch(summaries)
                    return summaries.map(Self.line) + known.present.map { Self.value($0, .now) }
                },
                { delivery, known in
                    let (serial, subject) = try Routing.parse(key: delivery.key)
                    guard subject == .registry else { return [] }
                    let announcement = unsafe try AnnouncementCodec.decode(delivery.body.span.bytes)
                    return known.note(announcement, from: serial.text).map { Self.line($0, delivery.received) }
                })
        }
    }

    /// The line for people of a sensor's state: "2026-11-21 09:30:00  lab-1  online  awake  1000 Hz  vibration".
    private static func line(_ sensor: SensorSummary) -> LiveLine {
        LiveLine(
            view: nil,
            cells: [
                Cell(Timestamp.now.short), Cell(sensor.serial), Cell(word: sensor.presence), Cell(word: sensor.state),
                Cell(sensor.rate?.short), Cell(sensor.kind),
            ], text: "")
    }

    /// The value for JSON of one property of the state.
    private static func value(_ change: SensorChange, _ at: Timestamp) -> LiveLine {
        LiveLine(view: view(change, at), cells: [], text: "")
    }

    private static func view(_ change: SensorChange, _ at: Timestamp) -> SensorEventView {
        SensorEventView(
            at: at, sensor: change.serial, property: change.property, before: change.before, after: change.after)
    }

    private static func line(_ change: SensorChange, _ at: Timestamp) -> LiveLine {
        LiveLine(
            view: view(change, at),
            cells: [
                Cell(at.short), Cell(change.serial), Cell(change.property),
                Cell("\(change.before == .null ? "?" : change.before.plain) →"),
                Cell(change.after.plain, Tone(word: change.after.plain)),
            ], text: "")
    }
}
