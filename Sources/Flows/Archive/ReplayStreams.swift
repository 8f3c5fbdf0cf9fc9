public import AMQP
internal import Broker
internal import Messaging
public import Model
public import Postgres
public import Store
public import Time
internal import Wire

/// Reads the streams of measurements again, from a given time, into a table or through the caller's SQL. It takes no
/// lease and moves no offset, so it disturbs no ingester.
///
/// A stream is read from the beginning of a chunk, which may be earlier than `from`: earlier messages are skipped by
/// the broker's timestamp. Reading ends at `to`, or at the message that was the stream's last one at the start. A frame
/// that was sent twice is written once.
public struct ReplayStreams: Sendable {
    /// The progress of a replay.
    public struct Summary: Sendable, Equatable {
        /// Streams that were read to their ends.
        public var streams = 0
        /// Messages of the requested time and sensors.
        public var messages = 0
        /// Frames that were written.
        public var frames = 0
        /// Samples in these frames.
        public var samples = 0
        /// Rows that were written.
        public var rows = 0
        /// Duplicate frames, which were left out.
        public var duplicates = 0
        /// Messages that can't be stored, and that an ingester puts into quarantine.
        public var unreadable = 0
        /// The time of the first message of streams that have already dropped earlier messages of the requested time.
        public var beginsLater: [String: Timestamp] = [:]
    }

    /// A stream whose reading stopped before its end.
    public struct Stalled: Error, CustomStringConvertible {
        /// The stream and the offset, in one sentence.
        public let description: String
    }

    /// How far the timestamps of messages may differ from the time of their chunk, in seconds: messages of several
    /// publishers share a chunk, and the broker writes chunks in order.
    static let slackSeconds: Int64 = 5
    /// After this time without a message a stream counts as read to its end.
    static let quiet: Duration = .seconds(1)
    private static let prefetch: UInt16 = 5000
    private static let batchMessagesMax = 4000

    private let store: StoreConnection
    private let broker: BrokerConnection
    private let from: Timestamp
    private let to: Timestamp?
    private let serials: Set<SerialNumber>
    private let target: ReplayTarget
    private let timeout: Duration

    /// A replay of a time range.
    /// - Parameters:
    ///   - from: the first moment, by the broker's timestamp.
    ///   - to: the moment before which it ends; nil: everything that is in the streams now.
    ///   - serials: the sensors; empty: all.
    ///   - timeout: how long a stream that is known to have more messages may be silent.
    public init(
        _ store: StoreConnection, _ broker: BrokerConnection, from: Timestamp, to: Timestamp?,
        serials: Set<SerialNumber>, into target: ReplayTarget, timeout: Duration = .seconds(30)
    ) {
        self.store = store
        self.broker = broker
        self.from = from
        self.to = to
        self.serials = serials
        self.target = target
        self.timeout = timeout
    }

    /// Reads all streams, one after another.
    /// - Parameter progress: called after each batch.
    /// - Throws: `BrokerError`, `StoreError`, `ReplayTableUnfit`, `Stalled` or `CancellationError`; rows that were
    ///   written until then stay.
    public func run(progress: (Summary) throws -> Void) async throws -> Summary {
        guard case .table(let table) = target else { return try await readAll(progress) }
        try await store.beginReplay(into: table)
        do {
            let summary = try await readAll(progress)
            await store.endReplay(into: table)
            return summary
        } catch {
            await store.endReplay(into: table)
            throw error
        }
    }

    private func readAll(_ progress: (Summary) throws -> Void) async throws -> Summary {
        let begun = Timestamp.now
        var summary = Summary()
        for index in 0..<(try await store.partitionCount() ?? 0) {
            try await read(Routing.stream(index), begun: begun, &summary, progress)
            summary.streams += 1
        }
        return summary
    }

    private func read(
        _ stream: String, begun: Timestamp, _ summary: inout Summary, _ progress: (Summary) throws -> Void
    ) async throws {
        // The broker's own count of a stream is seconds old; stored messages certainly were there.
        let stored = try await store.position(of: stream)?.committed
        guard let first = try await first(of: stream, isEmpty: stored == nil), let firstOffset = first.streamOffset
        else { return }
        if firstOffset > 0, first.received > from { summary.beginsLater[stream] = first.received }
        let end = try await end(of: stream, begun: begun, stored: max(firstOffset, stored ?? 0))
        if end.received < from { return }
        let consumer = try await broker.consume(
            ConsumerOptions(queue: stream, prefetch: Self.prefetch, offset: start))
        var reader = Reader()
        var isDone = false
        while !isDone {
            let deliveries = try await broker.nextBatch(
                consumer, upTo: Self.batchMessagesMax, linger: .milliseconds(5), timeout: timeout)
            try Task.checkCancellation()
            guard let last = deliveries.last else {
                throw Stalled(description: "\(stream): the broker delivered nothing more before offset \(end.offset)")
            }
            try await write(deliveries.filter { isWanted($0, upTo: end.offset) }, &reader, &summary)
            try await broker.acknowledge(consumer, upTo: last)
            try progress(summary)
            isDone = (last.streamOffset ?? 0) >= end.offset
            if let to, last.received >= to.advanced(bySeconds: Self.slackSeconds) { isDone = true }
        }
        try await broker.stopConsuming(consumer)
    }

    private var start: StreamOffset {
        .timestamp(unixSeconds: max(0, from.unixNanoseconds / 1_000_000_000 - Self.slackSeconds))
    }

    private func isWanted(_ delivery: Delivery, upTo end: Int64) -> Bool {
        (delivery.streamOffset ?? 0) <= end && delivery.received >= from
            && to.map { delivery.received < $0 } != false
    }

    // MARK: the ends of a stream

    /// The oldest message; nil if there is none, as in a stream that was recreated.
    /// - Parameter isEmpty: whether the stream is likely to be empty.
    private func first(of stream: String, isEmpty: Bool) async throws -> Delivery? {
        let probe = try await broker.consume(ConsumerOptions(queue: stream, prefetch: 1, offset: .first))
        var delivery = try await broker.nextBatch(probe, upTo: 1, timeout: isEmpty ? Self.quiet : timeout).first
        try Task.checkCancellation()
        // By now the broker has had time to update its count.
        if delivery == nil, try await broker.messageCount(of: Topology.Queue(name: stream, kind: .stream)) ?? 0 > 0 {
            delivery = try await broker.nextBatch(probe, upTo: 1, timeout: timeout).first
            guard delivery != nil else { throw Stalled(description: "\(stream) has messages but delivers none") }
        }
        try Task.checkCancellation()
        try await broker.stopConsuming(probe)
        return delivery
    }

    /// The last message at the time `begun`, or a later one.
    /// - Parameter stored: an offset that the stream had reached before.
    private func end(
        of stream: String, begun: Timestamp, stored: Int64
    ) async throws -> (offset: Int64, received: Timestamp) {
        let probe = try await broker.consume(ConsumerOptions(queue: stream, prefetch: 1000, offset: .last))
        // The newest chunk arrives at once, and may hold more messages than the prefetch.
        var end: (offset: Int64, received: Timestamp)?
        while let last = try await broker.nextBatch(
            probe, upTo: 1000, timeout: end.map { $0.offset >= stored } == true ? Self.quiet : timeout
        ).last, let offset = last.streamOffset {
            end = (offset, last.received)
            if last.received > begun { break }
            try await broker.acknowledge(probe, upTo: last)
        }
        try Task.checkCancellation()
        try await broker.stopConsuming(probe)
        guard let end else { throw Stalled(description: "\(stream) has messages up to \(stored) but delivers none") }
        return end
    }

    // MARK: a batch

    /// The state of reading a stream. All frames of a sensor are in one stream.
    private struct Reader {
        var numbers = SensorNumbers()
        var ledgers: [LedgerCache.Key: SequenceLedger] = [:]
    }

    private func write(
        _ deliveries: [Delivery], _ reader: inout Reader, _ summary: inout Summary
    ) async throws {
        var frames: [(serial: SerialNumber, frame: Frame)] = []
        var received: [Timestamp] = []
        for delivery in deliveries {
            do throws(Rejection) {
                let (serial, _) = try Routing.parse(key: delivery.key)
                guard serials.isEmpty || serials.contains(serial) else { continue }
                frames.append((serial, unsafe try DataPayload.decode(delivery.body.span.bytes)))
                received.append(delivery.received)
                summary.messages += 1
            } catch {
                if TickCodec.decode(delivery.body) != nil { continue }
                // A message whose key names no sensor can't belong to the requested sensors.
                guard serials.isEmpty || error.reason != .badSerial else { continue }
                summary.messages += 1
                summary.unreadable += 1
            }
        }
        if frames.isEmpty { return }
        let cutter = RowCutter(clockRule: ClockRule())
        try await reader.numbers.load(for: frames, from: store)
        var rows: [MeasurementRow] = []
        for (index, (serial, frame)) in frames.enumerated() {
            guard let sensor = reader.numbers[serial], reader.numbers.hasChannels(of: frame, sensor: sensor) else {
                summary.unreadable += 1
                continue
            }
            if let position = frame.position {
                let key = LedgerCache.Key(sensor: sensor, boot: position.boot)
                // In a merged gap (beyond 10,000 of them) it is unknown whether the frame was written: it is left out
                // rather than written twice.
                switch reader.ledgers[key, default: SequenceLedger()].note(position.sequence) {
                case .new, .late: break
                case .duplicate, .unknown:
                    summary.duplicates += 1
                    continue
                }
            }
            cutter.cut(
                frame, sensor: sensor, received: received[index],
                channelNumber: { reader.numbers.channel($0, of: sensor) }, into: { rows.append($0) })
            summary.frames += 1
            summary.samples += frame.sampleCount
        }
        summary.rows += rows.count
        try await store.replay(rows, into: target)
    }
}
