internal import ArgumentParser
internal import Broker
internal import Pipelines
internal import Sensors
internal import Store
internal import Wire

/// `iotctl watch commands [SENSOR…]`
struct WatchCommands: AsyncParsableCommand {
    /// Help.
    static let configuration = CommandConfiguration(
        commandName: "commands",
        abstract: "Shows commands and sensors' answers as they pass the broker, one line each. Times are UTC.",
        discussion: """
            Examples:
              iotctl watch commands
              iotctl watch commands lab-1 -C 3 -W 30s
              iotctl watch commands -o json | jq 'select(.event == "failed")'

            Events: queued, sent_again (by the registry), delivered, succeeded, failed,
            rejected, expired. What only the database knows, like a cancellation, is in
            get commands. Ctrl-C ends with 0, or with 1 if -C was not reached.
            """,
        aliases: ["command"])

    /// Whose.
    @Argument(help: ArgumentHelp("Serial numbers; all if none is given.", valueName: "sensor"), completion: .sensors)
    var serials: [String] = []

    /// How many, how long, how.
    @OptionGroup var live: LiveOptions

    /// Shows them.
    func run() async throws {
        try await perform {
            let connections = try Connections()
            var keys = ["*.commands.#", "*.acks"]
            if !serials.isEmpty {
                let store = connections.store()
                let asked = try await store.require(serials).compactMap { SerialNumber($0) }
                await store.close()
                keys = asked.flatMap { [Routing.key($0, .command("#")), Routing.key($0, .acks)] }
            }
            try await live.follow(keys, over: connections, lengthMax: 100_000, state: CommandWatch()) {
                delivery, watch in
                let (serial, subject) = try Routing.parse(key: delivery.key)
                var event: CommandEvent?
                switch subject {
                case .command:
                    event = watch.note(unsafe try CommandCodec.decode(delivery.body.span.bytes), for: serial.text)
                case .acks:
                    event = watch.note(unsafe try AckCodec.decode(delivery.body.span.bytes), from: serial.text)
                case .data, .registry, .logs, .alarm: break
                }
                return event.map { [Self.line($0, delivery.received)] } ?? []
            }
        }
    }

    private static func line(_ event: CommandEvent, _ at: Timestamp) -> LiveLine {
        let word = event.event + String(repeating: " ", count: max(0, 10 - event.event.count))
        let arguments = event.command.map { object($0.arguments) } ?? .null
        let facts = event.command.map { "\(arguments == .object([]) ? "" : arguments.json + " ")by \($0.issuer)" }
        return LiveLine(
            value: .record([
                "at": .time(at), "id": .text(event.id), "sensor": .text(event.serial), "command": .text(event.name),
                "event": .text(event.event), "reason": .text(event.reason), "arguments": arguments,
                "issuer": .text(event.command?.issuer), "expires_at": .time(event.command?.expires),
            ]),
            cells: [
                Cell(at.short), Cell(String(event.id.prefix(8))), Cell(event.serial),
                Cell(word, Tone(word: event.event)), Cell(event.name),
            ], text: facts ?? event.reason)
    }

    private static func object(_ arguments: [String: Command.Value]) -> Value {
        .object(arguments.sorted { $0.key < $1.key }.map { Value.Field(name: $0.key, value: Value($0.value)) })
    }
}
