internal import Broker
internal import Messaging
internal import Model
internal import Postgres
internal import Store
internal import Time

/// The look-ups and the memory of a partition's worker, from batch to batch: a value without I/O. `IngestLoader` reads the
/// look-ups that a batch needs, `apply` turns the batch into rows, and `commit` or `rollBack` follows. All of it can be read
/// from the database again, and is, after an error that leaves in doubt what the database holds.
struct IngestState {
    /// The most places kept in memory; beyond it all are dropped and read again when needed.
    private static let placesMax = 200_000

    private let cutter: RowCutter
    /// The numbers of sensors and channels.
    var numbers: SensorNumbers
    private var places: [SensorID: GeoPosition] = [:]
    private var ledgers = LedgerCache()
    private var hasHoles = false
    private var latest = LatestValues()

    /// The changes of the batch that is being stored.
    private var newPlaces: [SensorID: GeoPosition] = [:]

    init(clockRule: ClockRule = ClockRule(), numbers: SensorNumbers = SensorNumbers()) {
        cutter = RowCutter(clockRule: clockRule)
        self.numbers = numbers
    }

    // MARK: before a batch

    /// The look-ups that a batch needs and that are not known yet.
    struct Missing: Equatable {
        /// Whether the stream's holes are missing.
        var holes = false
        var ledgers: [LedgerCache.Key] = []
        /// The sensors whose last places are missing.
        var places: [SensorID] = []
    }

    /// What to read before `apply`; the numbers must be known.
    func missing(for batch: FrameBatch) -> Missing {
        var keys: Set<LedgerCache.Key> = []
        var unplaced: Set<SensorID> = []
        for received in batch.frames {
            guard let sensor = numbers[received.serial] else { continue }
            if let position = received.frame.position {
                keys.insert(LedgerCache.Key(sensor: sensor, boot: position.boot))
            }
            if received.frame.place != nil, places[sensor] == nil { unplaced.insert(sensor) }
        }
        return Missing(holes: !hasHoles, ledgers: ledgers.unknown(among: keys), places: unplaced.sorted())
    }

    /// Sets the holes of the stream.
    mutating func load(_ holes: StreamGaps) {
        ledgers.load(holes)
        hasHoles = true
    }

    /// Sets ledgers.
    mutating func load(_ entries: [LedgerCache.Key: LedgerCache.Entry]) {
        for (key, entry) in entries { ledgers.load(key, entry) }
    }

    /// Sets the last places of sensors.
    mutating func load(_ known: [SensorID: GeoPosition]) { places.merge(known) { _, new in new } }

    // MARK: the batch

    /// Turns a batch whose look-ups are loaded into what to write.
    /// - Parameters:
    ///   - ingest: the transaction, with its lease, offset and holes.
    ///   - unreadable: the sensors with a row that cannot be decoded, by number. Their frames go to the quarantine.
    mutating func apply(
        _ batch: FrameBatch, to ingest: IngestBatch, unreadable: [SensorID: StoreError] = [:],
        now: ContinuousClock.Instant
    ) -> AppliedBatch {
        var applied = AppliedBatch(ingest: ingest)
        let incarnation = ingest.lease.incarnation
        // An undeliverable message may be of any sensor: it explains no sensor's gap.
        for hole in ingest.holes where hole.cause == .brokerRetention {
            let first = StreamPosition(incarnation: incarnation, offset: hole.offsets.lowerBound)
            ledgers.note(StreamGap(first: first, cause: .brokerRetention))
        }
        var rejects = batch.rejects
        for received in batch.frames {
            let delivery = batch.deliveries[received.index]
            let sensor: SensorID
            do throws(Rejection) { sensor = try numberedSensor(of: received, unreadable) } catch {
                rejects.append(FrameBatch.Rejected(index: received.index, rejection: error))
                continue
            }
            if let position = received.frame.position {
                let key = LedgerCache.Key(sensor: sensor, boot: position.boot)
                let place = delivery.streamOffset.map { StreamPosition(incarnation: incarnation, offset: $0) }
                let verdict = ledgers.note(key, position.sequence, at: place)
                applied.counts.note(verdict)
                if verdict == .duplicate || verdict == .unknown { continue }
            }
            apply(received, sensor, at: delivery.received, to: &applied)
        }
        for reject in rejects {
            applied.counts.rejected[reject.rejection.reason, default: 0] += 1
            applied.ingest.quarantine.append(
                QuarantinedPayload(
                    batch.deliveries[reject.index], reject.rejection, source: ingest.lease.stream,
                    incarnation: incarnation))
        }
        applied.ingest.names = numbers.version
        applied.ingest.ledger = ledgers.changes
        applied.ingest.latest = latest.takeDue(now: now)
        return applied
    }

    /// The number of a frame's sensor, whose channels have numbers too, and whose rows can be read.
    private func numberedSensor(
        of received: FrameBatch.Received, _ unreadable: [SensorID: StoreError]
    ) throws(Rejection) -> SensorID {
        guard let sensor = numbers[received.serial] else {
            throw Rejection(.invalidFrame, "the sensor has no number; it was deleted meanwhile")
        }
        guard numbers.hasChannels(of: received.frame, sensor: sensor) else {
            throw Rejection(.invalidFrame, "the sensor has more than 64 channels")
        }
        if let error = unreadable[sensor] {
            throw Rejection(.refusedByDatabase, "a row of the sensor cannot be read: \(error)")
        }
        return sensor
    }

    private mutating func apply(
        _ received: FrameBatch.Received, _ sensor: SensorID, at arrival: Timestamp,
        to applied: inout AppliedBatch
    ) {
        let frame = received.frame
        var rows: [MeasurementRow] = []
        var wholes: [MeasurementRow] = []
        let trusted = cutter.cut(
            frame, sensor: sensor, received: arrival, channelNumber: { numbers.channel($0, of: sensor) },
            whole: { wholes.append($0) }, into: { rows.append($0) })
        applied.ingest.measurements += rows
        if frame.isCapture {
            applied.ingest.captures.formUnion(
                StoredCapture.all(of: frame, sensor: sensor) { numbers.channel($0, of: sensor) })
        }
        for whole in wholes { latest.note(LatestValue(whole)) }
        applied.counts.note(frame, received: arrival, rows: rows.count, verdict: trusted.verdict, time: trusted.time)
        guard let place = frame.place, place != newPlaces[sensor] ?? places[sensor] else { return }
        newPlaces[sensor] = place
        applied.ingest.places.append((sensor, trusted.time, place))
    }

    // MARK: after the batch

    /// Adopts the batch's changes after it was stored.
    mutating func commit() {
        latest.commit()
        ledgers.commit()
        places.merge(newPlaces) { _, new in new }
        newPlaces = [:]
        if places.count > Self.placesMax { places = [:] }
    }

    /// Discards the batch's changes after it was not stored; the newest values that it took are due again.
    mutating func rollBack(_ ingest: IngestBatch) {
        latest.writeFailed(ingest.latest)
        latest.rollBack()
        ledgers.rollBack()
        newPlaces = [:]
    }

    /// Removes the ledgers of a batch that another writer has changed.
    mutating func forgetLedgers(of ingest: IngestBatch) { ledgers.forget(ingest.ledger.map(\.key)) }

    /// All newest values that are not written yet, before the memory is dropped.
    mutating func takeAllLatest(now: ContinuousClock.Instant) -> [LatestValue] {
        latest.takeDue(now: now.advanced(by: LatestValues.interval))
    }

    /// The newest values that are due, when there is no batch to write them with.
    mutating func takeDueLatest(now: ContinuousClock.Instant) -> [LatestValue] { latest.takeDue(now: now) }

    /// Makes values due again that could not be written.
    mutating func latestFailed(_ values: [LatestValue]) { latest.writeFailed(values) }
}
