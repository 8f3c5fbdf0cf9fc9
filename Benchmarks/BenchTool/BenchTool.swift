internal import ArgumentParser
internal import Broker
internal import Foundation
internal import Pipelines
internal import Sensors
internal import Store
internal import Wire

/// What `scripts/bench` needs besides our programs: a publisher, and the two bare references. Each prints one JSON line.
@main
struct BenchTool: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench-tool", abstract: "Fills streams, and measures what the libraries do by themselves.",
        subcommands: [Feed.self, Drain.self, Copy.self])

    /// Prints what was measured.
    static func report(_ figures: [String: Double]) throws {
        let data = try JSONSerialization.data(withJSONObject: figures, options: .sortedKeys)
        FileHandle.standardOutput.write(data + Data("\n".utf8))
    }
}

/// What a message carries.
enum Form: String, ExpressibleByArgument, CaseIterable {
    case floats
    case counts
    case value
}

/// Publishes unique frames as fast as the broker confirms them.
struct Feed: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Publish unique frames to the streams.")

    @Option(help: "floats, counts: 500 samples a frame; value: one.") var form = Form.floats
    @Option(help: "Messages in all.") var messages = 40_000
    @Option(help: "Sensors, taking turns.") var sensors = 100

    func run() async throws {
        let settings = try Settings(environment: ProcessInfo.processInfo.environment)
        let broker = try await BrokerConnection.open(settings.broker, name: "bench feed")
        let serials = (0..<sensors).compactMap { SerialNumber("bench-\($0)") }
        let rate = SampleRate(hertz: form == .value ? 10 : 5000)
        let length = form == .value ? 1 : 500
        // A signal with all its bits in use, so that nothing is stored smaller than real samples would be.
        var random = SystemRandomNumberGenerator()
        let floats = (0..<8192).map { _ in Float.random(in: -20...20, using: &random) }
        let counts = (0..<8192).map { _ in Int16.random(in: -30_000...30_000, using: &random) }
        let rounds = (messages + sensors - 1) / sensors
        let span = (rate?.nanoseconds(toSample: 1) ?? 0) * Int64(length)
        let boot = Timestamp.now.unixNanoseconds / 1_000_000
        let start = Timestamp.now.advanced(byNanoseconds: -span * Int64(rounds))
        var published = 0
        while published < messages {
            let batch = (published..<min(messages, published + 2000)).map { index in
                let (sequence, sensor) = index.quotientAndRemainder(dividingBy: sensors)
                let offset = (index &* 37) % 7000
                let samples: Samples =
                    switch form {
                    case .floats: .floats(Array(floats[offset..<offset + length]))
                    case .counts: .counts(Array(counts[offset..<offset + length]), scale: 0.001, offset: 0)
                    case .value: .value(Double(floats[offset]) * 1.000_000_1)
                    }
                let frame = Frame(
                    position: FramePosition(boot: boot, sequence: Int64(sequence)),
                    start: start.advanced(byNanoseconds: Int64(sequence) * span), rate: rate,
                    blocks: [Block(channel: .number(0), samples: samples)])
                return OutgoingMessage(
                    exchange: Routing.exchange, key: Routing.key(serials[sensor], .data),
                    body: FrameCodec.encode(frame))
            }
            guard try await broker.publish(batch).allSatisfy({ $0 == .confirmed }) else {
                throw ValidationError("the broker refused a message")
            }
            published += batch.count
        }
        await broker.close()
        try BenchTool.report(["messages": Double(published), "samples": Double(published * length)])
    }
}

/// The first reference: librabbitmq reads the same messages and does nothing with them.
struct Drain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Read the streams with librabbitmq alone.")

    @Option(help: "Messages in all streams.") var messages: Int
    @Option(help: "Streams, each read by a connection and a thread of its own.") var partitions = 4
    @Option(help: "Messages ahead of acknowledgements.") var prefetch = 5000

    func run() async throws {
        let settings = try Settings(environment: ProcessInfo.processInfo.environment)
        let gate = DrainCount(target: messages)
        let address = settings.broker
        for partition in 0..<partitions {
            let stream = Routing.stream(partition)
            Thread.detachNewThread { [prefetch] in
                BareDrain(address, stream: stream, prefetch: prefetch)?.run(gate)
            }
        }
        let seconds = await gate.finished()
        try BenchTool.report(["messages": Double(messages), "seconds": seconds])
    }
}

/// The second reference: one libpq connection, binary COPY of the same rows, encoded beforehand.
struct Copy: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "COPY the rows that the streams hold, encoded beforehand.")

    @Option(help: "Messages in all streams.") var messages: Int
    @Option(help: "Streams.") var partitions = 4
    @Option(help: "Messages in one transaction.") var batch = 2000
    @Option(help: "How often.") var repeats = 3

    func run() async throws {
        let settings = try Settings(environment: ProcessInfo.processInfo.environment)
        let batches = try await encoded(settings)
        let store = StoreConnection(url: settings.databaseURL, applicationName: "bench")
        for _ in 0..<repeats {
            try await store.query("TRUNCATE measurement")
            guard let seconds = BareCopy.run(settings.databaseURL, batches) else {
                throw ValidationError("the server did not take the COPY")
            }
            try BenchTool.report(["rows": Double(batches.reduce(0) { $0 + $1.rowCount }), "seconds": seconds])
        }
        await store.close()
    }

    private func encoded(_ settings: Settings) async throws -> [CopyBuffer] {
        let cutter = RowCutter(clockRule: ClockRule())
        var sensors: [SerialNumber: Int32] = [:]
        var copies: [CopyBuffer] = []
        var left = messages
        for partition in 0..<partitions where left > 0 {
            let broker = try await BrokerConnection.open(settings.broker, name: "bench copy")
            let consumer = try await broker.consume(
                ConsumerOptions(queue: Routing.stream(partition), prefetch: 5000, offset: .first))
            while left > 0 {
                let deliveries = try await broker.nextBatch(
                    consumer, upTo: batch, linger: .milliseconds(20), timeout: .seconds(2))
                guard let last = deliveries.last else { break }
                var copy = CopyBuffer()
                for delivery in deliveries {
                    let (serial, _) = try Routing.parse(key: delivery.key)
                    let frame = unsafe try FrameCodec.decode(delivery.body.span.bytes)
                    let number = sensors[serial] ?? Int32(sensors.count + 1)
                    sensors[serial] = number
                    cutter.cut(
                        frame, sensor: number,
                        received: Timestamp(unixMilliseconds: delivery.receivedUnixMilliseconds ?? 0),
                        channelNumber: { if case .number(let number) = $0 { number } else { nil } },
                        into: { copy.append($0) })
                }
                copy.finish()
                copies.append(copy)
                left -= deliveries.count
                try await broker.acknowledge(consumer, upTo: last)
            }
            await broker.close()
        }
        return copies
    }
}
