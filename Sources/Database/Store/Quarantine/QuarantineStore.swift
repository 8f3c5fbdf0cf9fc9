public import Model
public import Postgres
public import Time

/// A row of `quarantine` without its payload.
public struct QuarantineRecord: Sendable, Equatable {
    /// Its number.
    public var id: Int64
    /// When it was put into quarantine.
    public var at: Timestamp?
    /// The reason: a raw value of `RejectionReason`, or one of a later release.
    public var reason: String
    /// What exactly is wrong, in one sentence.
    public var detail: String
    /// The routing key it was published with.
    public var key: String
    /// The queue or stream that it came from.
    public var source: String
    /// The stream's incarnation; nil for queues.
    public var incarnation: Int64?
    /// Its offset in the stream; nil for queues.
    public var offset: Int64?
    /// The broker's timestamp.
    public var received: Timestamp?
    /// Size of the payload in bytes.
    public var length: Int
    /// The number of bytes that are kept.
    public var kept: Int
    /// FNV-1a hash (64 bits) of the whole payload.
    public var hash: Int64
    /// The sensor in its routing key; nil if the key names none.
    public var serial: String?
    /// The boot of the sensor, from the payload's header.
    public var boot: Int64?
    /// The sequence number of the frame, from the payload's header.
    public var sequence: Int64?
}

/// Selects rows of `quarantine`; a condition that is nil or empty selects all.
public struct QuarantineFilter: Sendable {
    /// Only rows with these numbers.
    public var ids: [Int64] = []
    /// Only rows with this reason.
    public var reason: String?
    /// Only rows of this sensor.
    public var serial: String?
    /// Only rows that were put into quarantine within this time before the database's clock.
    public var within: Duration?
    /// Only rows above this number, in order of number, to read all rows page by page; nil: the newest first.
    public var after: Int64?
    /// The maximum number of rows.
    public var countMax: Int

    /// Selects all rows, at most `countMax`.
    public init(countMax: Int) { self.countMax = countMax }
}

/// Frames from quarantine: the rows that one transaction stores, and the rows of `quarantine` that it deletes.
public struct QuarantineBatch: Sendable {
    /// The rows of `quarantine` that the frames come from.
    public var ids: [Int64]
    /// The version of sensors' names that the numbers of sensors in here are of; nil: there is none in here.
    public var names: Int64?
    /// The rows of `measurement`.
    public var measurements: [MeasurementRow] = []
    /// The ledger's changes.
    public var ledger: [LedgerCache.Change] = []
    /// New positions of sensors.
    public var places: [(sensor: SensorID, time: Timestamp, place: GeoPosition)] = []
    /// New latest values.
    public var latest: [LatestValue] = []
    /// Event captures with frames in here.
    public var captures: Set<StoredCapture> = []

    /// A batch that deletes these rows and stores nothing yet.
    public init(ids: [Int64]) { self.ids = ids }
}

/// Why rows of quarantine could not be deleted although the database works.
public enum QuarantineConflict: Error, Sendable, Equatable {
    /// Another client replayed or dropped one of the rows.
    case gone
    /// Another client is replaying the row.
    case busy
}

extension StoreConnection {
    /// Reads the rows of `quarantine` that match the filter.
    /// - Throws: `StoreError`.
    public func quarantined(_ filter: QuarantineFilter) throws -> [QuarantineRecord] {
        let order: SQL = filter.after == nil ? "DESC" : "ASC"
        return try fetch(
            """
            SELECT quarantine_id, \(microseconds("at")) AS at_us, reason, detail, routing_key, source,
                   incarnation, stream_offset, \(microseconds("received_at")) AS received_us, length,
                   octet_length(payload) AS kept, hash, serial, boot_id, sequence
              FROM quarantine
             WHERE true \(ifPresent: filter.ids.isEmpty ? nil : filter.ids, { "AND quarantine_id = ANY (\($0)::bigint[])" })
               \(ifPresent: filter.reason, { "AND reason = \($0)" })
               \(ifPresent: filter.serial, {
                    "AND (serial = \($0) OR starts_with(routing_key, 'sensor_' || \($0)::text || '.'))"
               })
               \(ifPresent: filter.within, { "AND at >= now() - make_interval(secs => \($0.seconds))" })
               \(ifPresent: filter.after, { "AND quarantine_id > \($0)" })
             ORDER BY quarantine_id \(order) LIMIT \(filter.countMax)
            """
        ).map(Self.quarantineRecord)
    }

    private static func quarantineRecord(_ row: Row) throws -> QuarantineRecord {
        QuarantineRecord(
            id: try row.integer("quarantine_id"), at: try row.time("at_us"), reason: try row.text("reason"),
            detail: try row.text("detail"), key: try row.text("routing_key"), source: try row.text("source"),
            incarnation: try row.optionalInteger("incarnation"), offset: try row.optionalInteger("stream_offset"),
            received: try row.optionalTime("received_us"), length: try row.integer("length", as: Int.self),
            kept: try row.integer("kept", as: Int.self), hash: try row.integer("hash"),
            serial: try row.optionalText("serial"), boot: try row.optionalInteger("boot_id"),
            sequence: try row.optionalInteger("sequence"))
    }

    /// Reads the kept payloads, by number of the row; at most 64 KiB each. Rows that no longer exist are left out.
    /// - Throws: `StoreError`.
    public func quarantinePayloads(_ ids: [Int64]) throws -> [Int64: [UInt8]] {
        let rows = try fetch(
            """
            SELECT quarantine_id, encode(payload, 'hex') AS payload FROM quarantine
             WHERE quarantine_id = ANY (\(ids)::bigint[])
            """)
        var payloads: [Int64: [UInt8]] = [:]
        for row in rows { payloads[try row.integer("quarantine_id")] = try row.bytes("payload") }
        return payloads
    }

    /// Stores frames and deletes their rows from quarantine, in one transaction.
    /// - Throws: `QuarantineConflict.gone`, `IngestConflict.ledgerChanged` or `StoreError`; nothing has changed then,
    ///   but after `StoreError.lost` the result is unknown. In each case the caller may retry: a row that still exists
    ///   has not been stored.
    public func commit(_ batch: QuarantineBatch) throws {
        do { try write(batch) } catch let error as StoreError where error.sqlState == Self.namesChanged {
            throw IngestConflict.namesChanged
        }
    }

    private func write(_ batch: QuarantineBatch) throws {
        try transaction(prelude: "SELECT names_hold(\(batch.names)::bigint)") { session in
            // First, so that the second of two concurrent transactions waits here and then finds no row.
            try Self.takeOut(batch.ids, session)
            try session.copy(batch.measurements, to: MeasurementRow.copyTarget) { $1.append($0) }
            try Self.noteLate(batch.measurements, session)
            try Self.write(batch.ledger, stream: nil, session)
            try Self.write(batch.places, session)
            try Self.write(batch.latest, session)
            try Self.write(batch.captures, session)
        }
    }

    private static func takeOut(_ ids: [Int64], _ session: borrowing Session) throws {
        let deleted = try session.run("DELETE FROM quarantine WHERE quarantine_id = ANY (\(ids)::bigint[])")
        guard deleted == ids.count else { throw QuarantineConflict.gone }
    }

    /// Reserves a row of quarantine for this connection until `release(quarantined:)`, or until the connection ends.
    /// - Throws: `QuarantineConflict` or `StoreError`.
    public func claim(quarantined id: Int64) throws {
        guard try fetchOne("SELECT pg_try_advisory_lock(\(Self.lock(id))) AS is_ours").flag("is_ours") else {
            throw QuarantineConflict.busy
        }
        // The client that held the lock before may have deleted the row.
        if try fetch("SELECT FROM quarantine WHERE quarantine_id = \(id)").isEmpty {
            release(quarantined: id)
            throw QuarantineConflict.gone
        }
    }

    /// Lets other clients replay a row again.
    public func release(quarantined id: Int64) {
        // If the connection is lost, so is the lock.
        _ = try? run("SELECT pg_advisory_unlock(\(Self.lock(id)))")
    }

    /// The key of a row's advisory lock, which the session holds: "iotq" in ASCII, and the row's number.
    private static func lock(_ id: Int64) -> SQL {
        "\(0x69_6F_74_71)::bigint << 32 | \(UInt32(truncatingIfNeeded: id))::bigint"
    }

    /// Whether the registry received a message of a sensor at this time or later.
    /// - Throws: `StoreError`.
    public func isKnown(_ serial: SerialNumber, since time: Timestamp) throws -> Bool {
        try !fetch("SELECT FROM sensor WHERE serial = \(serial) AND last_seen >= \(time)").isEmpty
    }

    /// Whether a sensor is offline, or was lost a moment ago.
    /// - Throws: `StoreError`.
    public func isOffline(_ serial: SerialNumber) throws -> Bool {
        try !fetch("SELECT FROM sensor WHERE serial = \(serial) AND presence IN ('lost', 'offline')").isEmpty
    }

    /// Whether quarantine has a payload with the same key that arrived later than this one.
    /// - Throws: `StoreError`.
    public func hasNewer(_ record: QuarantineRecord) throws -> Bool {
        try !fetch(
            """
            SELECT FROM quarantine WHERE serial = \(record.serial) AND routing_key = \(record.key)
                AND (coalesce(received_at, at), quarantine_id)
                    > (\(record.received ?? record.at)::timestamptz, \(record.id)::bigint) LIMIT 1
            """
        ).isEmpty
    }

    /// Deletes rows of quarantine; rows that no longer exist are ignored.
    /// - Returns: the number of deleted rows.
    /// - Throws: `StoreError`.
    public func dropQuarantined(_ ids: [Int64]) throws -> Int {
        try run("DELETE FROM quarantine WHERE quarantine_id = ANY (\(ids)::bigint[])")
    }

    /// Reads the database's number of a sensor; nil if there is no such sensor.
    /// - Throws: `StoreError`.
    public func sensorID(of serial: SerialNumber) throws -> SensorID? {
        try fetch("SELECT sensor_id FROM sensor WHERE serial = \(serial)").first?
            .sensorID("sensor_id")
    }
}

extension Session {
    /// Leaves out payloads that a queue delivers again and that are in `quarantine` already: a registry that died
    /// between its commit and the acknowledgement stored them.
    ///
    /// The broker gives messages no identity. Two payloads with the same queue, key, arrival in milliseconds, length
    /// and hash are taken for the same message; of several such payloads as many are left out as are already stored.
    func withoutStored(_ payloads: [QuarantinedPayload]) throws -> [QuarantinedPayload] {
        let again = payloads.filter(\.isRedelivered)
        if again.isEmpty { return payloads }
        let rows = try fetch(
            """
            SELECT u.number - 1 AS index, count(q.quarantine_id) AS stored
              FROM unnest(\(again.map(\.source))::text[], \(again.map(\.key))::text[],
                          \(again.map(\.received))::timestamptz[], \(again.map(\.body.count))::bigint[],
                          \(again.map { Fingerprint.payload($0.body) })::bigint[]) WITH ORDINALITY
                AS u(source, routing_key, received_at, length, hash, number)
              JOIN quarantine q USING (source, routing_key, received_at, length, hash)
             GROUP BY u.number
            """)
        var stored: [RedeliveredPayload: Int64] = [:]
        for row in rows {
            stored[RedeliveredPayload(again[try row.integer("index", as: Int.self)])] = try row.integer("stored")
        }
        return payloads.filter { payload in
            guard payload.isRedelivered, let left = stored[RedeliveredPayload(payload)], left > 0 else { return true }
            stored[RedeliveredPayload(payload)] = left - 1
            return false
        }
    }
}

/// The properties that identify a redelivered message.
private struct RedeliveredPayload: Hashable {
    let source: String
    let key: String
    let received: Timestamp?
    let body: [UInt8]

    init(_ payload: QuarantinedPayload) {
        source = payload.source
        key = payload.key
        received = payload.received
        body = payload.body
    }
}
