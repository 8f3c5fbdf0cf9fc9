public import Model
public import Postgres
public import Time

/// A payload for the table `quarantine`.
public struct QuarantinedPayload: Sendable {
    /// Bytes of a payload that are kept: 64 KiB.
    public static let bytesMax = 65_536

    /// The reason of the rejection.
    public var rejection: Rejection
    /// The routing key that it was published with.
    public var key: String
    /// The queue or stream that it came from.
    public var source: String
    /// The stream's incarnation; nil for queues.
    public var incarnation: Int64?
    /// Its offset in the stream.
    public var offset: Int64?
    /// The time at which the broker received it.
    public var received: Timestamp?
    /// The whole payload.
    public var body: [UInt8]
    /// The sensor, if the routing key names one.
    public var serial: SerialNumber?
    /// The boot and sequence of the frame, if they can be read.
    public var position: FramePosition?
    /// Whether the queue may have delivered it before: then it may be in `quarantine` already.
    public var isRedelivered: Bool

    /// A rejected payload; for a queue without incarnation and offset.
    public init(
        rejection: Rejection, key: String, source: String, incarnation: Int64? = nil, offset: Int64? = nil,
        received: Timestamp?, body: [UInt8], serial: SerialNumber? = nil, position: FramePosition? = nil,
        isRedelivered: Bool = false
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
        self.isRedelivered = isRedelivered
    }
}

/// The content of one transaction of measurements-ingester.
public struct IngestBatch: Sendable {
    /// The lease under which the batch is stored, with the offset before the batch.
    public var lease: PartitionLease
    /// The offset of the batch's last message.
    public var lastOffset: Int64
    /// The fingerprint of the last message.
    public var lastFingerprint: Int64
    /// The time at which the broker received the last message.
    public var lastReceived: Timestamp
    /// The version of sensors' names that the numbers of sensors in here are of; nil: there is none in here.
    public var names: Int64?
    /// The rows of `measurement`.
    public var measurements: [MeasurementRow] = []
    /// The ledger's changes.
    public var ledger: [LedgerCache.Change] = []
    /// Payloads that can't be stored.
    public var quarantine: [QuarantinedPayload] = []
    /// Messages that were dropped before they were read, or that the broker could not deliver.
    public var holes: [MissingOffsets] = []
    /// Changed places of sensors.
    public var places: [(sensor: SensorID, time: Timestamp, place: GeoPosition)] = []
    /// Newest values that are due.
    public var latest: [LatestValue] = []
    /// Event captures with frames in here.
    public var captures: Set<StoredCapture> = []

    /// A batch without content.
    public init(lease: PartitionLease, lastOffset: Int64, lastFingerprint: Int64, lastReceived: Timestamp) {
        self.lease = lease
        self.lastOffset = lastOffset
        self.lastFingerprint = lastFingerprint
        self.lastReceived = lastReceived
    }
}

/// A conflict with another writer, by which a batch could not be committed.
public enum IngestConflict: Error, Sendable, Equatable {
    /// Another replica holds the partition, or has moved its offset.
    case leaseLost
    /// Another writer stored frames of the same sensor: its ledger must be read again.
    case ledgerChanged
    /// Sensors were deleted or renamed: the numbers of sensors must be read again.
    case namesChanged
}

extension StoreConnection {
    /// Stores a batch and moves the partition's offset, in one transaction.
    /// - Parameter closedTo: rows from before this are late for the rollups, as far as the caller knows.
    /// - Returns: that time, as far as it is known after the commit.
    /// - Throws: `IngestConflict` or `StoreError`; after `StoreError.lost`, `position(of:)` says whether the batch was
    ///   committed.
    @discardableResult
    public func commit(
        _ batch: IngestBatch, closedTo: Timestamp = Timestamp(unixNanoseconds: .min)
    ) throws -> Timestamp {
        do {
            try commit(batch, lateBefore: closedTo)
            return closedTo
        } catch let error as StoreError where error.sqlState == "IOT01" {
            throw IngestConflict.leaseLost
        } catch let error as StoreError where error.sqlState == Self.namesChanged {
            throw IngestConflict.namesChanged
        } catch let error as StoreError where error.sqlState == "IOT02" {
            // More minutes were closed meanwhile. Rows that are noted as late without being late do no harm.
            try commit(batch, lateBefore: Timestamp(unixNanoseconds: .max))
            return try minutesClosedTo()
        }
    }

    private func commit(_ batch: IngestBatch, lateBefore: Timestamp) throws {
        try transaction(
            timeout: Self.commitTimeout,
            prelude: """
                SELECT pg_advisory_xact_lock(\(Self.lockKey(batch.lease.stream))); \
                SELECT names_hold(\(batch.names)::bigint)
                """
        ) { session in
            try session.copy(batch.measurements, to: MeasurementRow.copyTarget) { $1.append($0) }
            try Self.noteLate(batch.measurements.filter { $0.time < lateBefore }, session)
            try Self.write(batch.captures, session)
            try Self.write(batch.ledger, stream: batch.lease.stream, session)
            try Self.write(batch.quarantine, session)
            try Self.write(batch.holes, batch.lease, session)
            try Self.write(batch.places, session)
            try Self.write(batch.latest, session)
            let oldest = batch.measurements.lazy.map(\.time).filter { $0 >= lateBefore }.min()
            try session.commit(
                with: """
                    SELECT ingest_commit(\(batch.lease.stream), \(batch.lease.epoch), \
                    \(batch.lease.incarnation)::int, \(batch.lease.committed), \(batch.lastOffset), \
                    \(batch.lastFingerprint), \(batch.lastReceived), \(oldest), true)
                    """)
        }
    }

    /// The longest time that a batch may take: a batch is small, and a replica whose server does not answer must not keep
    /// its partition.
    static let commitTimeout: Duration = .seconds(20)

    /// The advisory lock that a batch's transaction holds: "iot" in ASCII, and the stream. It shows other sessions which
    /// server process writes a partition, also through a pooler.
    private static func lockKey(_ stream: String) -> SQL { "\(0x69_6F_74), hashtext(\(stream))" }

    /// Ends the server processes that are still in a transaction of the lease's partition, and waits until they have ended,
    /// so that afterwards it is certain what is committed. A replica that was suspended or cut off in the middle of a COPY
    /// would otherwise hold its locks indefinitely.
    /// - Returns: the number of ended processes; 0 if the lease is lost.
    /// - Throws: `StoreError`; 55006, "object in use", if a process does not end.
    @discardableResult
    public func endOtherWriters(of lease: PartitionLease) throws -> Int {
        let ended = try fetch(
            """
            SELECT pg_terminate_backend(pid, 5000) AS ended FROM pg_locks
             WHERE locktype = 'advisory' AND classid = \(0x69_6F_74)::oid AND objsubid = 2 AND pid <> pg_backend_pid()
               AND objid::bigint = hashtext(\(lease.stream))::bigint & 4294967295
               AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
               AND EXISTS (SELECT FROM ingest_partition WHERE stream = \(lease.stream) AND epoch = \(lease.epoch))
            """, timeout: .seconds(10))
        guard try ended.allSatisfy({ try $0.flag("ended") }) else {
            throw StoreError.failed(
                operation: "ending other writers of \(lease.stream)", sqlState: "55006",
                message: "a server process does not end")
        }
        return ended.count
    }

    /// A hypertable that an ingester writes.
    public enum ChunkedTable: String, Sendable {
        /// The samples.
        case measurement
        /// The places of sensors.
        case location
    }

    /// The time range of the chunk for a time. A missing chunk is created in a short transaction of its own.
    /// - Throws: `StoreError`.
    public func chunk(of table: ChunkedTable, at time: Timestamp) throws -> Range<Timestamp> {
        // A session that is suspended in here makes all others wait for this time.
        let row = try transaction(timeout: .seconds(4)) { session in
            try session.fetchOne(
                """
                SELECT \(microseconds("starts")) AS starts_us, \(microseconds("ends")) AS ends_us
                  FROM ingest_chunk(\(table.rawValue), \(time))
                """)
        }
        let (starts, ends) = (try row.time("starts_us"), try row.time("ends_us"))
        guard starts < ends else { throw StoreError.unexpected("a chunk of \(table.rawValue) that is empty") }
        return starts..<ends
    }

    /// Writes newest values in a transaction of their own. Values of sensors that were deleted with their history are left
    /// out.
    /// - Parameter names: as `IngestBatch.names`.
    /// - Throws: `IngestConflict.namesChanged` or `StoreError`.
    public func commit(latest: [LatestValue], names: Int64? = nil) throws {
        do { try write(latest: latest, names: names) } catch let error as StoreError
            where error.sqlState == Self.namesChanged
        {
            throw IngestConflict.namesChanged
        }
    }

    private func write(latest: [LatestValue], names: Int64?) throws {
        try transaction(prelude: "SELECT names_hold(\(names)::bigint)") { session in
            let sensors = Set(latest.map(\.channel.sensor)).sorted()
            let rows = try session.fetch("SELECT sensor_id FROM sensor WHERE sensor_id = ANY (\(sensors)::int[])")
            let known = Set(try rows.map { try $0.sensorID("sensor_id") })
            try Self.write(latest.filter { known.contains($0.channel.sensor) }, session)
        }
    }

    /// Writes the ledger's changes, in the transaction that stores the frames.
    static func write(
        _ changes: [LedgerCache.Change], stream: String?, _ session: borrowing Session
    ) throws {
        guard !changes.isEmpty else { return }
        let lasts = changes.map { $0.first == nil ? nil : $0.last }
        let updated = try session.run(
            """
            INSERT INTO sensor_boot AS b (sensor_id, boot_id, next_sequence, frames, duplicates, version, given_up,
                                          first_incarnation, first_offset, last_incarnation, last_offset, stream, last_at)
            SELECT u.*, CASE WHEN u.lo IS NOT NULL THEN \(stream)::text END, now()
              FROM unnest(\(changes.map(\.key.sensor))::int[], \(changes.map(\.key.boot))::bigint[],
                          \(changes.map(\.ledger.next))::bigint[], \(changes.map(\.frames))::bigint[],
                          \(changes.map(\.duplicates))::bigint[], \(changes.map { $0.version + 1 })::bigint[],
                          \(changes.map(\.givenUp))::bigint[], \(changes.map(\.first?.incarnation))::int[],
                          \(changes.map(\.first?.offset))::bigint[], \(lasts.map(\.?.incarnation))::int[],
                          \(lasts.map(\.?.offset))::bigint[]) AS u(s, b, n, f, d, v, g, fi, fo, li, lo)
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
            """)
        guard updated == changes.count else { throw IngestConflict.ledgerChanged }
        try writeGaps(changes, session)
    }

    private static func writeGaps(_ changes: [LedgerCache.Change], _ session: borrowing Session) throws {
        let removed = changes.flatMap { change in change.gapsRemoved.map { (change.key, $0) } }
        var removedAt: [LedgerCache.Key: [Int64: Timestamp]] = [:]
        if !removed.isEmpty {
            let rows = try session.fetch(
                """
                DELETE FROM sequence_gap g
                USING unnest(\(removed.map(\.0.sensor))::int[], \(removed.map(\.0.boot))::bigint[],
                             \(removed.map(\.1.range.lowerBound))::bigint[]) AS r(s, b, f)
                WHERE g.sensor_id = r.s AND g.boot_id = r.b AND g.first_sequence = r.f
                RETURNING g.sensor_id, g.boot_id, g.first_sequence,
                          \(microseconds("g.noted_at")) AS noted_us
                """)
            let (sensor, boot) = (try rows.column("sensor_id"), try rows.column("boot_id"))
            let (first, noted) = (try rows.column("first_sequence"), try rows.column("noted_us"))
            for row in rows {
                let key = LedgerCache.Key(sensor: try row.sensorID(sensor), boot: try row.integer(boot))
                removedAt[key, default: [:]][try row.integer(first)] = try row.time(noted)
            }
        }
        let added = changes.flatMap { change in change.gapsAdded.map { (change.key, $0) } }
        guard !added.isEmpty else { return }
        let notedAt = changes.flatMap { $0.notedAt(removedAt[$0.key] ?? [:]) }
        try session.run(
            """
            INSERT INTO sequence_gap (sensor_id, boot_id, first_sequence, last_sequence, missing, cause, noted_at)
            SELECT s, b, f, l, m, c, coalesce(at, now())
              FROM unnest(\(added.map(\.0.sensor))::int[], \(added.map(\.0.boot))::bigint[],
                          \(added.map(\.1.range.lowerBound))::bigint[], \(added.map(\.1.range.upperBound))::bigint[],
                          \(added.map(\.1.missing))::bigint[], \(added.map(\.1.cause))::text[],
                          \(notedAt)::timestamptz[]) AS u(s, b, f, l, m, c, at)
            """)
    }

    /// Writes payloads into the quarantine.
    static func write(_ payloads: [QuarantinedPayload], _ session: borrowing Session) throws {
        for payload in payloads {
            let position = payload.position
            try session.run(
                """
                INSERT INTO quarantine (reason, detail, routing_key, source, incarnation, stream_offset, received_at,
                                        length, hash, payload, serial, boot_id, sequence)
                VALUES (\(payload.rejection.reason), \(payload.rejection.detail), \(payload.key), \(payload.source),
                        \(payload.incarnation), \(payload.offset), \(payload.received), \(payload.body.count),
                        \(Fingerprint.payload(payload.body)),
                        \(Array(payload.body.prefix(QuarantinedPayload.bytesMax))), \(payload.serial),
                        \(position?.boot), \(position?.sequence))
                """)
        }
    }

    private static func write(
        _ holes: [MissingOffsets], _ lease: PartitionLease, _ session: borrowing Session
    ) throws {
        for hole in holes {
            try session.run(
                """
                INSERT INTO stream_hole (stream, incarnation, first_offset, last_offset, cause)
                VALUES (\(lease.stream), \(lease.incarnation), \(hole.offsets.lowerBound), \(hole.offsets.upperBound),
                        \(hole.cause))
                """)
        }
    }

    static func write(
        _ places: [(sensor: SensorID, time: Timestamp, place: GeoPosition)], _ session: borrowing Session
    ) throws {
        guard !places.isEmpty else { return }
        try session.run(
            """
            INSERT INTO location (sensor_id, "time", latitude, longitude, altitude)
            SELECT * FROM unnest(\(places.map(\.sensor))::int[], \(places.map(\.time))::timestamptz[],
                                 \(places.map(\.place.latitude))::float8[], \(places.map(\.place.longitude))::float8[],
                                 \(places.map(\.place.altitude))::float8[])
            """)
    }

    static func write(_ values: [LatestValue], _ session: borrowing Session) throws {
        guard !values.isEmpty else { return }
        try session.run(
            """
            INSERT INTO latest AS l (sensor_id, channel, "time", received_at, value, min, max, rms, sample_rate_hz,
                                     clock, clock_offset_s)
            SELECT * FROM unnest(\(values.map(\.channel.sensor))::int[], \(values.map(\.channel.number))::smallint[],
                                 \(values.map(\.time))::timestamptz[], \(values.map(\.received))::timestamptz[],
                                 \(values.map(\.value))::float8[], \(values.map(\.statistics.min))::float8[],
                                 \(values.map(\.statistics.max))::float8[], \(values.map(\.statistics.rms))::float8[],
                                 \(values.map(\.rateHertz))::float8[], \(values.map(\.clock))::smallint[],
                                 \(values.map(\.clockOffsetSeconds))::float8[])
            ON CONFLICT (sensor_id, channel) DO UPDATE
            SET "time" = EXCLUDED."time", received_at = coalesce(EXCLUDED.received_at, l.received_at), value = EXCLUDED.value,
                min = EXCLUDED.min, max = EXCLUDED.max, rms = EXCLUDED.rms, sample_rate_hz = EXCLUDED.sample_rate_hz,
                clock = EXCLUDED.clock, clock_offset_s = EXCLUDED.clock_offset_s
            WHERE l."time" <= EXCLUDED."time"
            """)
    }
}
