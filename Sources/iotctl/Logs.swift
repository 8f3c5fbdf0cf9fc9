internal import ArgumentParser
internal import Broker
internal import Pipelines
internal import Sensors
internal import Store
internal import Wire

/// `iotctl logs SENSOR`
struct Logs: AsyncParsableCommand {
    /// Help.
    static let configuration = CommandConfiguration(
        commandName: "logs",
        abstract: "Shows a sensor's log, the oldest line first. Times are UTC.",
        discussion: """
            Examples:
              iotctl logs lab-1
              iotctl logs lab-1 --since 1h --level warning
              iotctl logs lab-1 -f
              iotctl logs lab-1 -f --limit 0 -C 1 -W 30s
              iotctl logs lab-1 -o json | jq -r '.[].text'

            With -f, -C and -W count stored lines too; -W without -f is no use. Ctrl-C ends
            with 0, or with 1 if -C was not reached.
            """)

    /// When the table is looked at: at once, and when what was on its way into it as we began has arrived.
    private static let looks: [Duration] = [.zero, .seconds(2)]

    /// Whose.
    @Argument(help: "Serial number.", completion: .sensors)
    var sensor: String

    /// Only recent ones.
    @Option(help: "Only lines of this time, e.g. 1h.")
    var since: Duration?

    /// Only grave ones.
    @Option(help: "Only lines as grave as this: debug, info, warning or error.", transform: Logs.level)
    var level = LogLine.Level.debug

    /// Most that are listed.
    @Option(help: ArgumentHelp("The newest stored lines only, at most so many.", valueName: "count"))
    var limit = 100

    /// Go on.
    @Flag(name: [.customShort("f"), .customLong("follow")], help: "Go on with new lines as they come.")
    var follows = false

    /// How many, how long, how.
    @OptionGroup var live: LiveOptions

    /// Refuses what makes no sense.
    func validate() throws {
        guard limit > 0 || (limit == 0 && follows) else {
            throw ValidationError("--limit must be more than 0, or 0 with -f")
        }
        if let since, since <= .zero { throw ValidationError("--since must be more than 0") }
    }

    /// Shows them.
    func run() async throws {
        try await perform {
            let connections = try Connections()
            let store = connections.store()
            guard let serial = SerialNumber(try await store.require([sensor])[0]) else { return }
            let filter = LogFilter(
                serial: sensor, within: since, levelMin: level, countMax: live.count.map { min($0, limit) } ?? limit)
            if follows { return try await follow(serial, filter, store, connections) }
            let records = try await store.logs(filter)
            try live.output.show(.list(records.map(\.value))) { _, style in
                records.map { $0.line.line(style) + "\n" }.joined()
            }
            if records.isEmpty { Talk.sayOnTerminal("no log lines") }
            if records.count == filter.countMax { Talk.say("the newest \(records.count) only; --limit shows more") }
        }
    }

    private func follow(
        _ serial: SerialNumber, _ filter: LogFilter, _ store: StoreConnection, _ connections: Connections
    ) async throws {
        let look = LiveOptions.Look<LogMemory>(times: filter.countMax > 0 ? Self.looks : []) { memory in
            memory.news(ofStored: try await store.logs(filter)).map(\.line)
        }
        let levelMin = level
        try await live.follow(
            [Routing.key(serial, .logs)], over: connections, lengthMax: 10_000, state: LogMemory(), look: look
        ) { delivery, memory in
            let line = unsafe try LogLineCodec.decode(delivery.body.span.bytes)
            guard memory.isNew(line, received: delivery.received), line.level.rawValue >= levelMin.rawValue else {
                return []
            }
            let record = LogRecord(
                time: line.at ?? delivery.received, receivedAt: delivery.received, serial: serial.text,
                boot: line.boot, level: line.level, text: line.text)
            return [record.line]
        }
    }

    /// Reads a level.
    /// - Throws: `ValidationError`, with what may have been meant.
    static func level(_ word: String) throws -> LogLine.Level {
        let levels = LogLine.Level.allCases
        if let level = levels.first(where: { "\($0)" == word }) { return level }
        let names = levels.map { "\($0)" }
        let proposal = DidYouMean.proposals(for: word, among: names).first
        throw ValidationError(proposal.map { "did you mean \($0)?" } ?? "there are \(names.joined(separator: ", "))")
    }
}

extension LogRecord {
    /// As JSON (docs/iotctl-json.md, "log line").
    var value: Value {
        .record([
            "time": .time(time), "received_at": .time(receivedAt), "sensor": .text(serial), "boot_id": .integer(boot),
            "level": .text("\(level)"), "text": .text(text),
        ])
    }

    /// For people: "2026-11-21 09:30:00.123  warning  …".
    var line: LiveLine {
        let word = "\(level)"
        return LiveLine(
            value: value,
            cells: [
                Cell(time?.precise),
                Cell(word + String(repeating: " ", count: max(0, 7 - word.count)), Tone(word: word)),
            ], text: text)
    }
}
