internal import ArgumentParser
internal import Broker
internal import Model
internal import Postgres
internal import Records
internal import Store
internal import Wire

/// `iotctl watch alarms [SENSOR…|-l SELECTOR]`
struct WatchAlarms: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "alarms",
        abstract: "Shows active alarms, then alarms as they begin (trigger) and end (clear). Times are UTC.",
        discussion: """
            Examples:
              iotctl watch alarms
              iotctl watch alarms -l hall=3
              iotctl watch alarms -C 1 -W 30s
              iotctl watch alarms -o json | jq 'select(.event == "trigger").text'

            The alarms that are active at the start have the event active, and -C does not
            count them. Ctrl-C ends with 0, or with 1 if -C was not reached.
            """,
        aliases: ["alarm"])

    @OptionGroup var filter: SensorFilter

    @OptionGroup var watch: WatchOptions

    func run() async throws {
        try await perform {
            let connections = try Connections()
            let store = connections.store()
            let asked = try await filter.subscribed(in: store)
            let keys =
                asked?.flatMap { serial in Alarm.Edge.allCases.map { Routing.key(serial, .alarm($0)) } } ?? [
                    "*.alarms.#"
                ]
            try await watch.follow(
                keys, over: connections, lengthMax: 10_000, state: AlarmWatch(),
                present: { known in
                    let active = try await store.alarms(AlarmFilter(activeOnly: true, serials: asked?.map(\.text)))
                    await store.close()
                    known = AlarmWatch(active: active.map(\.id))
                    return active.reversed().map(Self.line)
                },
                { delivery, known in
                    let (sensor, subject) = try Routing.parse(key: delivery.key)
                    guard case .alarm(let edge) = subject else { return [] }
                    let alarm = unsafe try AlarmCodec.decode(delivery.body.span.bytes)
                    guard known.isNew(edge, of: alarm.id) else { return [] }
                    let view = AlarmEventView(alarm, of: sensor, edge)
                    return [Self.line(view, at: alarm.at.short)]
                })
        }
    }

    private static func line(_ alarm: AlarmRecord) -> LiveLine {
        line(AlarmEventView(active: alarm), at: alarm.raisedAt?.short ?? "-")
    }

    private static func line(_ view: AlarmEventView, at time: String) -> LiveLine {
        let word = view.event + String(repeating: " ", count: max(0, 7 - view.event.count))
        let (value, limit) = (view.value?.short ?? "-", view.limitValue?.short ?? "-")
        return LiveLine(
            view: view, cells: [Cell(time), Cell(word, Tone(word: view.event))],
            text: "\(view.sensor)  \(view.rule)  \(value) (limit \(limit))")
    }
}
