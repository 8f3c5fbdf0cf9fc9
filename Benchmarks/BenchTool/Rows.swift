internal import ArgumentParser
internal import Bench
internal import Foundation
internal import Model
internal import Postgres
internal import Service
internal import Store
internal import Time

/// What most people do: a row for each sample, from memory, into the table `sample` (time, sensor_id, channel, value).
struct Rows: AsyncParsableCommand {
    /// How the rows get there.
    enum Way: String, ExpressibleByArgument, CaseIterable {
        /// One prepared INSERT of 1,000 rows after the other, all values binary.
        case insert
        /// Binary COPY, encoded beforehand.
        case copy
    }

    static let configuration = CommandConfiguration(abstract: "Store the streams' samples a row each.")
    /// Rows in one transaction, whichever way.
    static let rowsPerTransaction = 25_000

    @OptionGroup var source: Source
    @Option(help: "insert: 1,000 rows each; copy: binary.") var way = Way.copy

    func run() async throws {
        let settings = try Settings(environment: ProcessInfo.processInfo.environment)
        var rows: [SampleRow] = []
        try await source.read(settings) { for row in $0 { SampleRow.append(row, to: &rows) } }
        let seconds =
            switch way {
            case .insert: MultiRowInsert.run(settings.database, rows)
            case .copy: BareCopy.run(settings.database, into: SampleRow.table, SampleRow.encoded(rows))
            }
        guard let seconds else { throw ValidationError("the server did not take the rows") }
        try BenchTool.report(["samples": Double(rows.count), "seconds": seconds])
    }
}

/// One sample, as a row of its own.
struct SampleRow {
    static let table = "sample (time, sensor_id, channel, value)"

    var unixMicroseconds: Int64
    var value: Double
    var channel: ChannelID

    /// Takes a row of `measurement` apart.
    static func append(_ row: MeasurementRow, to rows: inout [SampleRow]) {
        let rate = SampleRate(hertz: row.rateHertz)
        for index in 0..<row.samples.count {
            let time = row.time.advanced(byNanoseconds: rate?.nanoseconds(toSample: Int64(index)) ?? 0)
            rows.append(
                SampleRow(
                    unixMicroseconds: time.unixMicroseconds, value: row.samples[index],
                    channel: row.channel))
        }
    }

    /// The bytes of a COPY for each transaction.
    static func encoded(_ rows: [SampleRow]) -> [CopyBuffer] {
        stride(from: 0, to: rows.count, by: Rows.rowsPerTransaction).map { first in
            var copy = CopyBuffer()
            for row in rows[first..<min(rows.count, first + Rows.rowsPerTransaction)] {
                copy.beginRow(fields: 4)
                copy.field(timeUnixMicroseconds: row.unixMicroseconds)
                copy.field(row.channel.sensor.rawValue)
                copy.field(row.channel.number)
                copy.field(row.value)
            }
            copy.finish()
            return copy
        }
    }
}
