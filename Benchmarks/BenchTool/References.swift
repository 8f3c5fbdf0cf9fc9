internal import AMQP
internal import ArgumentParser
internal import Bench
internal import Broker
internal import Foundation
internal import Model
internal import Postgres
internal import Service
internal import Store
internal import Time
internal import Wire

/// The first reference: librabbitmq reads the same messages and does nothing with them.
struct Drain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Read the streams with librabbitmq alone.")

    @Option(help: "Messages in all streams.") var messages: Int
    @Option(help: "Streams, each read by a connection and a thread of its own.") var partitions = 4
    @Option(help: "Messages ahead of acknowledgements.") var prefetch = 5000

    func run() async throws {
        let settings = try Settings(environment: ProcessInfo.processInfo.environment)
        let gate = DrainCount(target: messages)
        let endpoint = settings.broker
        for partition in 0..<partitions {
            let stream = Routing.stream(partition)
            Thread.detachNewThread { [prefetch] in
                if let drain = BareDrain(endpoint, stream: stream, prefetch: prefetch) { drain.run(gate) }
                // The last one to end finds nothing left to stop.
                gate.stop()
            }
        }
        guard let seconds = await gate.finished() else { throw ValidationError("the broker broke the reading off") }
        try BenchTool.report(["messages": Double(messages), "seconds": seconds])
    }
}

/// The second reference: one libpq connection, binary COPY of the same rows, encoded beforehand.
struct Copy: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "COPY the rows that the streams hold, encoded beforehand.")

    @OptionGroup var source: Source

    func run() async throws {
        let settings = try Settings(environment: ProcessInfo.processInfo.environment)
        var batches: [CopyBuffer] = []
        try await source.read(settings) { rows in
            var copy = CopyBuffer()
            for row in rows { copy.append(row) }
            copy.finish()
            batches.append(copy)
        }
        let store = StoreConnection(settings.database, applicationName: "bench")
        try await store.run("TRUNCATE measurement")
        await store.close()
        guard let seconds = BareCopy.run(settings.database, into: MeasurementRow.copyTarget, batches) else {
            throw ValidationError("the server did not take the COPY")
        }
        try BenchTool.report(["rows": Double(batches.reduce(0) { $0 + $1.rowCount }), "seconds": seconds])
    }
}

/// What the streams hold, as the rows that our ingester makes of it.
struct Source: ParsableArguments {
    @Option(help: "Messages in all streams.") var messages: Int
    @Option(help: "Streams.") var partitions = 4
    @Option(help: "Messages in one batch.") var batch = 2000

    /// Reads the streams from their beginning, batch by batch.
    func read(_ settings: Settings, _ take: ([MeasurementRow]) -> Void) async throws {
        let cutter = RowCutter(clockRule: ClockRule())
        var sensors: [SerialNumber: SensorID] = [:]
        var left = messages
        for partition in 0..<partitions where left > 0 {
            let broker = try await BrokerConnection.open(settings.broker, name: "bench rows")
            let consumer = try await broker.consume(
                ConsumerOptions(queue: Routing.stream(partition), prefetch: 5000, offset: .first))
            while left > 0 {
                let deliveries = try await broker.nextBatch(
                    consumer, upTo: batch, linger: .milliseconds(20), timeout: .seconds(2))
                guard let last = deliveries.last else { break }
                var rows: [MeasurementRow] = []
                for delivery in deliveries {
                    let (serial, _) = try Routing.parse(key: delivery.key)
                    let frame = unsafe try FrameCodec.decode(delivery.body.span.bytes)
                    let number = sensors[serial] ?? SensorID(rawValue: Int32(sensors.count + 1))
                    sensors[serial] = number
                    cutter.cut(
                        frame, sensor: number,
                        received: Timestamp(unixMilliseconds: delivery.receivedUnixMilliseconds ?? 0),
                        channelNumber: { if case .number(let number) = $0 { number } else { nil } },
                        into: { rows.append($0) })
                }
                take(rows)
                left -= deliveries.count
                try await broker.acknowledge(consumer, upTo: last)
            }
            await broker.close()
        }
    }
}
