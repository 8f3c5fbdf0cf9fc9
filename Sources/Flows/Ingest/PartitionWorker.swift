internal import AMQP
internal import Broker
internal import Logging
internal import Messaging
internal import Model
internal import Postgres
internal import Service
internal import Store
internal import Time
internal import Wire

/// Stores one stream for as long as the replica holds its lease: receive, read, let the rules judge, commit, acknowledge.
final class PartitionWorker {
    /// The most unacknowledged messages. On a stream over AMQP 0-9-1 the prefetch bounds the throughput.
    static let prefetch: UInt16 = 5000
    /// The most messages in one transaction.
    static let batchMessagesMax = 4000
    /// The most rows of a transaction of several messages, by `FrameBatch.rowsMax`: about 15 MB in memory.
    static let batchRowsMax = 50_000
    /// The most bytes of payload that wait in memory for all streams of the installation, which one replica may hold:
    /// 10 MiB, so that the replica stays below 100 MB together with the batches that it stores, as payloads and as frames.
    static let inboxBytesMax = 10 << 20
    /// How long a message may wait for more messages, so that a slow stream does not need a transaction for each.
    static let linger: Duration = .milliseconds(10)
    /// How long ticks wait for a message of a sensor, so that a silent stream does not need a transaction for each.
    static let ticksLinger: Duration = .seconds(10)
    /// How often newest values are written when no message arrives, and the longest delay until a cancellation is noticed.
    static let idle: Duration = .seconds(1)

    private let context: Runtime
    private let store: StoreConnection
    private let loader: IngestLoader
    private let evaluator: Evaluator
    private let inboxBytesMax: Int
    private var lease: PartitionLease
    private var state = IngestState()
    private var chunks = KnownChunks()
    private var locationChunks = KnownChunks()
    /// Rows from before this time are late for the rollups, as far as this worker knows.
    private var closedTo = Timestamp(unixNanoseconds: .min)
    private var stepOver = StepOver(full: PartitionWorker.prefetch)
    private var unreadable = UnreadableSensors()

    /// - Parameter partitions: the number of partitions of the installation, which share the memory.
    init(
        _ context: Runtime, _ lease: PartitionLease, partitions: Int, _ evaluator: Evaluator
    ) {
        inboxBytesMax = min(3 << 20, Self.inboxBytesMax / max(1, partitions))
        self.context = context
        self.lease = lease
        self.evaluator = evaluator
        store = context.openStore(lease.stream)
        loader = IngestLoader(store: store, stream: lease.stream)
    }

    /// Runs until the task is cancelled; the current batch is committed first.
    /// - Throws: `IngestConflict.leaseLost` when another replica holds the partition.
    func run() async throws {
        while !Task.isCancelled {
            _ = try await context.retrying(
                lease.stream, part: brokerPart, while: { !($0 is IngestConflict) }
            ) {
                await evaluator.workerWorks()
                try await endOtherWriters()
                try await readOnce()
            }
        }
        await store.close()
    }

    /// Reads over a connection of its own until reading must continue at another offset, or the task is cancelled.
    private func readOnce() async throws {
        let broker = try await context.openBroker(lease.stream, part: brokerPart)
        do { try await read(from: broker) } catch BrokerError.undeliverable(let why) {
            await broker.close()
            guard stepOver.noteDeath(next: (lease.committed ?? -1) + 1) else {
                throw BrokerError.undeliverable(why)
            }
            context.logger.info("\(lease.stream): \(why); reading with care, \(stepOver.ahead) messages ahead")
        } catch {
            await broker.close()
            throw error
        }
        await broker.close()
    }

    /// The parts of the service that readiness names while this partition is held.
    private var brokerPart: String { "broker \(lease.stream)" }
    private var databasePart: String { "database \(lease.stream)" }
    private var rowsPart: String { "rows of \(lease.stream)" }

    /// Clears the readiness of a partition that this replica no longer owns.
    func forgetReadiness() {
        for part in [brokerPart, databasePart, rowsPart] + evaluator.parts {
            context.readiness.ready(part)
        }
    }

    private func read(from broker: BrokerConnection) async throws {
        // Creates the stream if it was deleted meanwhile; an existing stream stays as it is.
        try await broker.declare(.stream(named: lease.stream))
        stepOver.begin(isAnchored: false)
        var cursor = StreamCursor(committed: lease.committed, fingerprint: lease.fingerprint)
        if lease.committed != nil, !stepOver.isBlind {
            if cursor.isReset(tail: try await tail(broker)) {
                cursor = try await reset("it ends before the last stored offset")
            }
            stepOver.begin(isAnchored: lease.committed != nil)
        }
        let start = stepOver.start
        let consumer = try await broker.consume(
            ConsumerOptions(
                queue: lease.stream, prefetch: stepOver.ahead,
                offset: (start ?? lease.committed).map(StreamOffset.offset) ?? .first, inboxBytesMax: inboxBytesMax))
        var inHand = InHand(behind: lease.committed, of: lease.stream)
        while !Task.isCancelled {
            let room = Self.batchMessagesMax - inHand.batch.deliveries.count
            await evaluator.workerListens()
            let deliveries = try await broker.nextBatch(
                consumer, upTo: max(1, room), linger: inHand.isPrompt ? .zero : Self.linger, timeout: Self.idle)
            await evaluator.workerWorks()
            if deliveries.isEmpty {
                guard noteAlive(at: nil) else { return }
                await writeLatest()
            } else {
                guard try await take(deliveries, &cursor, from: start, &inHand) else { return }
                try await takeMore(from: broker, consumer, &cursor, from: start, &inHand)
            }
            guard let last = inHand.last else { continue }
            if inHand.isWaiting { continue }
            if !inHand.batch.deliveries.isEmpty {
                let holes = inHand.holes + (stepOver.hole.map { [MissingOffsets($0, .undeliverable)] } ?? [])
                guard try await storeAll(inHand.batch, holes),
                    !stepOver.noteStored(inHand.batch.deliveries.count)
                else { return }
            }
            try await broker.acknowledge(consumer, upTo: last)
            inHand.clear()
        }
    }

    /// What was received and is not stored yet.
    private struct InHand {
        var batch: FrameBatch
        var holes: [MissingOffsets] = []
        /// The last delivery, stored before or not; nil: none since the last acknowledgement.
        var last: Delivery?
        /// The offset up to which the stream was read.
        var offset: Int64?
        /// Whether rules judge messages, so that each is taken as soon as it comes.
        var isPrompt = true
        private var begin = ContinuousClock.now

        init(behind offset: Int64?, of stream: String) {
            self.offset = offset
            batch = FrameBatch([], of: stream)
        }

        /// Whether all that was received can wait for more.
        var isWaiting: Bool {
            !batch.deliveries.isEmpty && batch.isOnlyTicks && holes.isEmpty
                && begin.duration(to: .now) < PartitionWorker.ticksLinger
        }

        /// Adds messages that follow.
        mutating func add(_ next: FrameBatch, _ holes: [MissingOffsets]) {
            if batch.deliveries.isEmpty { begin = .now }
            batch.append(next)
            self.holes += holes
            offset = next.deliveries.last?.streamOffset ?? offset
        }

        /// Everything is stored.
        mutating func clear() {
            batch = FrameBatch([], of: batch.stream)
            holes = []
            last = nil
        }
    }

    /// Takes deliveries that are not stored yet, and lets the rules judge them.
    /// - Returns: false if reading must continue at another offset.
    private func take(
        _ deliveries: [Delivery], _ cursor: inout StreamCursor, from start: Int64?, _ inHand: inout InHand
    ) async throws -> Bool {
        var fresh: [Delivery] = []
        var holes: [MissingOffsets] = []
        for delivery in deliveries {
            let offset = delivery.streamOffset ?? 0
            if let start, offset >= start { cursor.pass(start - 1) }
            switch cursor.note(offset: offset, fingerprint: { delivery.fingerprint }) {
            case .take: fresh.append(delivery)
            case .skip: noteReread(delivery)
            case .takeAfterHole(let hole):
                holes.append(MissingOffsets(hole, .brokerRetention))
                fresh.append(delivery)
            case .reset:
                _ = try await reset("it has another message at the last stored offset")
                return false
            }
        }
        inHand.last = deliveries.last
        guard let first = fresh.first else { return true }
        guard noteAlive(at: first.streamOffset) else { return false }
        if let hole = stepOver.hole { await evaluator.note(undeliverable: hole) }
        noteHoles(holes)
        let batch = FrameBatch(fresh[...], of: lease.stream)
        inHand.isPrompt = await evaluator.judge(batch, after: inHand.offset)
        inHand.add(batch, holes)
        return true
    }

    /// Takes what comes within the linger. Without rules all of it has come with the first messages.
    private func takeMore(
        from broker: BrokerConnection, _ consumer: BrokerConnection.Consumer, _ cursor: inout StreamCursor,
        from start: Int64?, _ inHand: inout InHand
    ) async throws {
        let end = ContinuousClock.now + Self.linger
        while inHand.isPrompt, !Task.isCancelled {
            let (room, left) = (
                Self.batchMessagesMax - inHand.batch.deliveries.count, ContinuousClock.now.duration(to: end)
            )
            guard room > 0, left > .zero else { return }
            let deliveries = try await broker.nextBatch(consumer, upTo: room, timeout: left)
            guard !deliveries.isEmpty, try await take(deliveries, &cursor, from: start, &inHand) else { return }
        }
    }

    /// Records that the stream can be read at the reader's offset, or ends there.
    /// - Returns: false if reading must continue at another offset.
    private func noteAlive(at offset: Int64?) -> Bool {
        switch stepOver.noteAlive(at: offset) {
        case .readOn: return true
        case .readElsewhere: return false
        case .stepped(let offsets):
            let (first, last) = (offsets.lowerBound, offsets.upperBound)
            let messages = first == last ? "message \(first)" : "messages \(first) to \(last)"
            context.logger.error("\(lease.stream): the broker can't deliver \(messages); skipped")
            IngestMetrics.noteUndeliverable(offsets.count, in: context.metrics)
            return true
        }
    }

    /// The offset of the newest message that the broker delivers; nil: the stream is empty.
    private func tail(_ broker: BrokerConnection) async throws -> Int64? {
        if let tail = try await lastOffset(broker) { return tail }
        // A broker that was suspended delivers nothing either. If it answers a request and still delivers nothing, the
        // stream is empty.
        try await broker.declare(.stream(named: lease.stream))
        return try await lastOffset(broker)
    }

    private func lastOffset(_ broker: BrokerConnection) async throws -> Int64? {
        // In careful mode only the last stored message: the newest chunk may be the one that the broker can't deliver.
        let offset = stepOver.isCareful ? lease.committed.map(StreamOffset.offset) : nil
        let probe = try await broker.consume(
            ConsumerOptions(queue: lease.stream, prefetch: offset == nil ? 1000 : 1, offset: offset ?? .last))
        // The newest chunk arrives at once if there is one, and may hold more messages than the prefetch. Its end counts
        // as the stream's end only after some seconds without a message: a premature end would reset the stream, and
        // all of it would be stored again.
        var tail: Int64?
        while let last = try await broker.nextBatch(probe, upTo: 1000, timeout: .seconds(5)).last {
            tail = last.streamOffset
            // After a skipped message the fingerprint is not compared again, so compare it here.
            if tail == lease.committed, let stored = lease.fingerprint, last.fingerprint != stored { return -1 }
            if let tail, tail >= lease.committed ?? 0 { break }
            try await broker.acknowledge(probe, upTo: last)
        }
        try Task.checkCancellation()
        try await broker.stopConsuming(probe)
        return tail
    }

    /// Begins at the first message of a stream that was recreated.
    private func reset(_ why: String) async throws -> StreamCursor {
        context.logger.error("\(lease.stream) was recreated: \(why); reading it from its first message")
        IngestMetrics.noteResets(1, in: context.metrics)
        lease = try await store.reset(lease)
        state = IngestState()
        stepOver.reset()
        await evaluator.reset(lease)
        return StreamCursor(committed: nil, fingerprint: nil)
    }

    /// Counts messages that arrived again although they are stored. The last stored one is not counted: it is read again
    /// on purpose, to recognize the stream.
    private func noteReread(_ delivery: Delivery) {
        let isMarker = delivery.streamOffset == lease.committed
        context.metrics.count(
            "iot_ingest_reread_messages_total", "Messages that came again although they were stored.",
            by: isMarker ? 0 : 1, labels: "stream=\"\(lease.stream)\"")
    }

    /// Ends the transactions of a replica that was suspended or cut off: they hold locks and could still commit.
    private func endOtherWriters() async throws {
        let count = try await store.endOtherWriters(of: lease)
        if count > 0 { context.logger.warning("\(lease.stream): ended \(count) stalled transactions") }
    }

    private func noteHoles(_ holes: [MissingOffsets]) {
        for hole in holes.map(\.offsets) {
            context.logger.error("\(lease.stream): \(hole.count) messages were dropped by retention before storing")
            IngestMetrics.noteLost(hole.count, in: context.metrics)
        }
    }

    // MARK: storing

    /// The result of storing a batch.
    private enum Outcome {
        case stored
        /// The task was cancelled before the batch was stored.
        case cancelled
        /// Nothing of the batch is stored; its halves are to be stored one after the other.
        case halve
        /// The database refuses the batch's only message.
        case refused(any Error)
    }

    /// Stores deliveries in one transaction, or in halves where `BatchRetry` says so; a single one that the database
    /// refuses goes to the quarantine.
    /// - Returns: false if the task was cancelled before.
    private func storeAll(_ batch: FrameBatch, _ holes: [MissingOffsets]) async throws -> Bool {
        let deliveries = batch.deliveries
        guard deliveries.count == 1 || batch.rowsMax <= Self.batchRowsMax else {
            return try await storeHalves(of: batch, holes)
        }
        var outcome = try await storeRetrying(batch, holes)
        if case .refused(let error) = outcome {
            let rejected = FrameBatch(
                rejecting: deliveries, of: lease.stream, Rejection(.refusedByDatabase, "\(error)"))
            outcome = try await storeRetrying(rejected, holes)
        }
        switch outcome {
        case .stored: return true
        case .cancelled: return false
        case .halve: return try await storeHalves(of: batch, holes)
        case .refused(let error): throw error
        }
    }

    private func storeHalves(of batch: FrameBatch, _ holes: [MissingOffsets]) async throws -> Bool {
        let (first, second) = batch.halves
        guard try await storeAll(FrameBatch(first, of: lease.stream), holes) else { return false }
        return try await storeAll(FrameBatch(second, of: lease.stream), [])
    }

    /// Stores a batch, and repeats it while `BatchRetry` says so. Each repeat follows a pause.
    private func storeRetrying(_ batch: FrameBatch, _ holes: [MissingOffsets]) async throws -> Outcome {
        let deliveries = batch.deliveries
        var retry = BatchRetry()
        let outcome: Outcome? = try await context.retrying(
            "storing \(lease.stream)", part: databasePart, while: { _ in retry.action != .fail }
        ) {
            if retry.action != nil, try await isStored(upTo: deliveries.last, &retry) { return .stored }
            if retry.action == .halve { return .halve }
            let begin = ContinuousClock.now
            do {
                try await store(batch, holes)
                return .stored
            } catch {
                switch retry.afterTry(error, messages: deliveries.count, elapsed: begin.duration(to: .now)) {
                case .retry, .fail: throw error
                case .reload:
                    await reload()
                    throw error
                case .halve: return try await isStored(upTo: deliveries.last, &retry) ? .stored : .halve
                case .quarantine: return .refused(error)
                }
            }
        }
        return outcome ?? .cancelled
    }

    /// Reads everything from the database again: numbers in memory may be those of deleted or renamed sensors. The newest
    /// values that wait in memory are written before, because no later frame may bring them.
    private func reload() async {
        var values = state.takeAllLatest(now: .now)
        // They must not show a sensor online under the name that it has just got.
        for index in values.indices { values[index].received = nil }
        if !values.isEmpty { try? await store.commit(latest: values) }
        state = IngestState()
    }

    /// Whether an earlier try, whose answer was lost, was committed after all.
    private func isStored(upTo last: Delivery?, _ retry: inout BatchRetry) async throws -> Bool {
        do {
            // The position is certain only when no other session can commit any more.
            try await endOtherWriters()
            guard let position = try await store.position(of: lease.stream), position.epoch == lease.epoch else {
                throw IngestConflict.leaseLost
            }
            guard let offset = last?.streamOffset, position.committed == offset, position.committed != lease.committed
            else { return false }
            lease = position
            state = IngestState()
            return true
        } catch {
            retry.afterCheck(error)
            throw error
        }
    }

    private func store(_ batch: FrameBatch, _ holes: [MissingOffsets]) async throws {
        guard let last = batch.deliveries.last, let lastOffset = last.streamOffset else { return }
        let errors = try await loader.load(into: &state, for: batch)
        noteUnreadable(errors, in: batch)
        var ingest = IngestBatch(
            lease: lease, lastOffset: lastOffset, lastFingerprint: last.fingerprint,
            lastReceived: last.received)
        ingest.holes = holes
        let applied = state.apply(batch, to: ingest, unreadable: errors, now: .now)
        do {
            try await makeChunks(for: applied.ingest, mayHalve: batch.deliveries.count > 1)
            closedTo = try await store.commit(applied.ingest, closedTo: closedTo)
        } catch {
            state.rollBack(applied.ingest)
            if case IngestConflict.ledgerChanged = error { state.forgetLedgers(of: applied.ingest) }
            throw error
        }
        state.commit()
        lease.committed = lastOffset
        lease.fingerprint = ingest.lastFingerprint
        IngestMetrics.note(applied.counts, lag: .now, stream: lease.stream, in: context.metrics)
        IngestMetrics.setCommitted(lastOffset, stream: lease.stream, in: context.metrics)
    }

    /// Reports sensors with a row that cannot be decoded, and those whose rows can be decoded again.
    private func noteUnreadable(_ errors: [SensorID: StoreError], in batch: FrameBatch) {
        if errors.isEmpty, unreadable.count == 0 { return }
        let numbers = Dictionary(
            batch.frames.map { ($0.serial, state.numbers[$0.serial]) }, uniquingKeysWith: { first, _ in first })
        for change in unreadable.note(numbers.mapValues { number in number.flatMap { errors[$0] } }) {
            switch change {
            case .unreadable(let serial, let error):
                context.logger.error("\(lease.stream): frames of \(serial) go to the quarantine: \(error)")
            case .readable(let serial):
                context.logger.info("\(lease.stream): the rows of \(serial) can be read again")
            }
        }
        IngestMetrics.setUnreadable(unreadable.count, stream: lease.stream, in: context.metrics)
        guard let reason = unreadable.reason else { return context.readiness.ready(rowsPart) }
        context.readiness.notReady(rowsPart, reason)
    }

    /// Creates the chunks that a batch needs, and the next chunk of the present shortly before it is needed.
    /// - Throws: `StoreError` with 54000, "program limit exceeded", if they are too many for one COPY.
    private func makeChunks(for ingest: IngestBatch, mayHalve: Bool) async throws {
        let times = ingest.measurements.lazy.map(\.time)
        while let time = chunks.firstUnknown(times) ?? chunks.due(now: .now) {
            chunks.note(try await store.chunk(of: .measurement, at: time))
        }
        while let time = locationChunks.firstUnknown(ingest.places.lazy.map(\.time)) {
            locationChunks.note(try await store.chunk(of: .location, at: time))
        }
        guard mayHalve, chunks.count(times) > KnownChunks.perBatchMax else { return }
        throw StoreError.failed(
            operation: "COPY measurement", sqlState: "54000",
            message: "more than \(KnownChunks.perBatchMax) chunks in one batch")
    }

    private func writeLatest() async {
        let values = state.takeDueLatest(now: .now)
        if values.isEmpty { return }
        do { try await store.commit(latest: values, names: state.numbers.version) } catch {
            state.latestFailed(values)
            if case IngestConflict.namesChanged = error { await reload() }
        }
    }
}

extension Delivery {
    /// A hash by which two messages at the same offset of a recreated stream are told apart.
    var fingerprint: Int64 { Fingerprint.message(key: key, body: body) }
}
