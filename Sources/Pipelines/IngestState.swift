internal import Broker
internal import Sensors
internal import Store

/// What a partition's worker remembers from batch to batch. All of it can be read from the database again, and is,
/// after anything went wrong.
struct IngestState {
    /// Most sensors, channels and places kept in memory; beyond it they are read again when needed.
    private static let cacheMax = 200_000

    private let cutter: RowCutter
    private(set) var ids: [SerialNumber: Int32] = [:]
    private var channels: [Int32: [String: Int16]] = [:]
    private var places: [Int32: Place] = [:]
    private var limitStates: [ChannelAddress: LimitState] = [:]
    private var sensorsWithStates: Set<Int32> = []
    private(set) var ledgers = LedgerBook()
    private var knowsHoles = false
    private(set) var latest = LatestBook()

    /// What the batch in hand changes; kept if it commits.
    private var newPlaces: [Int32: Place] = [:]
    private var newLimitStates: [ChannelAddress: LimitState] = [:]

    init(clockRule: ClockRule) { cutter = RowCutter(clockRule: clockRule) }

    // MARK: before a batch

    /// Reads from the database what the batch needs and is not known yet.
    mutating func load(
        for batch: FrameBatch, of stream: String, limits: LimitBook, from store: StoreConnection
    ) async throws {
        if !knowsHoles {
            ledgers.load(try await store.holes(of: stream))
            knowsHoles = true
        }
        try await loadSensors(batch, store)
        try await loadChannels(batch, store)
        var keys: Set<LedgerBook.Key> = []
        var unplaced: Set<Int32> = []
        for received in batch.frames {
            guard let sensor = ids[received.serial] else { continue }
            if let position = received.frame.position {
                keys.insert(LedgerBook.Key(sensor: sensor, boot: position.boot))
            }
            if received.frame.place != nil, places[sensor] == nil { unplaced.insert(sensor) }
        }
        let unknown = ledgers.unknown(among: keys)
        if !unknown.isEmpty {
            for (key, entry) in try await store.ledgers(for: unknown, stream: stream) { ledgers.load(key, entry) }
        }
        if !unplaced.isEmpty {
            places.merge(try await store.lastPlaces(of: unplaced.sorted())) { _, new in new }
        }
        try await loadLimitStates(batch, limits, store)
    }

    private mutating func loadSensors(_ batch: FrameBatch, _ store: StoreConnection) async throws {
        if ids.count > Self.cacheMax { ids = [:] }
        let unknown = Set(batch.frames.lazy.map(\.serial).filter { [ids] in ids[$0] == nil })
        if unknown.isEmpty { return }
        ids.merge(try await store.sensorIDs(for: Array(unknown))) { _, new in new }
    }

    /// Gives numbers to channels that are known by name (JSON).
    private mutating func loadChannels(_ batch: FrameBatch, _ store: StoreConnection) async throws {
        if channels.count > Self.cacheMax { channels = [:] }
        var wanted: [Int32: [String]] = [:]
        for received in batch.frames {
            for block in received.frame.blocks {
                guard case .name(let name) = block.channel, let sensor = ids[received.serial],
                    channels[sensor]?[name] == nil
                else { continue }
                if wanted[sensor]?.contains(name) != true { wanted[sensor, default: []].append(name) }
            }
        }
        for (sensor, names) in wanted.sorted(by: { $0.key < $1.key }) {
            channels[sensor] = try await store.channelNumbers(sensor: sensor, names: names)
        }
    }

    private mutating func loadLimitStates(
        _ batch: FrameBatch, _ limits: LimitBook, _ store: StoreConnection
    ) async throws {
        if limits.sensors.isEmpty { return }
        let sensors = Set(batch.frames.compactMap { ids[$0.serial] })
        let unknown = sensors.intersection(limits.sensors).subtracting(sensorsWithStates)
        if unknown.isEmpty { return }
        for (sensor, channel, state) in try await store.limitStates(of: unknown.sorted()) {
            limitStates[ChannelAddress(sensor: sensor, channel: channel)] = state
        }
        sensorsWithStates.formUnion(unknown)
    }

    // MARK: the batch

    /// Turns a loaded batch into what to write and what to publish. Pure but for the memory of what is pending.
    mutating func apply(
        _ batch: FrameBatch, limits: LimitBook, to ingest: inout IngestBatch, counts: inout IngestCounts
    ) -> [AlarmEvent] {
        var alarms: [AlarmEvent] = []
        var rejects = batch.rejects
        let incarnation = ingest.lease.incarnation
        for hole in ingest.holes {
            let first = StreamPlace(incarnation: incarnation, offset: hole.lowerBound)
            ledgers.note(StreamHole(first: first, cause: .brokerRetention))
        }
        for received in batch.frames {
            guard let sensor = ids[received.serial], hasNumbers(received.frame, sensor) else {
                let rejection = Rejection(.invalidFrame, "the sensor has more than 64 channels")
                rejects.append(FrameBatch.Rejected(delivery: received.delivery, rejection: rejection))
                continue
            }
            if let position = received.frame.position {
                let key = LedgerBook.Key(sensor: sensor, boot: position.boot)
                let place = received.delivery.streamOffset.map { StreamPlace(incarnation: incarnation, offset: $0) }
                let verdict = ledgers.note(key, position.sequence, at: place)
                counts.note(verdict)
                if verdict == .duplicate || verdict == .unknown { continue }
            }
            apply(received, sensor, limits, &ingest, &counts, &alarms)
        }
        for reject in rejects {
            counts.rejected[reject.rejection.reason, default: 0] += 1
            ingest.quarantine.append(
                QuarantinedPayload(
                    reject.delivery, reject.rejection, source: ingest.lease.stream,
                    incarnation: ingest.lease.incarnation))
        }
        ingest.ledger = ledgers.changes
        ingest.latest = latest.takeDue(now: .now)
        // With the time of the last row: whoever takes over must not look again at rows that came late.
        ingest.limitStates = newLimitStates.map { ($0.key.sensor, $0.key.channel, $0.value) }
            .sorted { ($0.sensor, $0.channel) < ($1.sensor, $1.channel) }
        return alarms
    }

    private func hasNumbers(_ frame: Frame, _ sensor: Int32) -> Bool {
        frame.blocks.allSatisfy { block in
            guard case .name(let name) = block.channel else { return true }
            return channels[sensor]?[name] != nil
        }
    }

    private mutating func apply(
        _ received: FrameBatch.Received, _ sensor: Int32, _ limits: LimitBook, _ ingest: inout IngestBatch,
        _ counts: inout IngestCounts, _ alarms: inout [AlarmEvent]
    ) {
        let numbers = channels[sensor]
        var rows: [MeasurementRow] = []
        let trusted = cutter.cut(
            received.frame, sensor: sensor, received: received.received,
            channelNumber: { key in
                switch key {
                case .number(let number): number
                case .name(let name): numbers?[name]
                }
            }, into: { rows.append($0) })
        for row in rows {
            ingest.measurements.append(row)
            latest.note(LatestValue(row))
            evaluate(row, limits, &alarms)
        }
        counts.note(received, rows: rows.count, verdict: trusted.verdict, time: trusted.time)
        guard let place = received.frame.place, place != newPlaces[sensor] ?? places[sensor] else { return }
        newPlaces[sensor] = place
        ingest.places.append((sensor, trusted.time, place))
    }

    private mutating func evaluate(_ row: MeasurementRow, _ limits: LimitBook, _ alarms: inout [AlarmEvent]) {
        let address = ChannelAddress(sensor: row.sensor, channel: row.channel)
        guard let limited = limits[address] else { return }
        let before = newLimitStates[address] ?? limitStates[address] ?? LimitState()
        let observation = LimitObservation(
            sensor: limited.serial, channel: row.channel, channelName: limited.name, time: row.time,
            position: row.position, statistics: row.statistics)
        let (after, edges) = limited.limits.evaluate(observation, after: before)
        newLimitStates[address] = after
        alarms += edges.map { AlarmEvent(serial: limited.serial, edge: $0.edge, alarm: $0.alarm) }
    }

    // MARK: after the batch

    /// The batch is stored.
    mutating func commit() {
        ledgers.commit()
        places.merge(newPlaces) { _, new in new }
        limitStates.merge(newLimitStates) { _, new in new }
        newPlaces = [:]
        newLimitStates = [:]
        if places.count > Self.cacheMax { places = [:] }
    }

    /// The batch is not stored; `latest` values that it took are due again.
    mutating func rollBack(_ ingest: IngestBatch) {
        latest.writeFailed(ingest.latest)
        ledgers.rollBack()
        newPlaces = [:]
        newLimitStates = [:]
    }

    /// Somebody else changed ledgers of the batch.
    mutating func forgetLedgers(of ingest: IngestBatch) { ledgers.forget(ingest.ledger.map(\.key)) }

    /// The newest values that are due, when there is no batch to write them with.
    mutating func takeDueLatest() -> [LatestValue] { latest.takeDue(now: .now) }

    /// They were not written after all.
    mutating func latestFailed(_ values: [LatestValue]) { latest.writeFailed(values) }
}

/// A channel, by the database's numbers.
struct ChannelAddress: Hashable, Sendable {
    var sensor: Int32
    var channel: Int16
}

/// All channels that have limits now.
struct LimitBook: Sendable {
    private var channels: [ChannelAddress: StoreConnection.LimitedChannel] = [:]
    /// The sensors that have such a channel.
    private(set) var sensors: Set<Int32> = []

    init(_ limited: [StoreConnection.LimitedChannel] = []) {
        for channel in limited {
            channels[ChannelAddress(sensor: channel.sensor, channel: channel.channel)] = channel
            sensors.insert(channel.sensor)
        }
    }

    subscript(address: ChannelAddress) -> StoreConnection.LimitedChannel? { channels[address] }
}

/// An alarm to publish.
struct AlarmEvent: Sendable {
    var serial: SerialNumber
    var edge: Alarm.Edge
    var alarm: Alarm
}

/// What a batch came to, for the metrics.
struct IngestCounts: Sendable {
    var frames = 0
    var samples = 0
    var rows = 0
    var late = 0
    var duplicates = 0
    var givenUp = 0
    var rejected: [RejectionReason: Int] = [:]
    var clocks: [ClockVerdict: Int] = [:]
    /// The broker's stamp of each frame.
    var received: [Timestamp] = []
    /// When the last sample of each frame was taken, where the device's clock was believed.
    var lastSamples: [Timestamp] = []

    mutating func note(_ verdict: SequenceLedger.Verdict) {
        switch verdict {
        case .new: break
        case .late: late += 1
        case .duplicate: duplicates += 1
        case .unknown: givenUp += 1
        }
    }

    mutating func note(
        _ frame: FrameBatch.Received, rows rowCount: Int, verdict: ClockVerdict, time: Timestamp
    ) {
        frames += 1
        samples += frame.frame.sampleCount
        rows += rowCount
        received.append(frame.received)
        clocks[verdict, default: 0] += 1
        if verdict == .ok { lastSamples.append(time.advanced(byNanoseconds: frame.frame.spanNanoseconds)) }
    }
}
