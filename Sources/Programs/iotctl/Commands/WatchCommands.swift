internal import ArgumentParser
internal import Broker
internal import Messaging
internal import Model
internal import Postgres
internal import Records
internal import Store
internal import Time
internal import Wire

/// `iotctl watch commands [SENSOR…|-l SELECTOR]`
struct WatchCommands: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "commands",
        abstract: "Shows open commands, then commands and answers as they pass the broker. Times are UTC.",
        discussion: """
            Examples:
              iotctl watch commands
              iotctl watch commands lab-1 -C 3 -W 30s
              iotctl watch commands -o json | jq 'select(.event == "failed")'

            Events: queued, sent_again (by the registry), delivered, succeeded, failed,
            rejected, expired. The commands that are queued or delivered at the start come
            first, the oldest first, and -C does not count them. Events that only the
            database records, like a cancellation, are in get commands. Ctrl-C ends with
            0, or with 1 if -C was not reached.
            """,
        aliases: ["command"])

    @OptionGroup var filter: SensorFilter

    @OptionGroup var watch: WatchOptions

    /// The most open commands that are shown at the start; the newest of them.
    private static let openMax = 1000

    func run() async throws {
        try await perform {
            let connections = try Connections()
            let store = connections.store()
            let asked = try await filter.subscribed(in: store)
            let keys =
                asked?.flatMap { [Routing.key($0, .command("#")), Routing.key($0, .acks)] } ?? [
                    "*.commands.#", "*.acks",
                ]
            let open = CommandFilter(
                serials: asked?.map(\.text), states: [.queued, .delivered], countMax: Self.openMax)
            try await watch.follow(
                keys, over: connections, lengthMax: 100_000, state: CommandWatch(),
                present: { known in
                    let commands = try await store.commands(open)
                    await store.close()
                    known.note(open: commands)
                    return commands.reversed().map(Self.line)
                }, Self.lines)
        }
    }

    private static func lines(_ delivery: Delivery, _ watch: inout CommandWatch) throws -> [LiveLine] {
        let (serial, subject) = try Routing.parse(key: delivery.key)
        var event: CommandEvent?
        switch subject {
        case .command:
            event = watch.note(unsafe try CommandCodec.decode(delivery.body.span.bytes), for: serial.text)
        case .acks: event = watch.note(unsafe try AckCodec.decode(delivery.body.span.bytes), from: serial.text)
        case .data, .registry, .logs, .alarm: break
        }
        return event.map { [line($0, delivery.received)] } ?? []
    }

    private static func line(_ event: CommandEvent, _ at: Timestamp) -> LiveLine {
        let view = CommandEventView(
            at: at, id: event.id, sensor: event.serial, name: event.name, event: event.event, reason: event.reason,
            sent: event.command)
        return line(view, at: at.short)
    }

    private static func line(_ command: CommandRecord) -> LiveLine {
        let view = CommandEventView(open: command)
        return line(view, at: view.at?.short ?? "-")
    }

    private static func line(_ view: CommandEventView, at time: String) -> LiveLine {
        let word = view.event + String(repeating: " ", count: max(0, 10 - view.event.count))
        let facts = view.issuer.map { "\(view.arguments.json == "{}" ? "" : view.arguments.json + " ")by \($0)" }
        return LiveLine(
            view: view,
            cells: [
                Cell(time), Cell(String(view.id.prefix(8))), Cell(view.sensor), Cell(word, Tone(word: view.event)),
                Cell(view.command),
            ], text: facts ?? view.reason)
    }
}
