internal import Broker
internal import Logging
internal import Sensors
internal import Store
internal import Telemetry
internal import Wire

/// Stores one stream for as long as the replica holds its lease: receive, read, commit, acknowledge.
struct PartitionWorker {
    /// Messages ahead of acknowledgements. Prefetch is throughput on a stream over AMQP 0-9-1.
    static let prefetch: UInt16 = 5000
    /// Most messages in one transaction.
    static let batchMessagesMax = 4000
    /// Most rows of a transaction of several messages, as far as can be told before: about 15 MB of them in memory.
    static let batchRowsMax = 50_000
    /// A try to store a batch that took so long and failed is one that the batch's size may be to blame for.
    static let slowTry: Duration = .seconds(15)
    /// Most bytes of payload that wait in memory for all streams of the installation, which one replica may hold: 10 MiB,
    /// so that it stays below 100 MB with the batches in hand, as payloads and as frames.
    static let inboxBytesMax = 10 << 20
    /// How long a message may wait for company, so that a slow stream is not a transaction for each.
    static let linger: Duration = .milliseconds(10)
    /// How often newest values are written when nothing comes, and cancellation is noticed at the latest.
    static let idle: Duration = .seconds(1)

    private let context: ServiceContext
    private let store: StoreConnection
    private let alarms: AlarmPublisher
    private let limits: LimitWatch
    private let inboxBytesMax: Int
    private var lease: PartitionLease
    private var state = IngestState(clockRule: ClockRule())
    private var chunks = ChunkBook()
    private var locationChunks = ChunkBook()

    /// - Parameter partitions: of the installation, which share the memory.
    init(
        _ context: ServiceContext, _ lease: PartitionLease, partitions: Int, _ alarms: AlarmPublisher,
        _ limits: LimitWatch
    ) {
        inboxBytesMax = min(3 << 20, Self.inboxBytesMax / max(1, partitions))
        self.context = context
        self.lease = lease
        self.alarms = alarms
        self.limits = limits
        store = context.openStore(lease.stream)
    }

    /// Runs until the task is cancelled; a batch in hand is committed first.
    /// - Throws: `IngestConflict.leaseLost` when somebody else holds the partition.
    mutating func run() async throws {
        while !Task.isCancelled {
            var worker = self
            _ = try await context.retrying(
                lease.stream, part: brokerPart, while: { !($0 is IngestConflict) }
            ) {
                try await worker.endOtherWriters()
                let broker = try await worker.context.openBroker(
                    worker.lease.stream, part: worker.brokerPart)
                do { try await worker.read(from: broker) } catch {
                    await broker.close()
                    throw error
                }
                await broker.close()
            }
            self = worker
        }
        await store.close()
    }

    /// The parts of the service that readiness names while this partition is held.
    private var brokerPart: String { "broker \(lease.stream)" }
    private var databasePart: String { "database \(lease.stream)" }

    /// Takes back what was said of a partition that this replica no longer holds: it is somebody else's care.
    func forgetReadiness() {
        for part in [brokerPart, databasePart] { context.readiness.ready(part) }
    }

    private mutating func read(from broker: BrokerConnection) async throws {
        // A stream that was deleted while we ran is made anew here; one that is there is left as it is.
        try await broker.declare(.stream(named: lease.stream))
        var cursor = StreamCursor(committed: lease.committed, fingerprint: lease.fingerprint)
        if lease.committed != nil, cursor.isReset(tail: try await tail(broker)) {
            cursor = try await beginAnew("its end lies before")
        }
        let consumer = try await broker.consume(
            ConsumerOptions(
                queue: lease.stream, prefetch: Self.prefetch,
                offset: lease.committed.map(StreamOffset.offset) ?? .first, inboxBytesMax: inboxBytesMax))
        while !Task.isCancelled {
            let deliveries = try await broker.nextBatch(
                consumer, upTo: Self.batchMessagesMax, linger: Self.linger, timeout: Self.idle)
            guard let last = deliveries.last else {
                await writeLatest()
                continue
            }
            var fresh: [Delivery] = []
            var holes: [ClosedRange<Int64>] = []
            for delivery in deliveries {
                switch cursor.note(offset: delivery.streamOffset ?? 0, fingerprint: { delivery.fingerprint }) {
                case .take: fresh.append(delivery)
                case .skip: noteReread(delivery)
                case .takeAfterHole(let hole):
                    holes.append(hole)
                    fresh.append(delivery)
                case .reset:
                    _ = try await beginAnew("another message stands at the last stored offset")
                    return
                }
            }
            noteHoles(holes)
            if !fresh.isEmpty, try await !storeAll(fresh[...], holes) { return }
            try await broker.acknowledge(consumer, upTo: last)
        }
    }

    /// The offset of the newest message of the stream, as far as it shows: nil if it is empty.
    private func tail(_ broker: BrokerConnection) async throws -> Int64? {
        if let tail = try await lastOffset(broker) { return tail }
        // A broker that stood still shows nothing either. One that answers and still gives nothing has nothing.
        try await broker.declare(.stream(named: lease.stream))
        return try await lastOffset(broker)
    }

    private func lastOffset(_ broker: BrokerConnection) async throws -> Int64? {
        let probe = try await broker.consume(ConsumerOptions(queue: lease.stream, prefetch: 1000, offset: .last))
        // The newest chunk comes at once if there is one, and may hold more than the prefetch. Only when nothing more
        // comes for long is its end the stream's end: taking it for that too early would store everything again.
        var tail: Int64?
        while let last = try await broker.nextBatch(probe, upTo: 1000, timeout: .seconds(5)).last {
            tail = last.streamOffset
            if let tail, tail >= lease.committed ?? 0 { break }
            try await broker.acknowledge(probe, upTo: last)
        }
        try Task.checkCancellation()
        try await broker.stopConsuming(probe)
        return tail
    }

    private mutating func beginAnew(_ why: String) async throws -> StreamCursor {
        context.logger.error("\(lease.stream) is not the stream that was stored up to here: \(why); beginning anew")
        IngestMetrics.noteResets(1, in: context.metrics)
        lease = try await store.reset(lease)
        state = IngestState(clockRule: ClockRule())
        return StreamCursor(committed: nil, fingerprint: nil)
    }

    /// The last stored message comes again to show that the stream is the same; any other should not.
    private func noteReread(_ delivery: Delivery) {
        let isMarker = delivery.streamOffset == lease.committed
        context.metrics.count(
            "iot_ingest_reread_messages_total", "Messages that came again although they were stored.",
            by: isMarker ? 0 : 1, labels: "stream=\"\(lease.stream)\"")
    }

    /// What a replica that was stopped or cut off has begun in the database can't end any more, and holds its locks.
    private func endOtherWriters() async throws {
        let count = try await store.endOtherWriters(of: lease)
        if count > 0 { context.logger.warning("\(lease.stream): ended \(count) stalled transactions") }
    }

    private func noteHoles(_ holes: [ClosedRange<Int64>]) {
        for hole in holes {
            context.logger.error("\(lease.stream): \(hole.count) messages were dropped by retention before storing")
            IngestMetrics.noteLost(hole.count, in: context.metrics)
        }
    }

    // MARK: storing

    /// Stores deliveries in one transaction, or in halves if the database says that they are too many or wrong; a
    /// single one that it refuses goes to the quarantine.
    /// - Returns: false if the task was cancelled before.
    private mutating func storeAll(
        _ deliveries: ArraySlice<Delivery>, _ holes: [ClosedRange<Int64>], mayReload: Bool = true
    ) async throws -> Bool {
        do {
            let batch = FrameBatch(deliveries)
            guard deliveries.count == 1 || batch.rowsMax <= Self.batchRowsMax else {
                return try await storeHalves(deliveries, holes)
            }
            return try await storeRetrying(batch, deliveries, holes)
        } catch IngestConflict.tooSlow {
            return try await storeHalves(deliveries, holes)
        } catch let error as StoreError {
            if error.sqlState == "23503", mayReload {
                // Somebody deleted a sensor that we knew by its number: look all of them up again.
                state = IngestState(clockRule: ClockRule())
                return try await storeAll(deliveries, holes, mayReload: false)
            }
            guard let only = deliveries.first, deliveries.count == 1 else {
                return try await storeHalves(deliveries, holes)
            }
            let batch = FrameBatch(rejecting: only, Rejection(.refusedByDatabase, "\(error)"))
            return try await storeRetrying(batch, deliveries, holes)
        }
    }

    private mutating func storeHalves(
        _ deliveries: ArraySlice<Delivery>, _ holes: [ClosedRange<Int64>]
    ) async throws -> Bool {
        let middle = deliveries.startIndex + deliveries.count / 2
        guard try await storeAll(deliveries[..<middle], holes) else { return false }
        return try await storeAll(deliveries[middle...], [])
    }

    /// Stores a batch, again and again while the database can't take it now.
    /// - Throws: `IngestConflict.tooSlow` when one of several messages has failed slowly twice: nothing of it is stored.
    private mutating func storeRetrying(
        _ batch: FrameBatch, _ deliveries: ArraySlice<Delivery>, _ holes: [ClosedRange<Int64>]
    ) async throws -> Bool {
        var worker = self
        var mayHaveCommitted = false
        var slowTries = 0
        let done: Void? = try await context.retrying(
            "storing \(lease.stream)", part: databasePart,
            while: { error in
                if case IngestConflict.ledgerChanged = error { return true }
                guard let error = error as? StoreError else {
                    // A broker that can't take an alarm is no reason to give up either.
                    return error is BrokerError
                }
                // One message that is too much for the server's memory now may not be so later.
                return error.advice == .retry || (deliveries.count == 1 && error.sqlState == "53200")
            }
        ) {
            if mayHaveCommitted {
                // Only when nobody can commit any more is it certain what is stored.
                try await worker.endOtherWriters()
                if try await worker.isStored(upTo: deliveries.last) { return }
                if slowTries >= 2, deliveries.count > 1 { throw IngestConflict.tooSlow }
            }
            mayHaveCommitted = true
            let begin = ContinuousClock.now
            do { try await worker.store(batch, deliveries, holes) } catch {
                if begin.duration(to: .now) >= Self.slowTry { slowTries += 1 }
                throw error
            }
        }
        self = worker
        return done != nil
    }

    /// Whether an earlier try, whose answer was lost, was committed after all.
    private mutating func isStored(upTo last: Delivery?) async throws -> Bool {
        guard let position = try await store.position(of: lease.stream), position.epoch == lease.epoch else {
            throw IngestConflict.leaseLost
        }
        guard let offset = last?.streamOffset, position.committed == offset, position.committed != lease.committed
        else { return false }
        lease = position
        state = IngestState(clockRule: ClockRule())
        return true
    }

    private mutating func store(
        _ batch: FrameBatch, _ deliveries: ArraySlice<Delivery>, _ holes: [ClosedRange<Int64>]
    ) async throws {
        guard let last = deliveries.last, let lastOffset = last.streamOffset else { return }
        let limits = try await limits.current(store)
        try await state.load(for: batch, of: lease.stream, limits: limits, from: store)
        var ingest = IngestBatch(
            lease: lease, lastOffset: lastOffset, lastFingerprint: last.fingerprint,
            lastReceived: last.received)
        ingest.holes = holes
        var counts = IngestCounts()
        let events = state.apply(batch, limits: limits, to: &ingest, counts: &counts)
        do {
            try await makeChunks(for: ingest, mayHalve: deliveries.count > 1)
            try await alarms.publish(events)
            try await store.commit(ingest)
        } catch {
            state.rollBack(ingest)
            if case IngestConflict.ledgerChanged = error { state.forgetLedgers(of: ingest) }
            throw error
        }
        state.commit()
        lease.committed = lastOffset
        lease.fingerprint = last.fingerprint
        IngestMetrics.note(counts, lag: .now, stream: lease.stream, in: context.metrics)
    }

    /// Makes sure that the chunks are there; the next one of the present too, when it will soon be needed.
    /// - Throws: `StoreError` with 54000, "program limit exceeded", if they are too many for one COPY.
    private mutating func makeChunks(for ingest: IngestBatch, mayHalve: Bool) async throws {
        let times = ingest.measurements.lazy.map(\.time)
        while let time = chunks.firstUnknown(times) ?? chunks.due(now: .now) {
            chunks.note(try await store.chunk(of: .measurement, at: time))
        }
        while let time = locationChunks.firstUnknown(ingest.places.lazy.map(\.time)) {
            locationChunks.note(try await store.chunk(of: .location, at: time))
        }
        guard mayHalve, chunks.count(times) > ChunkBook.perBatchMax else { return }
        throw StoreError.failed(
            operation: "COPY measurement", sqlState: "54000",
            message: "more than \(ChunkBook.perBatchMax) chunks in one batch")
    }

    private mutating func writeLatest() async {
        let values = state.takeDueLatest()
        if values.isEmpty { return }
        do { try await store.commit(latest: values) } catch { state.latestFailed(values) }
    }
}

extension Delivery {
    /// What tells this message from another at the same offset.
    var fingerprint: Int64 { Fingerprint.message(key: key, body: body) }
}

/// The figures of measurements-ingester.
enum IngestMetrics {
    /// What is seldom counted begins at 0: an alert sees the first one, too.
    static func begin(in metrics: Metrics) {
        noteResets(0, in: metrics)
        noteLost(0, in: metrics)
        for reason in RejectionReason.allCases where ![.unroutable, .deadLetter].contains(reason) {
            metrics.noteQuarantined(reason, count: 0)
        }
    }

    static func noteResets(_ count: Int, in metrics: Metrics) {
        metrics.count("iot_ingest_stream_resets_total", "Streams that were made anew.", by: count)
    }

    static func noteLost(_ count: Int, in metrics: Metrics) {
        metrics.count("iot_ingest_messages_lost_total", "Messages lost to retention.", by: count)
    }

    static func labels(_ stream: String) -> String { "stream=\"\(stream)\"" }

    static func note(_ counts: IngestCounts, lag now: Timestamp, stream: String, in metrics: Metrics) {
        let labels = labels(stream)
        metrics.count("iot_ingest_frames_total", "Frames stored.", by: counts.frames, labels: labels)
        metrics.count("iot_ingest_samples_total", "Samples stored.", by: counts.samples, labels: labels)
        metrics.count("iot_ingest_rows_total", "Rows of measurement stored.", by: counts.rows, labels: labels)
        metrics.count("iot_ingest_batches_total", "Transactions committed.", labels: labels)
        metrics.count("iot_ingest_late_frames_total", "Frames that filled a hole.", by: counts.late, labels: labels)
        metrics.count(
            "iot_ingest_duplicate_frames_total", "Frames that came again, not stored.", by: counts.duplicates,
            labels: labels)
        metrics.count(
            "iot_ingest_given_up_frames_total", "Frames not stored because they lie in joined holes of the ledger.",
            by: counts.givenUp, labels: labels)
        for (reason, count) in counts.rejected { metrics.noteQuarantined(reason, count: count) }
        for (verdict, count) in counts.clocks where verdict != .ok {
            metrics.count(
                "iot_ingest_untrusted_times_total", "Frames whose time was replaced by that of arrival.", by: count,
                labels: "clock=\"\(verdict)\"")
        }
        metrics.observe(
            "iot_ingest_commit_latency_seconds", "From the broker's stamp of a frame to its commit.",
            seconds: counts.received.map { now.seconds(since: $0) })
        metrics.observe(
            "iot_ingest_sample_age_seconds",
            "From the last sample of a frame, by the device's clock, to its commit.",
            seconds: counts.lastSamples.map { now.seconds(since: $0) })
        if let newest = counts.received.last {
            metrics.set(
                "iot_ingest_lag_seconds", "Age of the newest stored message when it was stored.",
                to: now.seconds(since: newest), labels: labels)
        }
    }
}

extension Metrics {
    /// Payloads that an ingester or the registry put into quarantine.
    func noteQuarantined(_ reason: RejectionReason, count: Int) {
        self.count(
            "iot_quarantined_total", "Payloads put into quarantine.", by: count, labels: "reason=\"\(reason.rawValue)\""
        )
    }
}
