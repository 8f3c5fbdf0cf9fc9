public import Sensors

/// A policy, and what is there.
public struct PolicyRecord: Sendable, Equatable {
    /// Of what.
    public var tier: StoreTier
    /// How long it is kept; nil: for ever.
    public var keep: Duration?
    /// Age at which a chunk is compressed, on the community edition; nil: never.
    public var columnstoreAfter: Duration?
    /// default, configuration or iotctl.
    public var source: String
    /// When the oldest of it may go: a row's time, or the end of a chunk.
    public var oldest: Timestamp?
    /// For how long that should have been gone.
    public var overdue: Duration

    /// That policy.
    public init(
        tier: StoreTier, keep: Duration?, columnstoreAfter: Duration? = nil, source: String = "default",
        oldest: Timestamp? = nil, overdue: Duration = .zero
    ) {
        self.tier = tier
        self.keep = keep
        self.columnstoreAfter = columnstoreAfter
        self.source = source
        self.oldest = oldest
        self.overdue = overdue
    }

    /// From when on it is a fault that the oldest is still there: jobs run hourly, and may have to wait.
    public static let overdueMax: Duration = .seconds(86_400)

    /// Whether retention does not work.
    public var isOverdue: Bool { overdue > Self.overdueMax }
}

/// Policies that the configuration of sensor-registry says: they are changed there.
public struct PolicyConfigured: Error, Sendable, Equatable, CustomStringConvertible {
    /// Which.
    public let tiers: [StoreTier]

    /// In words.
    public var description: String {
        "sensor-registry's configuration says how long \(tiers.map(\.rawValue).joined(separator: ", ")) is kept: "
            + "change it there (POLICIES or --policy)"
    }
}

/// What a rollup is short of.
public struct RollupLag: Sendable, Equatable {
    /// Seconds since the newest minute ended that is rolled up; nil before the first.
    public var seconds: Double?
    /// Rows that came late and are not added yet.
    public var lateRows: Int64

    /// That lag.
    public init(seconds: Double?, lateRows: Int64) {
        self.seconds = seconds
        self.lateRows = lateRows
    }
}

/// Whether the store is looked after.
public struct StoreUpkeep: Sendable, Equatable {
    /// What the rollups are short of.
    public var rollups: RollupLag
    /// How long what is kept, and whether that is so.
    public var policies: [PolicyRecord]
    /// How it grows.
    public var forecast: StorageForecast

    /// That.
    public init(rollups: RollupLag, policies: [PolicyRecord], forecast: StorageForecast) {
        self.rollups = rollups
        self.policies = policies
        self.forecast = forecast
    }
}

extension StoreConnection {
    /// Whether the store is looked after.
    /// - Throws: `StoreError`.
    public func upkeep() throws -> StoreUpkeep {
        StoreUpkeep(
            rollups: try rollupLag(), policies: try policies(), forecast: StorageForecast(try storagePast()))
    }

    /// All policies with what they find.
    /// - Throws: `StoreError`.
    public func policies() throws -> [PolicyRecord] {
        let rows = try query(
            """
            SELECT tier, extract(epoch FROM keep)::float8 AS keep, extract(epoch FROM columnstore_after)::float8 AS after,
                   source, CASE WHEN isfinite(oldest) THEN \(microseconds("oldest")) END AS oldest_us,
                   extract(epoch FROM overdue)::float8 AS overdue FROM retention
            """)
        let records = rows.rows.compactMap { row -> PolicyRecord? in
            guard let tier = row["tier"].flatMap(StoreTier.init(rawValue:)) else { return nil }
            return PolicyRecord(
                tier: tier, keep: row.double("keep").map { .seconds($0) },
                columnstoreAfter: row.double("after").map { .seconds($0) }, source: row["source"] ?? "",
                oldest: row.time("oldest_us"), overdue: .seconds(row.double("overdue") ?? 0))
        }
        let order = StoreTier.allCases
        return records.sorted { (order.firstIndex(of: $0.tier) ?? 0) < (order.firstIndex(of: $1.tier) ?? 0) }
    }

    /// Changes policies by hand.
    /// - Throws: `PolicyConfigured` or `StoreError`; nothing is changed then.
    public func set(policies changes: [PolicyChange]) throws {
        try transaction { session in
            let configured = try session.query("SELECT tier FROM policy WHERE source = 'configuration' FOR UPDATE")
            let tiers = Set(configured.rows.compactMap { $0["tier"].flatMap(StoreTier.init(rawValue:)) })
            let refused = StoreTier.allCases.filter { tier in
                tiers.contains(tier) && changes.contains { $0.tier == tier }
            }
            if !refused.isEmpty { throw PolicyConfigured(tiers: refused) }
            try Self.write(changes, source: "iotctl", session)
        }
    }

    /// Makes policies what the configuration says; the others stay as they are, and are free to be changed by hand.
    /// - Throws: `StoreError`.
    public func configure(policies changes: [PolicyChange]) throws {
        try transaction { session in
            try session.query(
                "UPDATE policy SET source = 'default' WHERE source = 'configuration' AND tier <> ALL ($1::text[])",
                [.texts(changes.map(\.tier.rawValue))])
            try Self.write(changes, source: "configuration", session)
        }
    }

    private static func write(
        _ changes: [PolicyChange], source: String, _ session: borrowing Session
    ) throws {
        for change in changes {
            let column = change.aspect == .keep ? "keep" : "columnstore_after"
            let seconds = change.duration.map { Double($0.components.seconds) }
            try session.query(
                "UPDATE policy SET \(column) = make_interval(secs => $2), source = $3 WHERE tier = $1",
                [.text(change.tier.rawValue), .double(seconds), .text(source)])
        }
    }

    /// Rows that `retention_apply` deletes in a transaction.
    private static let rowsAtOnce: Int64 = 10_000
    /// Rows of a tier that one round deletes, so that a flood does not keep the others waiting.
    private static let rowsOfRound: Int64 = 1_000_000

    /// Drops what is older than its policy says: on the community edition by bringing its own policies to what the
    /// table says, otherwise chunk by chunk; rows of plain tables in any case.
    /// - Returns: how many chunks or rows of each tier went.
    /// - Throws: `StoreError`.
    public func applyPolicies() throws -> [StoreTier: Int64] {
        try transaction(lockTimeout: .seconds(5)) { session in
            try session.query("SELECT retention_mark()")
            try session.query("SELECT policies_apply()")
        }
        var dropped: [StoreTier: Int64] = [:]
        for tier in StoreTier.allCases {
            var count: Int64
            repeat {
                do {
                    // Whoever waits for a chunk that is being read keeps those waiting who come behind it: not long.
                    count = try transaction(lockTimeout: .milliseconds(200)) { session in
                        try session.query("SELECT retention_apply($1) AS n", [.text(tier.rawValue)])
                            .first?.integer("n") ?? 0
                    }
                } catch let error as StoreError where error.isLockTimeout { count = 0 }  // the next time will do
                if count > 0 { dropped[tier, default: 0] += count }
            } while !tier.isChunked && count == Self.rowsAtOnce && dropped[tier, default: 0] < Self.rowsOfRound
        }
        return dropped
    }

    /// How many chunks of a hypertable, or rows of a plain table, end before `time`.
    /// - Throws: `StoreError`.
    public func countEnding(before time: Timestamp, in tier: StoreTier) throws -> Int64 {
        let sql =
            switch tier {
            case .alarm: "SELECT count(*) AS n FROM alarm WHERE raised_at < $1 AND cleared_at < $1"
            case .command:
                "SELECT count(*) AS n FROM command WHERE issued_at < $1 AND state NOT IN ('queued', 'delivered')"
            case .quarantine: "SELECT count(*) AS n FROM quarantine WHERE at < $1"
            case .history: "SELECT count(*) AS n FROM storage_history WHERE at < $1"
            default:
                """
                SELECT count(*) AS n FROM timescaledb_information.chunks WHERE hypertable_schema = current_schema()
                AND hypertable_name = '\(tier.rawValue)' AND range_end <= $1::timestamptz
                """
            }
        return try query(sql, [.time(time)]).first?.integer("n") ?? 0
    }

    /// Writes how far each stream is stored and by whom, if nobody did in the last nine seconds.
    /// - Throws: `StoreError`.
    public func recordIngest() throws { try query("SELECT ingest_record()") }

    /// Writes how large everything is and what queries cost, if nobody did in the last hour.
    /// - Parameters:
    ///   - diskBytes: size of the database's volume; nil: not known.
    ///   - diskFreeBytes: free bytes of it; nil: what the database leaves.
    /// - Throws: `StoreError`.
    public func recordHistory(diskBytes: Int64?, diskFreeBytes: Int64?) throws {
        try query("SELECT storage_record($1, $2)", [.integer(diskBytes), .integer(diskFreeBytes)])
        try query("SELECT query_record()")
    }

    /// The database's sizes of the past days, oldest first.
    /// - Throws: `StoreError`.
    public func storagePast(days: Int = 7) throws -> [StorageForecast.Point] {
        let rows = try query(
            """
            SELECT \(microseconds("at")) AS at_us, total_bytes, disk_free_bytes FROM storage_history
             WHERE tier = '(database)' AND at > now() - make_interval(days => $1) ORDER BY at
            """, [.integer(Int64(days))])
        return rows.rows.compactMap { row in
            guard let at = row.time("at_us"), let bytes = row.integer("total_bytes") else { return nil }
            return StorageForecast.Point(at: at, bytes: bytes, freeBytes: row.integer("disk_free_bytes"))
        }
    }
}
