public import AMQP
internal import Broker
internal import Messaging
public import Model
public import Postgres
public import Store
internal import Time
internal import Wire

/// Takes payloads out of quarantine once they can be stored: after an upgrade, a fix, or with the right key.
///
/// - Frames (`.data`) are decoded as an ingester does and stored in one transaction with the ledger's changes and the
///   deletion of their rows: of two replays at once one stores them, and a frame that is there already is not stored
///   again. Their time is judged as of their arrival. They raise no alarms.
/// - Announcements, answers, log lines and alarms are published again under their key, with a confirm, and then deleted,
///   each by one replay at a time. If a replay ends between the two, the next one publishes again: the registry takes
///   a repeat of announcements, answers and alarms as one, but a log line is written twice then. Commands are not
///   published: a command that runs late is dangerous.
/// - An announcement counts as of the time that it is published. So one of a sensor that was heard of since it
///   arrived, or that is offline, stays, as do all but the newest: they would take the sensor's state back, or show it
///   online.
public struct ReplayQuarantine: Sendable {
    /// What became of a row.
    public enum Outcome: Sendable, Equatable {
        /// Stored, with so many samples.
        case stored(samples: Int)
        /// Its frame was there already; the row is gone.
        case duplicate
        /// Published again under this key; the row is gone.
        case published(key: String)
        /// Another process replayed or dropped it in the meantime.
        case gone
        /// It can't be stored yet, for this reason; the row stays.
        case kept(String)
    }

    /// Most rows in one transaction.
    static let rowsMax = 100
    /// Most bytes of payload read again from streams for one transaction.
    static let bytesMax = 8 << 20

    private let store: StoreConnection
    private let openBroker: @Sendable () async throws -> BrokerConnection
    private let serial: SerialNumber?
    private let newest: UInt32
    private let dryRun: Bool

    /// - Parameters:
    ///   - openBroker: called at most once for a batch, if something has to be read or published there.
    ///   - serial: whose the payloads are; nil: as their keys say.
    ///   - newest: the newest schema that is read.
    ///   - dryRun: whether nothing is to be changed, only said what would be.
    public init(
        _ store: StoreConnection, as serial: SerialNumber? = nil, newest: UInt32 = Frame.captureSchema,
        dryRun: Bool = false,
        openBroker: @escaping @Sendable () async throws -> BrokerConnection
    ) {
        self.store = store
        self.openBroker = openBroker
        self.serial = serial
        self.newest = newest
        self.dryRun = dryRun
    }

    /// A payload that can be stored.
    private struct Readable {
        var record: QuarantineRecord
        var serial: SerialNumber
        var frame: Frame
    }

    /// Replays rows.
    /// - Returns: what became of each, in the same order.
    /// - Throws: `StoreError`, `BrokerError`: what was not replayed before is still there.
    public func replay(_ records: [QuarantineRecord]) async throws -> [Outcome] {
        var outcomes: [Int64: Outcome] = [:]
        var rest = records[...]
        while !rest.isEmpty {
            var bytes = 0
            let part = rest.prefix(Self.rowsMax).prefix { record in
                defer { bytes += record.length }
                return bytes == 0 || bytes + record.length <= Self.bytesMax
            }
            rest = rest.dropFirst(part.count)
            outcomes.merge(try await replay(part: Array(part))) { _, new in new }
        }
        return records.map { outcomes[$0.id] ?? .gone }
    }

    private func replay(part: [QuarantineRecord]) async throws -> [Int64: Outcome] {
        let link = BrokerLink(open: openBroker)
        do {
            let outcomes = try await replay(part: part, link)
            await link.close()
            return outcomes
        } catch {
            await link.close()
            throw error
        }
    }

    private func replay(part: [QuarantineRecord], _ link: BrokerLink) async throws -> [Int64: Outcome] {
        var outcomes: [Int64: Outcome] = [:]
        var frames: [Readable] = []
        let payloads = try await store.quarantinePayloads(part.map(\.id))
        for record in part {
            guard let kept = payloads[record.id] else {
                outcomes[record.id] = .gone
                continue
            }
            do {
                let (serial, subject) = try target(of: record)
                let body = try await whole(record, kept, link)
                if subject == .data {
                    let frame = unsafe try DataPayload.decode(body.span.bytes, newest: newest)
                    frames.append(Readable(record: record, serial: serial, frame: frame))
                } else {
                    try check(body, subject)
                    if subject == .registry { try await checkIsNews(record, serial) }
                    let key = Routing.key(serial, subject)
                    outcomes[record.id] = try await publish(record, key: key, body, link)
                }
            } catch let rejection as Rejection {
                outcomes[record.id] = .kept("\(rejection)")
            } catch let obstacle as Obstacle {
                outcomes[record.id] = .kept(obstacle.text)
            } catch QuarantineConflict.gone {
                outcomes[record.id] = .gone
            } catch QuarantineConflict.busy {
                outcomes[record.id] = .kept("another replay has it in hand")
            }
        }
        outcomes.merge(try await store(frames)) { _, new in new }
        return outcomes
    }

    /// Why a row has to stay, where it is not the payload's fault.
    private struct Obstacle: Error {
        var text: String
    }

    // MARK: reading

    /// Whose a payload is and what it is about: what its key says, but for a sensor that was given. The payloads of a sensor
    /// that was renamed have followed it.
    private func target(of record: QuarantineRecord) throws -> (serial: SerialNumber, subject: Routing.Subject) {
        if let (serial, subject) = try? Routing.parse(key: record.key) {
            return (self.serial ?? record.serial.flatMap { SerialNumber($0) } ?? serial, subject)
        }
        if record.key == record.source, record.offset != nil {
            throw Obstacle(
                text: "no sensor sent it: so the owner of a partition ticks, which an older release does not know")
        }
        guard let serial else {
            throw Obstacle(text: "its key \(record.key) is none of ours; --as-sensor says whose it is")
        }
        // A serial with dots has the subject at its end; a key whose subject is mistyped as well carried samples.
        let words = record.key.split(separator: ".", omittingEmptySubsequences: false)
        for count in [2, 1] where words.count > count {
            let key = "sensor_\(serial)." + words.suffix(count).joined(separator: ".")
            if let (serial, subject) = try? Routing.parse(key: key) { return (serial, subject) }
        }
        return (serial, .data)
    }

    /// The whole payload: what is kept, or what the stream still has.
    private func whole(_ record: QuarantineRecord, _ kept: [UInt8], _ link: BrokerLink) async throws -> [UInt8] {
        if kept.count == record.length { return kept }
        let head = "only the first \(kept.count) of its \(record.length) bytes are kept"
        guard let offset = record.offset, let incarnation = record.incarnation else {
            throw Obstacle(text: "\(head), and \(record.source) is no stream that still has the rest")
        }
        guard try await store.position(of: record.source)?.incarnation == incarnation else {
            throw Obstacle(text: "\(head), and the stream \(record.source) was recreated since")
        }
        guard let body = try await link.read(record.source, at: offset),
            Fingerprint.payload(body) == record.hash, body.count == record.length
        else { throw Obstacle(text: "\(head), and the stream \(record.source) has dropped the rest") }
        return body
    }

    /// Makes sure that the readers of its queue will take a payload.
    private func check(_ body: [UInt8], _ subject: Routing.Subject) throws {
        switch subject {
        case .data: break
        case .registry: _ = unsafe try AnnouncementCodec.decode(body.span.bytes)
        case .acks: _ = unsafe try AckCodec.decode(body.span.bytes)
        case .logs: _ = unsafe try LogLineCodec.decode(body.span.bytes)
        case .alarm: _ = unsafe try AlarmCodec.decode(body.span.bytes)
        case .command: throw Obstacle(text: "commands are not published again: a late one is dangerous; issue it again")
        }
    }

    private func publish(
        _ record: QuarantineRecord, key: String, _ body: [UInt8], _ link: BrokerLink
    ) async throws -> Outcome {
        if dryRun { return .published(key: key) }
        try await store.claim(quarantined: record.id)
        do {
            let outcome = try await link.publish(OutgoingMessage(exchange: Routing.exchange, key: key, body: body))
            guard outcome == .confirmed else { throw Obstacle(text: "the broker did not take it: \(outcome)") }
            _ = try await store.dropQuarantined([record.id])
        } catch {
            await store.release(quarantined: record.id)
            throw error
        }
        await store.release(quarantined: record.id)
        return .published(key: key)
    }

    /// Makes sure that an announcement still says something: the registry takes it as if it were said now.
    private func checkIsNews(_ record: QuarantineRecord, _ serial: SerialNumber) async throws {
        let since = "as of now it would"
        if let received = record.received ?? record.at, try await store.isKnown(serial, since: received) {
            throw Obstacle(text: "messages of the sensor arrived since; \(since) take its state back")
        }
        if try await store.hasNewer(record) {
            throw Obstacle(text: "a newer announcement of the sensor is in quarantine; \(since) come after it")
        }
        if try await store.isOffline(serial) {
            throw Obstacle(text: "the sensor is offline; \(since) show it online")
        }
    }

    // MARK: storing

    /// Stores frames in one transaction; one by one if that fails for one of them.
    private func store(_ frames: [Readable]) async throws -> [Int64: Outcome] {
        if frames.isEmpty { return [:] }
        if dryRun { return try await judge(frames) }
        do { return try await storeTogether(frames) } catch is TooManyChunks {
            // One by one.
        } catch {
            if frames.count == 1, let kept = Self.fault(of: error) { return [frames[0].record.id: kept] }
            guard frames.count > 1, Self.fault(of: error) != nil else { throw error }
        }
        var outcomes: [Int64: Outcome] = [:]
        for frame in frames { outcomes.merge(try await store([frame])) { _, new in new } }
        return outcomes
    }

    /// What an error says of the row; nil if it says something of the database.
    private static func fault(of error: any Error) -> Outcome? {
        switch error {
        case QuarantineConflict.gone: .gone
        case let error as StoreError where error.advice != .retry: .kept("\(error)")
        default: nil
        }
    }

    private func storeTogether(_ frames: [Readable]) async throws -> [Int64: Outcome] {
        while true {
            do { return try await attempt(frames) } catch IngestConflict.ledgerChanged {
                // An ingester stored frames of the same sensor meanwhile: read its ledger again.
                try Task.checkCancellation()
            } catch IngestConflict.namesChanged {
                // Sensors were deleted or renamed meanwhile: read the numbers again.
                try Task.checkCancellation()
            }
        }
    }

    private func attempt(_ frames: [Readable]) async throws -> [Int64: Outcome] {
        let cutter = RowCutter(clockRule: ClockRule())
        var numbers = SensorNumbers()
        try await numbers.load(for: frames.map { (serial: $0.serial, frame: $0.frame) }, from: store)
        var cache = LedgerCache()
        let keys = Set(frames.compactMap { frame in numbers[frame.serial].flatMap { Self.key(frame.frame, $0) } })
        let ledgers = try await store.ledgers(for: keys.sorted())
        for (key, entry) in ledgers { cache.load(key, entry) }
        let placed = Set(frames.filter { $0.frame.place != nil }.compactMap { numbers[$0.serial] })
        var places = placed.isEmpty ? [:] : try await store.lastPlaces(of: placed.sorted())
        var latest = LatestValues()
        var batch = QuarantineBatch(ids: [])
        var outcomes: [Int64: Outcome] = [:]
        for readable in frames {
            let (record, frame) = (readable.record, readable.frame)
            guard let sensor = numbers[readable.serial], numbers.hasChannels(of: frame, sensor: sensor) else {
                outcomes[record.id] = .kept("invalid_frame: the sensor has more than 64 channels")
                continue
            }
            if let key = Self.key(frame, sensor), let position = frame.position {
                if Self.isUnknown(position, ledgers[key]) {
                    outcomes[record.id] = .kept("whether it is stored is unknown: it lies in a joined gap")
                    continue
                }
                batch.ids.append(record.id)
                if cache.note(key, position.sequence) == .duplicate {
                    outcomes[record.id] = .duplicate
                    continue
                }
            } else {
                batch.ids.append(record.id)
            }
            let time = cutter.cut(
                frame, sensor: sensor, received: record.received ?? record.at ?? .now,
                channelNumber: { numbers.channel($0, of: sensor) }, whole: { latest.note(LatestValue($0)) },
                into: { batch.measurements.append($0) }
            ).time
            batch.captures.formUnion(
                StoredCapture.all(of: frame, sensor: sensor) { numbers.channel($0, of: sensor) })
            if let place = frame.place, place != places[sensor] {
                places[sensor] = place
                batch.places.append((sensor, time, place))
            }
            outcomes[record.id] = .stored(samples: frame.sampleCount)
        }
        batch.names = numbers.version
        batch.ledger = cache.changes
        batch.latest = latest.takeDue(now: .now)
        if batch.ids.isEmpty { return outcomes }
        try await makeChunks(for: batch, mayRefuse: frames.count > 1)
        try await store.commit(batch)
        return outcomes
    }

    /// More chunks than one transaction may touch.
    private struct TooManyChunks: Error {}

    /// Makes the chunks that a batch needs in transactions of their own, so that no ingester waits for the batch.
    private func makeChunks(for batch: QuarantineBatch, mayRefuse: Bool) async throws {
        let times = batch.measurements.map(\.time)
        for (table, times) in [
            (StoreConnection.ChunkedTable.measurement, times), (.location, batch.places.map(\.time)),
        ] {
            var chunks = KnownChunks()
            while let time = chunks.firstUnknown(times) { chunks.note(try await store.chunk(of: table, at: time)) }
            if mayRefuse, chunks.count(times) > KnownChunks.perBatchMax { throw TooManyChunks() }
        }
    }

    private static func isUnknown(_ position: FramePosition, _ entry: LedgerCache.Entry?) -> Bool {
        entry?.ledger.gaps.contains { $0.isJoined && $0.range.contains(position.sequence) } == true
    }

    private static func key(_ frame: Frame, _ sensor: SensorID) -> LedgerCache.Key? {
        frame.position.map { LedgerCache.Key(sensor: sensor, boot: $0.boot) }
    }

    /// What would become of frames, without registering anybody.
    private func judge(_ frames: [Readable]) async throws -> [Int64: Outcome] {
        var outcomes: [Int64: Outcome] = [:]
        var cache = LedgerCache()
        for readable in frames {
            outcomes[readable.record.id] = .stored(samples: readable.frame.sampleCount)
            guard let position = readable.frame.position, let sensor = try await store.sensorID(of: readable.serial)
            else { continue }
            let key = LedgerCache.Key(sensor: sensor, boot: position.boot)
            for (key, entry) in try await store.ledgers(for: cache.unknown(among: [key])) { cache.load(key, entry) }
            if cache.note(key, position.sequence) == .duplicate { outcomes[readable.record.id] = .duplicate }
        }
        return outcomes
    }
}

/// A connection to the broker that is opened when it is first needed.
private actor BrokerLink {
    /// How long a stream may take to answer.
    private static let timeout: Duration = .seconds(10)

    private let open: @Sendable () async throws -> BrokerConnection
    private var broker: BrokerConnection?

    init(open: @escaping @Sendable () async throws -> BrokerConnection) { self.open = open }

    private func connection() async throws -> BrokerConnection {
        if let broker { return broker }
        let opened = try await open()
        broker = opened
        return opened
    }

    /// The payload at an offset of a stream; nil if the stream does not have it any more.
    func read(_ stream: String, at offset: Int64) async throws -> [UInt8]? {
        let broker = try await connection()
        do {
            let delivery = try await broker.message(of: stream, at: .offset(offset), timeout: Self.timeout)
            return delivery?.streamOffset == offset ? delivery?.body : nil
        } catch BrokerError.rejected(_, 404, _) { return nil }
    }

    func publish(_ message: OutgoingMessage) async throws -> PublishOutcome {
        try await connection().publish([message]).first ?? .refused
    }

    func close() async { await broker?.close() }
}
