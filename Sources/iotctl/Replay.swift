internal import ArgumentParser
internal import Broker
internal import Foundation
internal import Pipelines
internal import Sensors
internal import Store

/// `iotctl replay`
struct Replay: AsyncParsableCommand {
    /// Help.
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Reads the streams again, into an empty copy of measurement or into SQL of yours.",
        discussion: """
            Examples:
              iotctl replay --from 2h --into again
              iotctl replay --from 2026-11-21T09:00:00Z --to 2026-11-21T10:00:00Z --sensor lab-1 --into again
              iotctl replay --from 7d --sql rebuild.sql
              iotctl replay --from 1h --sql 'INSERT INTO peaks
                SELECT sensor_id, channel, "time", max FROM replay WHERE max > 5'

            --into makes the table if it is not there: a plain one with measurement's columns. It
            must be empty, and is never measurement itself. --sql runs for each batch of messages,
            in the transaction that has put them into a temporary table replay with the same
            columns.

            Times are the broker's stamps of arrival. A frame that was sent twice is written once.
            Only what the streams still have can be read: 7 days, or what fits their size. No
            ingester notices anything.
            """)

    /// The first moment.
    @Option(help: ArgumentHelp("From when on: 2h ago, or 2026-11-21T09:00:00Z.", valueName: "time"))
    var from: Moment

    /// The moment before which it ends.
    @Option(help: ArgumentHelp("Up to when; by default all that is there now.", valueName: "time"))
    var to: Moment?

    /// Whose.
    @Option(
        name: .customLong("sensor"), help: ArgumentHelp("Only this sensor; may be repeated.", valueName: "serial"),
        completion: .sensors)
    var sensors: [String] = []

    /// Where to.
    @Option(help: ArgumentHelp("Write to this table, which must be empty.", valueName: "table"))
    var into: String?

    /// Or through what.
    @Option(help: ArgumentHelp("Run this for each batch: a file, - for stdin, or the text itself.", valueName: "sql"))
    var sql: String?

    /// How to print.
    @OptionGroup var output: OutputOptions

    /// Refuses what makes no sense.
    func validate() throws {
        guard (into == nil) != (sql == nil) else { throw ValidationError("say where to: either --into or --sql") }
        guard sensors.allSatisfy({ SerialNumber($0) != nil }) else {
            throw ValidationError("--sensor is a serial number: 1 to 64 of A-Z a-z 0-9 _ -")
        }
        if let to, to.time <= from.time { throw ValidationError("--to is not after --from") }
    }

    /// Reads and writes.
    func run() async throws {
        try await perform {
            let target = try target()
            let command = self
            try await Interrupts.cancelling { try await command.replay(into: target) }
        }
    }

    private func replay(into target: ReplayTarget) async throws {
        let connections = try Connections()
        let store = connections.store()
        let broker = try await connections.broker()
        let replay = ReplayStreams(
            store, broker, from: from.time, to: to?.time, serials: Set(sensors.compactMap { SerialNumber($0) }),
            into: target)
        let begun = ContinuousClock.now
        var line = ProgressLine()
        do {
            let summary = try await replay.run { summary in
                line.show("\(summary.messages) messages, \(summary.samples) samples")
            }
            line.clear()
            for (stream, time) in summary.beginsLater.sorted(by: { $0.key < $1.key }) {
                Talk.say("\(stream) begins at \(time.short) UTC: what came before is gone")
            }
            try show(summary, begun.duration(to: .now))
        } catch {
            line.clear()
            throw Self.explained(error)
        }
        await broker.close()
        await store.close()
    }

    private static func explained(_ error: any Error) -> any Error {
        switch error {
        case let error as ReplayTableUnfit: Failure(ExitStatus.failed, "\(error)")
        case let error as ReplayStreams.Stalled: Failure(ExitStatus.failed, "\(error)")
        case is CancellationError: Failure(ExitStatus.failed, "interrupted: what was written until now stays")
        default: error
        }
    }

    private func target() throws -> ReplayTarget {
        if let into { return .table(into) }
        guard let sql else { throw Failure(ExitStatus.usage, "say where to: either --into or --sql") }
        if sql == "-" {
            return .statements(String(decoding: FileHandle.standardInput.readDataToEndOfFile(), as: UTF8.self))
        }
        guard FileManager.default.fileExists(atPath: sql) else { return .statements(sql) }
        guard let text = try? String(contentsOfFile: sql, encoding: .utf8) else {
            throw Failure(ExitStatus.failed, "\(sql) can't be read as text")
        }
        return .statements(text)
    }

    private func show(_ summary: ReplayStreams.Summary, _ duration: Duration) throws {
        let value = Value.record([
            "streams": .integer(Int64(summary.streams)), "messages": .integer(Int64(summary.messages)),
            "frames": .integer(Int64(summary.frames)), "samples": .integer(Int64(summary.samples)),
            "rows": .integer(Int64(summary.rows)), "duplicates": .integer(Int64(summary.duplicates)),
            "unreadable": .integer(Int64(summary.unreadable)), "from": .time(from.time), "to": .time(to?.time),
            "begins_later": .object(
                summary.beginsLater.sorted { $0.key < $1.key }.map { Value.Field(name: $0.key, value: .time($0.value)) }
            ),
            "seconds": .seconds(duration),
        ])
        try output.show(value) { _, style in
            Table(
                columns: [
                    .number("MESSAGES"), .number("FRAMES"), .number("SAMPLES"), .number("ROWS"),
                    .number("DUPLICATES"), .number("UNREADABLE"), .number("TIME"),
                ],
                rows: [
                    [summary.messages, summary.frames, summary.samples, summary.rows, summary.duplicates]
                        .map { Cell(String($0)) }
                        + [
                            Cell(String(summary.unreadable), summary.unreadable > 0 ? .doubtful : .plain),
                            Cell(duration.short),
                        ]
                ]
            ).text(wide: true, style)
        }
    }
}

/// A moment on the command line: how long ago (`2h`), or when (ISO 8601 with a time zone).
struct Moment: ExpressibleByArgument {
    /// The moment.
    let time: Timestamp

    /// Reads it; nil if it is neither.
    init?(argument: String) {
        if let ago = Duration(commandLine: argument) {
            time = Timestamp.now.advanced(byNanoseconds: -Int64(ago.seconds * 1e9))
            return
        }
        for hasFraction in [true, false] {
            let style = Date.ISO8601FormatStyle(includingFractionalSeconds: hasFraction)
            guard let date = try? style.parse(argument),
                let microseconds = Int64(exactly: (date.timeIntervalSince1970 * 1e6).rounded()),
                microseconds.magnitude < 9_000_000_000_000_000
            else { continue }
            time = Timestamp(unixNanoseconds: microseconds * 1000)
            return
        }
        return nil
    }
}

/// One line on stderr that changes, if somebody is there to see it.
struct ProgressLine {
    private static let interval: Duration = .milliseconds(200)
    private let isShown = isatty(STDERR_FILENO) == 1
    private var shownAt: ContinuousClock.Instant?

    /// Shows a text in place of the one before, a few times a second at most.
    mutating func show(_ text: String) {
        guard isShown, shownAt.map({ $0.duration(to: .now) > Self.interval }) != false else { return }
        write("\r\u{1B}[K\(text)")
        shownAt = .now
    }

    /// Leaves the line empty.
    func clear() {
        if shownAt != nil { write("\r\u{1B}[K") }
    }

    private func write(_ text: String) { try? FileHandle.standardError.write(contentsOf: Data(text.utf8)) }
}
