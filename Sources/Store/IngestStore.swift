public import Sensors

/// A payload for the table `quarantine`.
public struct QuarantinedPayload: Sendable {
    /// Bytes of a payload that are kept: 64 KiB.
    public static let bytesMax = 65_536

    /// Why.
    public var rejection: Rejection
    /// The key it was published with.
    public var key: String
    /// Queue or stream it came from.
    public var source: String
    /// Which life of the stream; nil for queues.
    public var incarnation: Int64?
    /// Its offset in the stream.
    public var offset: Int64?
    /// The broker's stamp.
    public var received: Timestamp?
    /// The whole payload.
    public var body: [UInt8]
    /// Which sensor it is from, if its key says.
    public var serial: SerialNumber?
    /// Which frame it is, if that can be read.
    public var position: FramePosition?

    /// That payload, from there, for that reason.
    public init(
        rejection: Rejection, key: String, source: String, incarnation: Int64? = nil, offset: Int64? = nil,
        received: Timestamp?, body: [UInt8], serial: SerialNumber? = nil, position: FramePosition? = nil
    ) {
        self.rejection = rejection
        self.key = key
        self.source = source
        self.incarnation = incarnation
        self.offset = offset
        self.received = received
        self.body = body
        self.serial = serial
        self.position = position
    }
}

/// Everything that one transaction of a measurements-ingester writes.
public struct IngestBatch: Sendable {
    /// Under which right, and from which offset on.
    public var lease: PartitionLease
    /// The last message of the batch.
    public var lastOffset: Int64
    /// Its fingerprint.
    public var lastFingerprint: Int64
    /// The broker's stamp of it.
    public var lastReceived: Timestamp
    /// The rows of `measurement`.
    public var measurements: [MeasurementRow] = []
    /// The ledger's changes.
    public var ledger: [LedgerBook.Change] = []
    /// Payloads that can't be stored.
    public var quarantine: [QuarantinedPayload] = []
    /// Messages that were gone before they were read.
    public var holes: [ClosedRange<Int64>] = []
    /// New places.
    public var places: [(sensor: Int32, time: Timestamp, place: Place)] = []
    /// Newest values that are due.
    public var latest: [LatestValue] = []
    /// Limits' states that have changed.
    public var limitStates: [(sensor: Int32, channel: Int16, state: LimitState)] = []

    /// A batch without content.
    public init(lease: PartitionLease, lastOffset: Int64, lastFingerprint: Int64, lastReceived: Timestamp) {
        self.lease = lease
        self.lastOffset = lastOffset
        self.lastFingerprint = lastFingerprint
        self.lastReceived = lastReceived
    }
}

/// Why a batch could not be committed although the database works.
public enum IngestConflict: Error, Sendable, Equatable {
    /// Another replica holds the partition, or has moved its offset.
    case leaseLost
    /// Somebody else stored frames of the same sensor: read its ledger again.
    case ledgerChanged
    /// The batch failed slowly again and again: in halves it may not.
    case tooSlow
}

extension StoreConnection {
    /// Stores a batch and moves the partition's offset, in one transaction.
    /// - Throws: `IngestConflict` or `StoreError`; after `StoreError.lost` ask `position(of:)` whether it happened.
    public func commit(_ batch: IngestBatch) throws {
        do {
            try commit(batch, lateBefore: closedTo)
        } catch let error as StoreError where error.sqlState == "IOT01" {
            throw IngestConflict.leaseLost
        } catch let error as StoreError where error.sqlState == "IOT02" {
            // Minutes were closed since. Notes that turn out not to be needed do no harm.
            try commit(batch, lateBefore: Timestamp(unixNanoseconds: .max))
            closedTo = try minutesClosedTo()
        }
    }

    private func commit(_ batch: IngestBatch, lateBefore: Timestamp) throws {
        try transaction(
            timeout: Self.commitTimeout,
            prelude: "SELECT pg_advisory_xact_lock(\(Self.lockKey(batch.lease.stream)))"
        ) { session in
            try session.copy(batch.measurements, to: MeasurementRow.copyTarget) { $1.append($0) }
            try Self.noteLate(batch.measurements.filter { $0.time < lateBefore }, session)
            try Self.write(batch.ledger, stream: batch.lease.stream, session)
            try Self.write(batch.quarantine, session)
            try Self.write(batch.holes, batch.lease, session)
            try Self.write(batch.places, session)
            try Self.write(batch.latest, session)
            try Self.write(batch.limitStates, session)
            let before = batch.lease.committed.map(String.init) ?? "NULL"
            let oldest = batch.measurements.lazy.map(\.time).filter { $0 >= lateBefore }.min()
            try session.commit(
                with: """
                    SELECT ingest_commit('\(batch.lease.stream)', \(batch.lease.epoch), \
                    \(batch.lease.incarnation)::int, \(before), \(batch.lastOffset), \(batch.lastFingerprint), \
                    \(Self.literal(batch.lastReceived)), \(Self.literal(oldest)))
                    """)
        }
    }

    private static func literal(_ time: Timestamp?) -> String {
        SQLValue.time(time).textForm.map { "'\($0)'" } ?? "NULL"
    }

    /// How long a batch may take: it is small, and a replica whose server does not answer must not sit on a partition.
    static let commitTimeout: Duration = .seconds(20)

    /// The advisory lock that a batch's transaction holds, so that everybody can see which server process writes a
    /// partition, also through a pooler: "iot" in ASCII, and the stream.
    private static func lockKey(_ stream: String) -> String { "\(0x69_6F_74), hashtext('\(stream)')" }

    /// Ends server processes that are still in a transaction of a partition that is ours: a replica that was stopped or
    /// cut off in the middle of a COPY holds its locks for ever otherwise, and what it has sent can't be committed any
    /// more. Waits for their end, so that afterwards it is certain what is committed.
    /// - Returns: how many there were; none if the partition is not ours any more.
    /// - Throws: `StoreError`; 55006, "object in use", if one does not end.
    @discardableResult
    public func endOtherWriters(of lease: PartitionLease) throws -> Int {
        let ended = try query(
            """
            SELECT pg_terminate_backend(pid, 5000) AS ended FROM pg_locks
             WHERE locktype = 'advisory' AND classid = \(0x69_6F_74) AND objsubid = 2 AND pid <> pg_backend_pid()
               AND objid::bigint = hashtext($1)::bigint & 4294967295
               AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
               AND EXISTS (SELECT FROM ingest_partition WHERE stream = $1 AND epoch = $2)
            """, [.text(lease.stream), .integer(lease.epoch)], timeout: .seconds(10))
        guard ended.rows.allSatisfy({ $0["ended"] == "t" }) else {
            throw StoreError.failed(
                operation: "ending other writers of \(lease.stream)", sqlState: "55006", message: "one does not end")
        }
        return ended.rows.count
    }

    /// A hypertable that an ingester writes.
    public enum ChunkedTable: String, Sendable {
        /// The samples.
        case measurement
        /// Where sensors are.
        case location
    }

    /// The chunk that holds a time, made in a short transaction of its own if it is not there.
    /// - Throws: `StoreError`.
    public func chunk(of table: ChunkedTable, at time: Timestamp) throws -> Range<Timestamp> {
        // A maker that is stopped in here keeps all others waiting that long.
        let row = try transaction(timeout: .seconds(4)) { session in
            try session.query(
                """
                SELECT (extract(epoch FROM starts) * 1000000)::bigint AS starts,
                       (extract(epoch FROM ends) * 1000000)::bigint AS ends FROM ingest_chunk($1, $2)
                """, [.text(table.rawValue), .time(time)]
            ).first
        }
        guard let starts = row?.integer("starts"), let ends = row?.integer("ends"), starts < ends else {
            throw StoreError.unexpected("no chunk of \(table.rawValue)")
        }
        return Timestamp(unixNanoseconds: starts * 1000)..<Timestamp(unixNanoseconds: ends * 1000)
    }

    /// Writes newest values by themselves.
    /// - Throws: `StoreError`.
    public func commit(latest: [LatestValue]) throws {
        try transaction { session in try Self.write(latest, session) }
    }

    /// Writes the ledger's changes, in the transaction that stores the frames.
    static func write(
        _ changes: [LedgerBook.Change], stream: String?, _ session: borrowing Session
    ) throws {
        guard !changes.isEmpty else { return }
        let updated = try session.query(
            """
            INSERT INTO sensor_boot AS b (sensor_id, boot_id, next_sequence, frames, duplicates, version, given_up,
                                          first_incarnation, first_offset, last_incarnation, last_offset, stream, last_at)
            SELECT u.*, CASE WHEN u.lo IS NOT NULL THEN $12 END, now()
              FROM unnest($1::int[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
                          $8::int[], $9::bigint[], $10::int[], $11::bigint[]) AS u(s, b, n, f, d, v, g, fi, fo, li, lo)
            ON CONFLICT (sensor_id, boot_id) DO UPDATE
            SET next_sequence = EXCLUDED.next_sequence, frames = b.frames + EXCLUDED.frames,
                duplicates = b.duplicates + EXCLUDED.duplicates, version = EXCLUDED.version,
                given_up = b.given_up + EXCLUDED.given_up, last_at = EXCLUDED.last_at,
                first_incarnation = CASE WHEN EXCLUDED.stream IS NULL OR EXCLUDED.stream = b.stream
                                         THEN b.first_incarnation ELSE EXCLUDED.first_incarnation END,
                first_offset = CASE WHEN EXCLUDED.stream IS NULL OR EXCLUDED.stream = b.stream
                                    THEN b.first_offset ELSE EXCLUDED.first_offset END,
                last_incarnation = coalesce(EXCLUDED.last_incarnation, b.last_incarnation),
                last_offset = coalesce(EXCLUDED.last_offset, b.last_offset),
                stream = coalesce(EXCLUDED.stream, b.stream)
            WHERE b.version = EXCLUDED.version - 1
            """,
            [
                .integers(changes.map { Int64($0.key.sensor) }), .integers(changes.map(\.key.boot)),
                .integers(changes.map(\.ledger.next)), .integers(changes.map(\.frames)),
                .integers(changes.map(\.duplicates)), .integers(changes.map { $0.version + 1 }),
                .integers(changes.map(\.givenUp)), .integers(changes.map(\.first?.incarnation)),
                .integers(changes.map(\.first?.offset)),
                .integers(changes.map { $0.first == nil ? nil : $0.last?.incarnation }),
                .integers(changes.map { $0.first == nil ? nil : $0.last?.offset }), .text(stream),
            ])
        guard updated.affected == changes.count else { throw IngestConflict.ledgerChanged }
        try writeGaps(changes, session)
    }

    private static func writeGaps(_ changes: [LedgerBook.Change], _ session: borrowing Session) throws {
        let removed = changes.flatMap { change in change.gapsRemoved.map { (change.key, $0) } }
        var removedAt: [LedgerBook.Key: [Int64: Timestamp]] = [:]
        if !removed.isEmpty {
            let rows = try session.query(
                """
                DELETE FROM sequence_gap g USING unnest($1::int[], $2::bigint[], $3::bigint[]) AS r(s, b, f)
                WHERE g.sensor_id = r.s AND g.boot_id = r.b AND g.first_sequence = r.f
                RETURNING g.sensor_id, g.boot_id, g.first_sequence,
                          (extract(epoch FROM g.noted_at) * 1000000)::bigint AS noted_us
                """,
                [
                    .integers(removed.map { Int64($0.0.sensor) }), .integers(removed.map(\.0.boot)),
                    .integers(removed.map(\.1.range.lowerBound)),
                ])
            for row in rows.rows {
                guard let sensor = row.integer("sensor_id"), let boot = row.integer("boot_id"),
                    let first = row.integer("first_sequence"), let noted = row.integer("noted_us")
                else { continue }
                removedAt[LedgerBook.Key(sensor: Int32(sensor), boot: boot), default: [:]][first] =
                    Timestamp(unixNanoseconds: noted * 1000)
            }
        }
        let added = changes.flatMap { change in change.gapsAdded.map { (change.key, $0) } }
        guard !added.isEmpty else { return }
        try session.query(
            """
            INSERT INTO sequence_gap (sensor_id, boot_id, first_sequence, last_sequence, missing, cause, noted_at)
            SELECT s, b, f, l, m, c, coalesce(at, now())
              FROM unnest($1::int[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[],
                          $7::timestamptz[]) AS u(s, b, f, l, m, c, at)
            """,
            [
                .integers(added.map { Int64($0.0.sensor) }), .integers(added.map(\.0.boot)),
                .integers(added.map(\.1.range.lowerBound)), .integers(added.map(\.1.range.upperBound)),
                .integers(added.map(\.1.missing)), .texts(added.map(\.1.cause.rawValue)),
                .times(changes.flatMap { $0.notedAt(removedAt[$0.key] ?? [:]) }),
            ])
    }

    /// Writes payloads that can't be stored.
    static func write(_ payloads: [QuarantinedPayload], _ session: borrowing Session) throws {
        for payload in payloads {
            try session.query(
                """
                INSERT INTO quarantine (reason, detail, routing_key, source, incarnation, stream_offset, received_at,
                                        length, hash, payload, serial, boot_id, sequence)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
                """,
                [
                    .text(payload.rejection.reason.rawValue), .text(payload.rejection.detail), .text(payload.key),
                    .text(payload.source), .integer(payload.incarnation), .integer(payload.offset),
                    .time(payload.received), .integer(Int64(payload.body.count)),
                    .integer(Fingerprint.payload(payload.body)),
                    .bytes(Array(payload.body.prefix(QuarantinedPayload.bytesMax))), .text(payload.serial?.text),
                    .integer(payload.position?.boot), .integer(payload.position?.sequence),
                ])
        }
    }

    private static func write(
        _ holes: [ClosedRange<Int64>], _ lease: PartitionLease, _ session: borrowing Session
    ) throws {
        for hole in holes {
            try session.query(
                """
                INSERT INTO stream_hole (stream, incarnation, first_offset, last_offset, cause)
                VALUES ($1, $2, $3, $4, 'broker_retention')
                """,
                [
                    .text(lease.stream), .integer(lease.incarnation), .integer(hole.lowerBound),
                    .integer(hole.upperBound),
                ])
        }
    }

    static func write(
        _ places: [(sensor: Int32, time: Timestamp, place: Place)], _ session: borrowing Session
    ) throws {
        guard !places.isEmpty else { return }
        try session.query(
            """
            INSERT INTO location (sensor_id, "time", latitude, longitude, altitude)
            SELECT * FROM unnest($1::int[], $2::timestamptz[], $3::float8[], $4::float8[], $5::float8[])
            """,
            [
                .integers(places.map { Int64($0.sensor) }), .times(places.map(\.time)),
                .doubles(places.map(\.place.latitude)), .doubles(places.map(\.place.longitude)),
                .doubles(places.map(\.place.altitude)),
            ])
    }

    static func write(_ values: [LatestValue], _ session: borrowing Session) throws {
        guard !values.isEmpty else { return }
        try session.query(
            """
            INSERT INTO latest AS l (sensor_id, channel, "time", received_at, value, min, max, rms, sample_rate_hz,
                                     clock, clock_offset_s)
            SELECT * FROM unnest($1::int[], $2::smallint[], $3::timestamptz[], $4::timestamptz[], $5::float8[],
                                 $6::float8[], $7::float8[], $8::float8[], $9::float8[], $10::smallint[], $11::float8[])
            ON CONFLICT (sensor_id, channel) DO UPDATE
            SET "time" = EXCLUDED."time", received_at = EXCLUDED.received_at, value = EXCLUDED.value,
                min = EXCLUDED.min, max = EXCLUDED.max, rms = EXCLUDED.rms, sample_rate_hz = EXCLUDED.sample_rate_hz,
                clock = EXCLUDED.clock, clock_offset_s = EXCLUDED.clock_offset_s
            WHERE l."time" <= EXCLUDED."time"
            """,
            [
                .integers(values.map { Int64($0.sensor) }), .integers(values.map { Int64($0.channel) }),
                .times(values.map(\.time)), .times(values.map(\.received)), .doubles(values.map(\.value)),
                .doubles(values.map(\.statistics.min)), .doubles(values.map(\.statistics.max)),
                .doubles(values.map(\.statistics.rms)), .doubles(values.map(\.rateHertz)),
                .integers(values.map { Int64($0.clock.rawValue) }), .doubles(values.map(\.clockOffsetSeconds)),
            ])
    }

    private static func write(
        _ states: [(sensor: Int32, channel: Int16, state: LimitState)], _ session: borrowing Session
    ) throws {
        guard !states.isEmpty else { return }
        try session.query(
            """
            INSERT INTO alarm_state AS a (sensor_id, channel, alarm_id, side, since_ns, as_of_ns)
            SELECT * FROM unnest($1::int[], $2::smallint[], $3::text[], $4::text[], $5::bigint[], $6::bigint[])
            ON CONFLICT (sensor_id, channel) DO UPDATE
            SET alarm_id = EXCLUDED.alarm_id, side = EXCLUDED.side, since_ns = EXCLUDED.since_ns,
                as_of_ns = EXCLUDED.as_of_ns
            WHERE a.as_of_ns <= EXCLUDED.as_of_ns
            """,
            [
                .integers(states.map { Int64($0.sensor) }), .integers(states.map { Int64($0.channel) }),
                .texts(states.map(\.state.raised?.id)), .texts(states.map(\.state.raised?.side.rawValue)),
                .integers(states.map(\.state.raised?.since.unixNanoseconds)),
                .integers(states.map(\.state.asOf?.unixNanoseconds)),
            ])
    }
}
