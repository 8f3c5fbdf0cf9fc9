internal import ArgumentParser
internal import Broker
internal import Messaging
internal import Model
internal import Postgres
internal import Records
internal import Service
internal import Store
internal import Time
internal import Wire

/// `iotctl logs SENSOR…|-l SELECTOR`
struct Logs: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs",
        abstract: "Shows the logs of sensors, the oldest line first. Times are UTC.",
        discussion: """
            Examples:
              iotctl logs lab-1
              iotctl logs lab-1 'press-*' --since 1h --level warning
              iotctl logs -l hall=3 -f
              iotctl logs lab-1 -f --limit 0 -C 1 -W 30s
              iotctl logs lab-1 -o json | jq -r '.[].text'

            Of several sensors each line begins with the serial number, and --limit counts
            the lines of all. Globs and selectors are resolved once, at the start.
            With -f, -C and -W count stored lines too; -W has no effect without -f. Ctrl-C
            ends with 0, or with 1 if -C was not reached.
            """)

    /// Times at which the table is read: at once, and again when lines that were in flight at the start are stored.
    private static let looks: [Duration] = [.zero, .seconds(2)]

    @OptionGroup var filter: SensorFilter

    @Option(parsing: .unconditional, help: ArgumentHelp("Only lines since then: 1h, or a date.", valueName: "time"))
    var since: Timestamp?

    @Option(help: "Only lines of this level or above: debug, info, warning or error.", transform: Logs.level)
    var level = LogLine.Level.debug

    @Option(help: ArgumentHelp("Only the newest stored lines, at most this many.", valueName: "count"))
    var limit = 100

    @Flag(name: [.customShort("f"), .customLong("follow")], help: "Continue with new lines as they arrive.")
    var follows = false

    @OptionGroup var live: LiveOptions

    func validate() throws {
        if filter.isEmpty { throw ValidationError("which sensors? give serial numbers or -l SELECTOR") }
        guard limit > 0 || (limit == 0 && follows) else {
            throw ValidationError("--limit must be more than 0, or 0 with -f")
        }
        if let since, since.age <= .zero { throw ValidationError("--since is not in the past: \(since)") }
    }

    func run() async throws {
        try await perform {
            let connections = try Connections()
            let store = connections.store()
            let serials = (try await filter.subscribed(in: store) ?? []).map(\.text)
            let wanted = LogFilter(
                serials: serials, within: since?.age, levelMin: level,
                countMax: live.count.map { min($0, limit) } ?? limit)
            if follows { return try await follow(wanted, store, connections) }
            let records = try await store.logs(wanted)
            let column = SerialColumn(serials)
            try live.output.show(records.map(LogLineView.init)) { _, style in
                records.map { $0.line(column).line(style) + "\n" }.joined()
            }
            if records.isEmpty { Talk.sayOnTerminal("no log lines") }
            if records.count == wanted.countMax {
                Talk.say("only the newest \(records.count) are listed; --limit shows more")
            }
        }
    }

    private func follow(_ wanted: LogFilter, _ store: StoreConnection, _ connections: Connections) async throws {
        let column = SerialColumn(wanted.serials)
        let look = LiveOptions.Look<LogMemory>(times: wanted.countMax > 0 ? Self.looks : []) { memory in
            memory.news(ofStored: try await store.logs(wanted)).map { $0.line(column) }
        }
        let levelMin = level
        let keys = wanted.serials.compactMap { SerialNumber($0) }.map { Routing.key($0, .logs) }
        try await live.follow(keys, over: connections, lengthMax: 10_000, state: LogMemory(), look: look) {
            delivery, memory in
            let serial = try Routing.parse(key: delivery.key).serial.text
            let line = unsafe try LogLineCodec.decode(delivery.body.span.bytes)
            guard memory.isNew(line, from: serial, received: delivery.received),
                line.level.rawValue >= levelMin.rawValue
            else { return [] }
            let record = LogRecord(
                time: line.at ?? delivery.received, receivedAt: delivery.received, serial: serial, boot: line.boot,
                level: line.level, text: line.text)
            return [record.line(column)]
        }
    }

    /// Parses a level.
    /// - Throws: `ValidationError` for an unknown level; it proposes a similar one.
    static func level(_ word: String) throws -> LogLine.Level {
        let levels = LogLine.Level.allCases
        if let level = levels.first(where: { "\($0)" == word }) { return level }
        let names = levels.map { "\($0)" }
        let proposal = DidYouMean.proposals(for: word, among: names).first
        throw ValidationError(
            proposal.map { "did you mean \($0)?" } ?? "expected one of \(names.joined(separator: ", "))")
    }
}

/// The serial number at the beginning of each line, where the lines are of several sensors.
struct SerialColumn: Sendable {
    /// The width in characters; nil if there is one sensor, whose lines have no such column.
    let width: Int?

    /// The column for lines of these sensors.
    init(_ serials: [String]) { width = serials.count > 1 ? serials.map(\.count).max() : nil }

    /// The cells that a line of this sensor begins with.
    func cells(_ serial: String) -> [Cell] {
        guard let width else { return [] }
        return [Cell(serial + String(repeating: " ", count: max(0, width - serial.count)))]
    }
}

extension LogRecord {
    /// The line for people: "2026-11-21 09:30:00.123  warning  …", of several sensors "lab-1  2026-…".
    func line(_ column: SerialColumn) -> LiveLine {
        let word = "\(level)"
        return LiveLine(
            view: LogLineView(self),
            cells: column.cells(serial) + [
                Cell(time?.precise),
                Cell(word + String(repeating: " ", count: max(0, 7 - word.count)), Tone(word: word)),
            ], text: text)
    }
}
