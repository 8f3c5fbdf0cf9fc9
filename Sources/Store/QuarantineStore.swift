public import Sensors

/// A row of `quarantine` without its payload.
public struct QuarantineRecord: Sendable, Equatable {
    /// Its number.
    public var id: Int64
    /// When it was put there.
    public var at: Timestamp?
    /// Why: a raw value of `RejectionReason`, or one of a later release.
    public var reason: String
    /// What exactly is wrong.
    public var detail: String
    /// The key it was published with.
    public var key: String
    /// Queue or stream that it came from.
    public var source: String
    /// Which life of the stream; nil for queues.
    public var incarnation: Int64?
    /// Its offset in the stream.
    public var offset: Int64?
    /// The broker's stamp.
    public var received: Timestamp?
    /// Bytes of the payload.
    public var length: Int
    /// Bytes of it that are kept.
    public var kept: Int
    /// FNV-1a (64 bits) of the whole payload.
    public var hash: Int64
    /// The sensor in its key, if there is one.
    public var serial: String?
    /// The start of the sensor, as the payload's header says.
    public var boot: Int64?
    /// The frame's number, as the payload's header says.
    public var sequence: Int64?
}

/// Which rows of `quarantine`; what is nil or empty does not matter.
public struct QuarantineFilter: Sendable {
    /// These.
    public var ids: [Int64] = []
    /// Those with this reason.
    public var reason: String?
    /// Those of this sensor.
    public var serial: String?
    /// Those that were put there within this time.
    public var within: Duration?
    /// Those above this number, in order of number, as a way to read all page by page; nil: the newest first.
    public var after: Int64?
    /// Most that are given.
    public var countMax: Int

    /// All, at most so many.
    public init(countMax: Int) { self.countMax = countMax }
}

/// Frames out of quarantine: what one transaction writes, and the rows that it takes out.
public struct QuarantineBatch: Sendable {
    /// The rows of `quarantine` that the frames were in.
    public var ids: [Int64]
    /// The rows of `measurement`.
    public var measurements: [MeasurementRow] = []
    /// The ledger's changes.
    public var ledger: [LedgerBook.Change] = []
    /// New places.
    public var places: [(sensor: Int32, time: Timestamp, place: Place)] = []
    /// Newest values.
    public var latest: [LatestValue] = []

    /// A batch that takes these rows out and stores nothing yet.
    public init(ids: [Int64]) { self.ids = ids }
}

/// Why rows of quarantine could not be taken out although the database works.
public enum QuarantineConflict: Error, Sendable, Equatable {
    /// Somebody else replayed or dropped one of them.
    case gone
    /// Somebody else has it in hand.
    case busy
}

extension StoreConnection {
    /// The rows of `quarantine` that the filter lets through.
    /// - Throws: `StoreError`.
    public func quarantined(_ filter: QuarantineFilter) throws -> [QuarantineRecord] {
        let seconds = filter.within.map { Double($0.components.seconds) + Double($0.components.attoseconds) / 1e18 }
        let order = filter.after == nil ? "DESC" : "ASC"
        let rows = try query(
            """
            SELECT quarantine_id, (extract(epoch FROM at) * 1000000)::bigint AS at_us, reason, detail, routing_key, source,
                   incarnation, stream_offset, (extract(epoch FROM received_at) * 1000000)::bigint AS received_us, length,
                   octet_length(payload) AS kept, hash, serial, boot_id, sequence
              FROM quarantine
             WHERE (cardinality($1::bigint[]) = 0 OR quarantine_id = ANY ($1::bigint[]))
               AND ($2::text IS NULL OR reason = $2)
               AND ($3::text IS NULL OR serial = $3 OR starts_with(routing_key, 'sensor_' || $3 || '.'))
               AND ($4::float8 IS NULL OR at >= now() - make_interval(secs => $4))
               AND ($5::bigint IS NULL OR quarantine_id > $5)
             ORDER BY quarantine_id \(order) LIMIT $6
            """,
            [
                .integers(filter.ids), .text(filter.reason), .text(filter.serial), .double(seconds),
                .integer(filter.after), .integer(Int64(filter.countMax)),
            ])
        return rows.rows.map(Self.quarantineRecord)
    }

    private static func quarantineRecord(_ row: Rows.Row) -> QuarantineRecord {
        QuarantineRecord(
            id: row.integer("quarantine_id") ?? 0, at: row.time("at_us"), reason: row["reason"] ?? "",
            detail: row["detail"] ?? "", key: row["routing_key"] ?? "", source: row["source"] ?? "",
            incarnation: row.integer("incarnation"), offset: row.integer("stream_offset"),
            received: row.time("received_us"), length: Int(row.integer("length") ?? 0),
            kept: Int(row.integer("kept") ?? 0), hash: row.integer("hash") ?? 0, serial: row["serial"],
            boot: row.integer("boot_id"), sequence: row.integer("sequence"))
    }

    /// The payloads that are kept, by number of the row; at most 64 KiB each. A row that is gone is left out.
    /// - Throws: `StoreError`.
    public func quarantinePayloads(_ ids: [Int64]) throws -> [Int64: [UInt8]] {
        let rows = try query(
            """
            SELECT quarantine_id, encode(payload, 'hex') AS payload FROM quarantine
             WHERE quarantine_id = ANY ($1::bigint[])
            """, [.integers(ids)])
        var payloads: [Int64: [UInt8]] = [:]
        for row in rows.rows {
            guard let id = row.integer("quarantine_id"), let hex = row["payload"] else { continue }
            payloads[id] = unhexed(hex)
        }
        return payloads
    }

    /// Stores frames and takes their rows out of quarantine, in one transaction.
    /// - Throws: `QuarantineConflict.gone`, `IngestConflict.ledgerChanged` or `StoreError`; nothing has happened then,
    ///   but after `StoreError.lost` nobody knows. In each case it may be tried again: a row that is still there has
    ///   not been stored.
    public func commit(_ batch: QuarantineBatch) throws {
        try transaction { session in
            // First, so that of two at once the second waits here and then finds nothing.
            try Self.takeOut(batch.ids, session)
            try session.copy(batch.measurements, to: MeasurementRow.copyTarget) { $1.append($0) }
            try Self.noteLate(batch.measurements, session)
            try Self.write(batch.ledger, stream: nil, session)
            try Self.write(batch.places, session)
            try Self.write(batch.latest, session)
        }
    }

    private static func takeOut(_ ids: [Int64], _ session: borrowing Session) throws {
        let deleted = try session.query(
            "DELETE FROM quarantine WHERE quarantine_id = ANY ($1::bigint[])", [.integers(ids)])
        guard deleted.affected == ids.count else { throw QuarantineConflict.gone }
    }

    /// Keeps a row of quarantine from other replays until `release(quarantined:)`, or until this connection ends.
    /// - Throws: `QuarantineConflict` or `StoreError`.
    public func claim(quarantined id: Int64) throws {
        guard try query("SELECT pg_try_advisory_lock(\(Self.lock(id))) AS is_ours").first?.flag("is_ours") == true
        else { throw QuarantineConflict.busy }
        // Whoever had it in hand may have taken it out.
        if try query("SELECT FROM quarantine WHERE quarantine_id = $1", [.integer(id)]).count == 0 {
            release(quarantined: id)
            throw QuarantineConflict.gone
        }
    }

    /// Lets others replay a row again.
    public func release(quarantined id: Int64) {
        // Where the connection is lost, so is the lock.
        _ = try? query("SELECT pg_advisory_unlock(\(Self.lock(id)))")
    }

    /// The session's advisory lock of a row: "iotq" in ASCII, and the row's number.
    private static func lock(_ id: Int64) -> String {
        "\(0x69_6F_74_71)::bigint << 32 | \(UInt32(truncatingIfNeeded: id))"
    }

    /// Whether the registry knows of a sensor by something that arrived at a time or later.
    /// - Throws: `StoreError`.
    public func isKnown(_ serial: SerialNumber, since time: Timestamp) throws -> Bool {
        try query(
            "SELECT FROM sensor WHERE serial = $1 AND last_seen >= $2", [.text(serial.text), .time(time)]
        ).count > 0
    }

    /// Whether a sensor is known to be offline, or lost a moment ago.
    /// - Throws: `StoreError`.
    public func isOffline(_ serial: SerialNumber) throws -> Bool {
        try query("SELECT FROM sensor WHERE serial = $1 AND presence IN ('lost', 'offline')", [.text(serial.text)])
            .count > 0
    }

    /// Whether quarantine has a payload with the same key that arrived after this one.
    /// - Throws: `StoreError`.
    public func hasNewer(_ record: QuarantineRecord) throws -> Bool {
        try query(
            """
            SELECT FROM quarantine WHERE serial = $1 AND routing_key = $2
                AND (coalesce(received_at, at), quarantine_id) > ($3::timestamptz, $4::bigint) LIMIT 1
            """,
            [
                .text(record.serial), .text(record.key), .time(record.received ?? record.at), .integer(record.id),
            ]
        ).count > 0
    }

    /// Deletes rows of quarantine; those that are gone already don't matter.
    /// - Returns: how many were there.
    /// - Throws: `StoreError`.
    public func dropQuarantined(_ ids: [Int64]) throws -> Int {
        try query("DELETE FROM quarantine WHERE quarantine_id = ANY ($1::bigint[])", [.integers(ids)]).affected
    }

    /// The number of a sensor; nil if there is none of that serial.
    /// - Throws: `StoreError`.
    public func sensorID(of serial: SerialNumber) throws -> Int32? {
        try query("SELECT sensor_id FROM sensor WHERE serial = $1", [.text(serial.text)]).first?
            .integer("sensor_id").map(Int32.init(truncatingIfNeeded:))
    }
}
