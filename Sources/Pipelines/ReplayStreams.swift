public import Broker
public import Sensors
public import Store
internal import Wire

/// Reads the streams of measurements again, from a moment on, into a table or SQL of the caller's. Takes no lease, moves
/// no offset and so disturbs no ingester.
///
/// A stream is read from a chunk on, which may begin earlier: what came before is passed over, by the broker's stamp. It
/// ends with `to`, or with what was the stream's last message at the start. A frame that was sent twice is written once.
public struct ReplayStreams: Sendable {
    /// What was read so far.
    public struct Summary: Sendable, Equatable {
        /// Streams that are read to their ends.
        public var streams = 0
        /// Messages of the time and the sensors that were asked for.
        public var messages = 0
        /// Frames written.
        public var frames = 0
        /// Samples in them.
        public var samples = 0
        /// Rows in them.
        public var rows = 0
        /// Frames that came again and were left out.
        public var duplicates = 0
        /// Messages that can't be stored: what an ingester puts into quarantine.
        public var unreadable = 0
        /// When streams begin that have dropped earlier messages of the time that was asked for.
        public var beginsLater: [String: Timestamp] = [:]
    }

    /// A stream that stopped in the middle.
    public struct Stalled: Error, CustomStringConvertible {
        /// Which, and where.
        public let description: String
    }

    /// How far the stamps of messages and the time of their chunk may lie apart, in seconds: several publishers'
    /// messages meet in one chunk, and the broker writes chunks in order.
    static let slackSeconds: Int64 = 5
    /// How long nothing may come until a stream counts as read to its end, as far as is known.
    static let quiet: Duration = .seconds(1)
    private static let prefetch: UInt16 = 5000
    private static let batchMessagesMax = 4000

    private let store: StoreConnection
    private let broker: BrokerConnection
    private let from: Timestamp
    private let to: Timestamp?
    private let serials: Set<SerialNumber>
    private let target: ReplayTarget
    private let patience: Duration

    /// - Parameters:
    ///   - from: the first moment, by the broker's stamp.
    ///   - to: the moment before which it ends; nil: everything that is there now.
    ///   - serials: whose frames; none: all.
    ///   - patience: how long a stream may be silent that is known to have more.
    public init(
        _ store: StoreConnection, _ broker: BrokerConnection, from: Timestamp, to: Timestamp?,
        serials: Set<SerialNumber>, into target: ReplayTarget, patience: Duration = .seconds(30)
    ) {
        self.store = store
        self.broker = broker
        self.from = from
        self.to = to
        self.serials = serials
        self.target = target
        self.patience = patience
    }

    /// Reads all streams, one after another.
    /// - Parameter progress: called after each batch.
    /// - Throws: `BrokerError`, `StoreError`, `ReplayTableUnfit`, `Stalled` or `CancellationError`; what was written
    ///   until then stays.
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
        // The broker's own count of a stream is seconds old; what is stored was there.
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
                consumer, upTo: Self.batchMessagesMax, linger: .milliseconds(5), timeout: patience)
            try Task.checkCancellation()
            guard let last = deliveries.last else {
                throw Stalled(description: "\(stream): nothing more came before offset \(end.offset)")
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

    /// The oldest message; nil if there is none, as in a stream that was made anew.
    /// - Parameter isEmpty: whether it is likely to be empty.
    private func first(of stream: String, isEmpty: Bool) async throws -> Delivery? {
        let probe = try await broker.consume(ConsumerOptions(queue: stream, prefetch: 1, offset: .first))
        var delivery = try await broker.nextBatch(probe, upTo: 1, timeout: isEmpty ? Self.quiet : patience).first
        try Task.checkCancellation()
        // The broker's count has had time to become true.
        if delivery == nil, try await broker.messageCount(of: Topology.Queue(name: stream, kind: .stream)) ?? 0 > 0 {
            delivery = try await broker.nextBatch(probe, upTo: 1, timeout: patience).first
            guard delivery != nil else { throw Stalled(description: "\(stream) has messages and gives none") }
        }
        try Task.checkCancellation()
        try await broker.stopConsuming(probe)
        return delivery
    }

    /// The last message as of `begun`, or later.
    /// - Parameter stored: an offset that the stream had before.
    private func end(
        of stream: String, begun: Timestamp, stored: Int64
    ) async throws -> (offset: Int64, received: Timestamp) {
        let probe = try await broker.consume(ConsumerOptions(queue: stream, prefetch: 1000, offset: .last))
        // The newest chunk comes at once, and may hold more than the prefetch.
        var end: (offset: Int64, received: Timestamp)?
        while let last = try await broker.nextBatch(
            probe, upTo: 1000, timeout: end.map { $0.offset >= stored } == true ? Self.quiet : patience
        ).last, let offset = last.streamOffset {
            end = (offset, last.received)
            if last.received > begun { break }
            try await broker.acknowledge(probe, upTo: last)
        }
        try Task.checkCancellation()
        try await broker.stopConsuming(probe)
        guard let end else { throw Stalled(description: "\(stream) has messages up to \(stored) and gives none") }
        return end
    }

    // MARK: a batch

    /// What is remembered of a stream while it is read. A sensor's frames are all in one stream.
    private struct Reader {
        var rows = FrameRows()
        var ledgers: [LedgerBook.Key: SequenceLedger] = [:]
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
                // A key without a sensor belongs to nobody that was asked for.
                guard serials.isEmpty || error.reason != .badSerial else { continue }
                summary.messages += 1
                summary.unreadable += 1
            }
        }
        if frames.isEmpty { return }
        try await reader.rows.load(frames, from: store)
        var rows: [MeasurementRow] = []
        for (index, (serial, frame)) in frames.enumerated() {
            guard let sensor = reader.rows[serial], reader.rows.hasNumbers(frame, sensor) else {
                summary.unreadable += 1
                continue
            }
            if let position = frame.position {
                let key = LedgerBook.Key(sensor: sensor, boot: position.boot)
                // In a joined hole (beyond 10,000 of them) nobody knows: rather left out than written twice.
                switch reader.ledgers[key, default: SequenceLedger()].note(position.sequence) {
                case .new, .late: break
                case .duplicate, .unknown:
                    summary.duplicates += 1
                    continue
                }
            }
            _ = reader.rows.cut(frame, sensor: sensor, received: received[index]) { rows.append($0) }
            summary.frames += 1
            summary.samples += frame.sampleCount
        }
        summary.rows += rows.count
        try await store.replay(rows, into: target)
    }
}
