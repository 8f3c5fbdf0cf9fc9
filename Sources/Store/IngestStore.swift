public import Sensors

/// A replica's right to store a partition, and how far it is stored.
public struct PartitionLease: Sendable, Equatable {
    /// The stream.
    public var stream: String
    /// Under which the right was given; it ends when the database shows another.
    public var epoch: Int64
    /// Which life of the stream.
    public var incarnation: Int64
    /// The last stored message.
    public var committed: Int64?
    /// Its fingerprint.
    public var fingerprint: Int64?
}

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
    public init(lease: PartitionLease, lastOffset: Int64, lastFingerprint: Int64) {
        self.lease = lease
        self.lastOffset = lastOffset
        self.lastFingerprint = lastFingerprint
    }
}

extension MeasurementRow {
    /// The table and its columns, in the order in which `CopyBuffer.append` writes them.
    public static let copyTarget = """
        measurement ("time", time_ns, sensor_id, channel, boot_id, sequence, sample_rate_hz, n, min, max, mean, rms, \
        received_at, device_time_ns, clock, samples, counts, count_scale, count_offset)
        """
}

extension CopyBuffer {
    /// Adds a row of `MeasurementRow.copyTarget`.
    public mutating func append(_ row: MeasurementRow) {
        beginRow(fields: 19)
        field(timeUnixMicroseconds: row.time.unixMicroseconds)
        field(row.time.nanosecondsBelowMicrosecond)
        field(row.sensor)
        field(row.channel)
        field(row.position?.boot)
        field(row.position?.sequence)
        field(row.rateHertz)
        field(Int32(row.samples.count))
        field(row.statistics.min)
        field(row.statistics.max)
        if case .value(let value) = row.samples { field(value) } else { field(row.statistics.mean) }
        field(row.statistics.rms)
        field(timeUnixMicroseconds: row.received.unixMicroseconds)
        field(row.deviceTime?.unixNanoseconds)
        field(row.clock.rawValue)
        switch row.samples {
        case .floats(let samples):
            field(samples)
            for _ in 0..<3 { null() }
        case .counts(let counts, let scale, let offset):
            null()
            field(counts)
            field(scale)
            field(offset)
        case .value: for _ in 0..<4 { null() }
        }
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
            try transaction(
                timeout: Self.commitTimeout,
                prelude: "SELECT pg_advisory_xact_lock(\(Self.lockKey(batch.lease.stream)))"
            ) { session in
                try session.copy(batch.measurements, to: MeasurementRow.copyTarget) { $1.append($0) }
                try Self.write(batch.ledger, stream: batch.lease.stream, session)
                try Self.write(batch.quarantine, session)
                try Self.write(batch.holes, batch.lease, session)
                try Self.write(batch.places, session)
                try Self.write(batch.latest, session)
                try Self.write(batch.limitStates, session)
                let before = batch.lease.committed.map(String.init) ?? "NULL"
                try session.commit(
                    with: """
                        SELECT ingest_commit('\(batch.lease.stream)', \(batch.lease.epoch), \
                        \(batch.lease.incarnation)::int, \(before), \(batch.lastOffset), \(batch.lastFingerprint))
                        """)
            }
        } catch let error as StoreError where error.sqlState == "IOT01" {
            throw IngestConflict.leaseLost
        }
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

extension StoreConnection {
    // MARK: what a batch needs to know

    /// The numbers of sensors; those that were never heard of are registered on sight.
    ///
    /// Looks before it inserts: an INSERT that finds its row uses up a number all the same. Inserts by itself and in
    /// one order everywhere, so that writers who meet the same new sensors wait for each other but never in a circle.
    /// - Throws: `StoreError`.
    public func sensorIDs(for serials: [SerialNumber]) throws -> [SerialNumber: Int32] {
        var ids = try knownSensorIDs(serials)
        let missing = Set(serials).filter { ids[$0] == nil }.sorted()
        if missing.isEmpty { return ids }
        try query(
            "INSERT INTO sensor (serial) SELECT unnest($1::text[]) ON CONFLICT (serial) DO NOTHING",
            [.texts(missing.map(\.text))])
        ids.merge(try knownSensorIDs(missing)) { _, new in new }
        return ids
    }

    private func knownSensorIDs(_ serials: [SerialNumber]) throws -> [SerialNumber: Int32] {
        let rows = try query(
            "SELECT serial, sensor_id FROM sensor WHERE serial = ANY ($1::text[])", [.texts(serials.map(\.text))])
        var ids: [SerialNumber: Int32] = [:]
        for row in rows.rows {
            guard let serial = row["serial"].flatMap({ SerialNumber($0) }), let id = row.integer("sensor_id") else {
                continue
            }
            ids[serial] = Int32(id)
        }
        return ids
    }

    /// The ledgers of boots; one that nothing is known of is empty, with version 0.
    /// - Parameter stream: whose places are meant; a boot whose last frame came by another has none.
    /// - Throws: `StoreError`.
    public func ledgers(
        for keys: [LedgerBook.Key], stream: String? = nil
    ) throws -> [LedgerBook.Key: LedgerBook.Entry] {
        // One statement, so that boot and gaps are of one moment.
        let rows = try query(
            """
            SELECT b.sensor_id, b.boot_id, b.next_sequence, b.version,
                   CASE WHEN b.stream = $3 THEN b.last_incarnation END AS last_incarnation, b.last_offset,
                   coalesce((SELECT string_agg(concat_ws('/', g.first_sequence, g.last_sequence, g.missing, g.cause), ','
                                               ORDER BY g.first_sequence)
                               FROM sequence_gap g WHERE g.sensor_id = b.sensor_id AND g.boot_id = b.boot_id), '') AS gaps
              FROM sensor_boot b JOIN unnest($1::int[], $2::bigint[]) AS k(s, b) ON b.sensor_id = k.s AND b.boot_id = k.b
            """, [.integers(keys.map { Int64($0.sensor) }), .integers(keys.map(\.boot)), .text(stream)])
        var entries = Dictionary(
            keys.map { ($0, LedgerBook.Entry(ledger: SequenceLedger(), version: 0)) },
            uniquingKeysWith: { first, _ in first })
        for row in rows.rows {
            guard let sensor = row.integer("sensor_id"), let boot = row.integer("boot_id"),
                let next = row.integer("next_sequence"), let version = row.integer("version")
            else { continue }
            let gaps = (row["gaps"] ?? "").split(separator: ",").compactMap(Self.gap)
            var entry = LedgerBook.Entry(ledger: SequenceLedger(next: next, gaps: gaps), version: version)
            if let incarnation = row.integer("last_incarnation"), let offset = row.integer("last_offset") {
                entry.last = StreamPlace(incarnation: incarnation, offset: offset)
            }
            entries[LedgerBook.Key(sensor: Int32(sensor), boot: boot)] = entry
        }
        return entries
    }

    /// A hole from "first/last/missing/cause".
    private static func gap(_ text: Substring) -> SequenceGap? {
        let parts = text.split(separator: "/")
        guard parts.count == 4, let first = Int64(parts[0]), let last = Int64(parts[1]), first <= last,
            let missing = Int64(parts[2])
        else { return nil }
        return SequenceGap(first...last, missing: missing, cause: LossCause(rawValue: String(parts[3])) ?? .late)
    }

    /// The holes of a stream, the newest `StreamHoles.countMax`.
    /// - Throws: `StoreError`.
    public func holes(of stream: String) throws -> StreamHoles {
        let rows = try query(
            """
            SELECT incarnation, first_offset, cause FROM stream_hole WHERE stream = $1
            ORDER BY incarnation DESC, first_offset DESC LIMIT \(StreamHoles.countMax)
            """, [.text(stream)])
        return StreamHoles(rows.rows.compactMap(Self.hole))
    }

    static func hole(_ row: Rows.Row) -> StreamHole? {
        guard let incarnation = row.integer("incarnation"), let offset = row.integer("first_offset"),
            let cause = row["cause"].flatMap(LossCause.init(rawValue:))
        else { return nil }
        return StreamHole(first: StreamPlace(incarnation: incarnation, offset: offset), cause: cause)
    }

    /// The numbers of a sensor's channels by name; names that are new get the next number, at most `channelsMax`.
    /// - Throws: `StoreError`.
    public func channelNumbers(
        sensor: Int32, names: [String], channelsMax: Int = 64
    ) throws -> [String: Int16] {
        try transaction { session in
            // One at a time for each sensor, so that two replicas don't give the same number.
            try session.query("SELECT 1 FROM sensor WHERE sensor_id = $1 FOR UPDATE", [.integer(Int64(sensor))])
            try session.query(
                """
                INSERT INTO channel (sensor_id, channel, name)
                SELECT $1, n.next + n.k, n.name FROM (
                    SELECT w.name, (row_number() OVER (ORDER BY w.k) - 1)::int AS k,
                           (SELECT coalesce(max(channel) + 1, 0) FROM channel WHERE sensor_id = $1) AS next
                      FROM unnest($2::text[]) WITH ORDINALITY AS w(name, k)
                     WHERE NOT EXISTS (SELECT 1 FROM channel c WHERE c.sensor_id = $1 AND c.name = w.name)
                ) n WHERE n.next + n.k < $3
                """, [.integer(Int64(sensor)), .texts(names), .integer(Int64(channelsMax))])
            let rows = try session.query(
                "SELECT name, channel FROM channel WHERE sensor_id = $1", [.integer(Int64(sensor))])
            var numbers: [String: Int16] = [:]
            for row in rows.rows {
                guard let name = row["name"], let number = row.integer("channel") else { continue }
                numbers[name] = Int16(number)
            }
            return numbers
        }
    }

    /// The newest known places of sensors.
    /// - Throws: `StoreError`.
    public func lastPlaces(of sensors: [Int32]) throws -> [Int32: Place] {
        let rows = try query(
            """
            SELECT s.id, p.latitude, p.longitude, p.altitude FROM unnest($1::int[]) AS s(id)
            CROSS JOIN LATERAL (SELECT latitude, longitude, altitude FROM location l WHERE l.sensor_id = s.id
                                ORDER BY l."time" DESC LIMIT 1) p
            """, [.integers(sensors.map { Int64($0) })])
        var places: [Int32: Place] = [:]
        for row in rows.rows {
            guard let id = row.integer("id"), let latitude = row.double("latitude"),
                let longitude = row.double("longitude"), let altitude = row.double("altitude")
            else { continue }
            places[Int32(id)] = Place(latitude: latitude, longitude: longitude, altitude: altitude)
        }
        return places
    }

    /// The states of limits, by sensor and channel.
    /// - Throws: `StoreError`.
    public func limitStates(of sensors: [Int32]) throws -> [(sensor: Int32, channel: Int16, state: LimitState)] {
        let rows = try query(
            "SELECT * FROM alarm_state WHERE sensor_id = ANY ($1::int[])", [.integers(sensors.map { Int64($0) })])
        return rows.rows.compactMap { row in
            guard let sensor = row.integer("sensor_id"), let channel = row.integer("channel") else { return nil }
            var state = LimitState(asOf: row.integer("as_of_ns").map(Timestamp.init(unixNanoseconds:)))
            if let id = row["alarm_id"], let side = row["side"].flatMap(LimitSide.init(rawValue:)),
                let since = row.integer("since_ns")
            {
                state.raised = LimitState.Raised(id: id, side: side, since: Timestamp(unixNanoseconds: since))
            }
            return (Int32(sensor), Int16(channel), state)
        }
    }

    /// A channel that has limits.
    public struct LimitedChannel: Sendable {
        /// The sensor's number.
        public var sensor: Int32
        /// The sensor.
        public var serial: SerialNumber
        /// The channel's number.
        public var channel: Int16
        /// The channel's name.
        public var name: String
        /// Its limits.
        public var limits: ChannelLimits
    }

    /// All limits that people want, from the sensors' desired properties.
    /// - Throws: `StoreError`.
    public func limitedChannels() throws -> [LimitedChannel] {
        let rows = try query(
            """
            WITH wanted AS (
                SELECT s.sensor_id, s.serial, c.channel, c.name, l.value->>'high' AS high, l.value->>'low' AS low,
                       l.value->>'hysteresis' AS hysteresis
                  FROM sensor s CROSS JOIN LATERAL jsonb_each(s.desired->'limits') AS l(name, value)
                  JOIN channel c ON c.sensor_id = s.sensor_id AND c.name = l.name
                 WHERE s.desired_changed_at IS NOT NULL AND jsonb_typeof(s.desired->'limits') = 'object'
                   AND jsonb_typeof(l.value) = 'object'
            )
            SELECT * FROM wanted
            UNION ALL
            -- An alarm whose limits are gone altogether still has to be cleared.
            SELECT s.sensor_id, s.serial, c.channel, c.name, NULL, NULL, NULL
              FROM alarm_state a JOIN sensor s USING (sensor_id) JOIN channel c USING (sensor_id, channel)
             WHERE a.alarm_id IS NOT NULL
               AND NOT EXISTS (SELECT 1 FROM wanted w WHERE w.sensor_id = a.sensor_id AND w.channel = a.channel)
            """)
        return rows.rows.compactMap { row in
            guard let sensor = row.integer("sensor_id"), let serial = row["serial"].flatMap({ SerialNumber($0) }),
                let channel = row.integer("channel"), let name = row["name"]
            else { return nil }
            let limits = ChannelLimits(
                high: row.double("high"), low: row.double("low"), hysteresis: row.double("hysteresis") ?? 0)
            return LimitedChannel(
                sensor: Int32(sensor), serial: serial, channel: Int16(channel), name: name, limits: limits)
        }
    }
}

extension StoreConnection {
    // MARK: leases

    /// How long a lease lasts without being renewed, in seconds.
    public static let leaseSeconds = 5

    /// Says that a replica lives, renews its leases and shows who holds what.
    /// - Parameter mine: the partitions that the replica works on.
    /// - Returns: the living replicas, and the partitions with their owners (nil: none, or the lease has run out).
    /// - Throws: `StoreError`.
    public func heartbeat(
        replica: String, mine: [PartitionLease]
    ) throws -> (replicas: Set<String>, partitions: [LeasePlan.Partition]) {
        try transaction(timeout: .seconds(5), lockTimeout: .seconds(3)) { session in
            try session.query(
                """
                INSERT INTO ingest_replica VALUES ($1, clock_timestamp())
                ON CONFLICT (replica) DO UPDATE SET seen_at = EXCLUDED.seen_at
                """, [.text(replica)])
            for lease in mine.sorted(by: { $0.stream < $1.stream }) {
                try session.query(
                    """
                    UPDATE ingest_partition SET lease_until = clock_timestamp() + make_interval(secs => $4)
                    WHERE stream = $1 AND owner = $2 AND epoch = $3
                    """,
                    [.text(lease.stream), .text(replica), .integer(lease.epoch), .integer(Int64(Self.leaseSeconds))])
            }
            let replicas = try session.query(
                """
                SELECT replica FROM ingest_replica
                WHERE seen_at > clock_timestamp() - make_interval(secs => \(Self.leaseSeconds))
                """)
            let partitions = try session.query(
                """
                SELECT stream, CASE WHEN lease_until > clock_timestamp() THEN owner END AS owner FROM ingest_partition
                ORDER BY stream
                """)
            return (
                Set(replicas.rows.compactMap { $0["replica"] }),
                partitions.rows.compactMap { row in
                    row["stream"].map { LeasePlan.Partition(stream: $0, owner: row["owner"]) }
                }
            )
        }
    }

    /// Takes a partition that nobody holds, under a new epoch.
    /// - Returns: nil if somebody else was quicker.
    /// - Throws: `StoreError`.
    public func take(_ stream: String, replica: String) throws -> PartitionLease? {
        let rows = try query(
            """
            UPDATE ingest_partition
               SET owner = $2, epoch = epoch + 1, lease_until = clock_timestamp() + make_interval(secs => $3)
             WHERE stream = $1 AND (owner IS NULL OR lease_until IS NULL OR lease_until < clock_timestamp())
            RETURNING stream, epoch, incarnation, committed_offset, fingerprint
            """, [.text(stream), .text(replica), .integer(Int64(Self.leaseSeconds))], timeout: .seconds(10))
        return rows.first.flatMap(Self.lease)
    }

    /// Gives a partition back, so that another can take it at once.
    /// - Throws: `StoreError`.
    public func giveBack(_ lease: PartitionLease) throws {
        try query(
            "UPDATE ingest_partition SET owner = NULL, lease_until = NULL WHERE stream = $1 AND epoch = $2",
            [.text(lease.stream), .integer(lease.epoch)], timeout: .seconds(10))
    }

    /// Takes a replica off the list of the living.
    /// - Throws: `StoreError`.
    public func leave(replica: String) throws {
        try query("DELETE FROM ingest_replica WHERE replica = $1", [.text(replica)], timeout: .seconds(10))
    }

    /// How far a partition is stored now, and under which epoch.
    /// - Throws: `StoreError`.
    public func position(of stream: String) throws -> PartitionLease? {
        try query("SELECT * FROM ingest_partition WHERE stream = $1", [.text(stream)], timeout: .seconds(10))
            .first.flatMap(Self.lease)
    }

    /// Begins a new incarnation of a stream that was made anew, and notes the loss of what may have been in the old one.
    /// - Returns: the lease to go on with.
    /// - Throws: `IngestConflict.leaseLost` or `StoreError`.
    public func reset(_ lease: PartitionLease) throws -> PartitionLease {
        try transaction { session in
            let rows = try session.query(
                """
                UPDATE ingest_partition SET incarnation = incarnation + 1, committed_offset = NULL, fingerprint = NULL
                WHERE stream = $1 AND epoch = $2 AND incarnation = $3
                RETURNING stream, epoch, incarnation, committed_offset, fingerprint
                """, [.text(lease.stream), .integer(lease.epoch), .integer(lease.incarnation)])
            guard let next = rows.first.flatMap(Self.lease) else { throw IngestConflict.leaseLost }
            try session.query(
                """
                INSERT INTO stream_hole (stream, incarnation, first_offset, last_offset, cause)
                VALUES ($1, $2, $3, NULL, 'stream_reset')
                """, [.text(lease.stream), .integer(lease.incarnation), .integer((lease.committed ?? -1) + 1)])
            return next
        }
    }

    private static func lease(_ row: Rows.Row) -> PartitionLease? {
        guard let stream = row["stream"], let epoch = row.integer("epoch"), let incarnation = row.integer("incarnation")
        else { return nil }
        return PartitionLease(
            stream: stream, epoch: epoch, incarnation: incarnation, committed: row.integer("committed_offset"),
            fingerprint: row.integer("fingerprint"))
    }
}
