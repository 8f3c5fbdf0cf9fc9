internal import AMQP
internal import Archive
internal import ArgumentParser
internal import Foundation
internal import Model
internal import Postgres
internal import Records
internal import Service
internal import Store
internal import Time

/// `iotctl replay`
struct Replay: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Reads the streams again, into an empty table or into SQL statements.",
        usage: """
            iotctl replay --from <time> --into <table>|--sql <sql> [<options>]
            """,
        discussion: """
            Examples:
              iotctl replay --from 2h --into again
              iotctl replay --from "2026-11-21 09:00" --to 1h --sensor lab-1 --into again
              iotctl replay --from 7d --sql rebuild.sql
              iotctl replay --from 1h --sql 'INSERT INTO peaks
                SELECT sensor_id, channel, "time", max FROM replay WHERE max > 5'

            --into creates the table if it does not exist, as a plain table with the
            columns of measurement. The table must be empty and cannot be measurement
            itself. --sql runs for each batch of messages, in the transaction that has
            copied them into the temporary table replay, which has the same columns.

            Times are the times of arrival at the broker. A frame that was sent twice is
            written once. Only messages within the retention of the streams can be read: 7
            days, or the streams' size. Ingesters are not affected.
            """)

    @Option(parsing: .unconditional, help: ArgumentHelp("The first time of arrival: 2h, or a date.", valueName: "time"))
    var from: Timestamp

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("The time after the last one; by default the end of the streams.", valueName: "time"))
    var to: Timestamp?

    @Option(
        name: .customLong("sensor"), help: ArgumentHelp("Only this sensor; may be repeated.", valueName: "serial"),
        completion: .sensors)
    var sensors: [String] = []

    @Option(help: ArgumentHelp("Write to this table, which must be empty.", valueName: "table"))
    var into: String?

    @Option(help: ArgumentHelp("Run this for each batch: a file, - for stdin, or the text itself.", valueName: "sql"))
    var sql: String?

    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard (into == nil) != (sql == nil) else {
            throw ValidationError("missing: the destination; give either --into or --sql")
        }
        guard sensors.allSatisfy({ SerialNumber($0) != nil }) else {
            throw ValidationError("not a serial number: --sensor; expected 1 to 64 of A-Z a-z 0-9 _ -")
        }
        if let to, to <= from { throw ValidationError("--to is not after --from: \(to)") }
    }

    func run() async throws {
        try await perform {
            let target = try target()
            let command = self
            try await Interrupts.cancelling { try await command.replay(into: target) }
        }
    }

    private func replay(into target: ReplayTarget) async throws {
        let connections = try Connections().acting()
        let store = connections.store()
        let broker = try await connections.broker()
        let replay = ReplayStreams(
            store, broker, from: from, to: to, serials: Set(sensors.compactMap { SerialNumber($0) }),
            into: target)
        let begun = ContinuousClock.now
        var line = ProgressLine()
        do {
            let summary = try await replay.run { summary in
                line.show("\(summary.messages) messages, \(summary.samples) samples")
            }
            line.clear()
            for (stream, time) in summary.beginsLater.sorted(by: { $0.key < $1.key }) {
                Talk.say("\(stream) begins at \(time.short) UTC: older messages are beyond its retention")
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
        case is CancellationError: Failure(ExitStatus.failed, "interrupted: the rows written so far stay")
        default: error
        }
    }

    private func target() throws -> ReplayTarget {
        if let into { return .table(into) }
        guard let sql else { throw Failure(ExitStatus.usage, "missing: the destination; give either --into or --sql") }
        if sql == "-" {
            return .statements(String(decoding: FileHandle.standardInput.readDataToEndOfFile(), as: UTF8.self))
        }
        guard FileManager.default.fileExists(atPath: sql) else { return .statements(sql) }
        guard let text = try? String(contentsOfFile: sql, encoding: .utf8) else {
            throw Failure(ExitStatus.failed, "cannot read \(sql) as text")
        }
        return .statements(text)
    }

    private func show(_ summary: ReplayStreams.Summary, _ duration: Duration) throws {
        let view = ReplayView(summary, from: from, to: to, duration: duration)
        try output.show(view) { _, style in
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

/// A line on stderr that is redrawn in place; not shown unless stderr is a terminal.
struct ProgressLine {
    private static let interval: Duration = .milliseconds(200)
    private let isShown = isatty(STDERR_FILENO) == 1
    private var shownAt: ContinuousClock.Instant?

    /// Replaces the text of the line, at most five times a second.
    mutating func show(_ text: String) {
        guard isShown, shownAt.map({ $0.duration(to: .now) > Self.interval }) != false else { return }
        write("\r\u{1B}[K\(text)")
        shownAt = .now
    }

    /// Erases the line.
    func clear() {
        if shownAt != nil { write("\r\u{1B}[K") }
    }

    private func write(_ text: String) { try? FileHandle.standardError.write(contentsOf: Data(text.utf8)) }
}
