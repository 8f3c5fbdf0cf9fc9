public import Model
public import Postgres
public import Time

/// A retention policy and the data that it applies to.
public struct PolicyRecord: Sendable, Equatable {
    /// The tier that it applies to.
    public var tier: StoreTier
    /// How long data is kept; nil: indefinitely.
    public var keep: Duration?
    /// Age at which a chunk is compressed, on the community edition; nil: never.
    public var columnstoreAfter: Duration?
    /// Where the policy was set: default, configuration or iotctl.
    public var source: String
    /// The time of the oldest datum that is not in the future; nil: none.
    public var oldest: Timestamp?
    /// When the policy lets the oldest data be dropped: a row, or a whole chunk; nil: never, or no data.
    public var dropAt: Timestamp?
    /// For how long the oldest data has been overdue for dropping.
    public var overdue: Duration

    /// A policy with these values.
    public init(
        tier: StoreTier, keep: Duration?, columnstoreAfter: Duration? = nil, source: String = "default",
        oldest: Timestamp? = nil, dropAt: Timestamp? = nil, overdue: Duration = .zero
    ) {
        self.tier = tier
        self.keep = keep
        self.columnstoreAfter = columnstoreAfter
        self.source = source
        self.oldest = oldest
        self.dropAt = dropAt
        self.overdue = overdue
    }

    /// Data that is overdue for longer is a fault: jobs run hourly, and may have to wait.
    public static let overdueMax: Duration = .seconds(86_400)

    /// Whether retention fails for this tier.
    public var isOverdue: Bool { overdue > Self.overdueMax }
}

/// Policies that the configuration of sensor-registry sets, and that can only be changed there.
public struct PolicyConfigured: Error, Sendable, Equatable, CustomStringConvertible {
    /// The tiers of these policies.
    public let tiers: [StoreTier]

    /// A description for operators.
    public var description: String {
        "sensor-registry's configuration says how long \(tiers.map(\.rawValue).joined(separator: ", ")) is kept: "
            + "change it there (POLICIES or --policy)"
    }
}

/// How far the rollups are behind.
public struct RollupLag: Sendable, Equatable {
    /// Seconds since the end of the newest minute that is rolled up; nil before the first.
    public var seconds: Double?
    /// Rows that arrived late and are not in the rollups yet.
    public var lateRows: Int64

    /// A lag with these values.
    public init(seconds: Double?, lateRows: Int64) {
        self.seconds = seconds
        self.lateRows = lateRows
    }
}

/// The state of the store's maintenance.
public struct StoreUpkeep: Sendable, Equatable {
    /// How far the rollups are behind.
    public var rollups: RollupLag
    /// The retention policies and whether they are met.
    public var policies: [PolicyRecord]
    /// The growth of the store.
    public var forecast: StorageForecast

    /// A state with these parts.
    public init(rollups: RollupLag, policies: [PolicyRecord], forecast: StorageForecast) {
        self.rollups = rollups
        self.policies = policies
        self.forecast = forecast
    }
}

extension StoreConnection {
    /// Reads the state of the store's maintenance.
    /// - Throws: `StoreError`.
    public func upkeep() throws -> StoreUpkeep {
        StoreUpkeep(
            rollups: try rollupLag(), policies: try policies(readingOldest: false),
            forecast: StorageForecast(try storagePast()))
    }

    /// Reads all policies with the data that they apply to.
    /// - Parameter readingOldest: whether the time of the oldest datum is read: it takes a probe of each channel.
    /// - Throws: `StoreError`.
    public func policies(readingOldest: Bool = true) throws -> [PolicyRecord] {
        let oldest: SQL = readingOldest ? "oldest" : "NULL::timestamptz"
        let rows = try fetch(
            """
            SELECT tier, extract(epoch FROM keep)::float8 AS keep, extract(epoch FROM columnstore_after)::float8 AS after,
                   source, \(microseconds(oldest)) AS oldest_us,
                   CASE WHEN isfinite(drop_at) THEN \(microseconds("drop_at")) END AS drop_us,
                   extract(epoch FROM overdue)::float8 AS overdue FROM retention
            """)
        let records = try rows.map { row in
            PolicyRecord(
                tier: try row.value("tier"), keep: try row.optionalDouble("keep").map { .seconds($0) },
                columnstoreAfter: try row.optionalDouble("after").map { .seconds($0) },
                source: try row.text("source"), oldest: try row.optionalTime("oldest_us"),
                dropAt: try row.optionalTime("drop_us"), overdue: .seconds(try row.double("overdue")))
        }
        let order = StoreTier.allCases
        return records.sorted { (order.firstIndex(of: $0.tier) ?? 0) < (order.firstIndex(of: $1.tier) ?? 0) }
    }

    /// Changes policies for an operator.
    /// - Throws: `PolicyConfigured` or `StoreError`; nothing is changed then.
    public func set(policies changes: [PolicyChange]) throws {
        try transaction { session in
            let configured = try session.fetch("SELECT tier FROM policy WHERE source = 'configuration' FOR UPDATE")
            let tiers = Set(try configured.map { try $0.value("tier", as: StoreTier.self) })
            let refused = StoreTier.allCases.filter { tier in
                tiers.contains(tier) && changes.contains { $0.tier == tier }
            }
            if !refused.isEmpty { throw PolicyConfigured(tiers: refused) }
            try Self.write(changes, source: "iotctl", session)
        }
    }

    /// Sets policies to what the configuration says; the others stay as they are, and operators may change them.
    /// - Throws: `StoreError`.
    public func configure(policies changes: [PolicyChange]) throws {
        try transaction { session in
            try session.run(
                """
                UPDATE policy SET source = 'default'
                 WHERE source = 'configuration' AND tier <> ALL (\(changes.map(\.tier))::text[])
                """)
            try Self.write(changes, source: "configuration", session)
        }
    }

    private static func write(
        _ changes: [PolicyChange], source: String, _ session: borrowing Session
    ) throws {
        for change in changes {
            let column: SQL = change.aspect == .keep ? "keep" : "columnstore_after"
            let seconds = change.duration.map { Double($0.components.seconds) }
            try session.run(
                """
                UPDATE policy SET \(column) = make_interval(secs => \(seconds)), source = \(source)
                 WHERE tier = \(change.tier)
                """)
        }
    }

    /// Rows that `retention_apply` deletes in one transaction.
    private static let rowsAtOnce: Int64 = 10_000
    /// Rows of a tier that one round deletes at most, so that one large tier does not delay the others.
    private static let rowsOfRound: Int64 = 1_000_000

    /// Drops data that is older than its policy allows: on the community edition by updating TimescaleDB's own
    /// policies, otherwise chunk by chunk; rows of plain tables in any case.
    /// - Returns: the number of chunks or rows of each tier that were dropped.
    /// - Throws: `StoreError`.
    public func applyPolicies() throws -> [StoreTier: Int64] {
        try transaction(lockTimeout: .seconds(5)) { session in
            try session.run("SELECT retention_mark()")
            try session.run("SELECT policies_apply()")
        }
        var dropped: [StoreTier: Int64] = [:]
        for tier in StoreTier.allCases {
            var count: Int64
            repeat {
                do {
                    // A transaction that waits for a chunk in use blocks those that queue behind it, so the timeout is
                    // short.
                    count = try transaction(lockTimeout: .milliseconds(200)) { session in
                        try session.fetchOne("SELECT retention_apply(\(tier)) AS n").integer("n")
                    }
                } catch let error as StoreError where error.isLockTimeout { count = 0 }  // the next round tries again
                if count > 0 { dropped[tier, default: 0] += count }
            } while !tier.isChunked && count == Self.rowsAtOnce && dropped[tier, default: 0] < Self.rowsOfRound
        }
        return dropped
    }

    /// Counts the chunks of a hypertable, or the rows of a plain table, that end before `time`.
    /// - Throws: `StoreError`.
    public func countEnding(before time: Timestamp, in tier: StoreTier) throws -> Int64 {
        let sql: SQL =
            switch tier {
            case .alarm: "SELECT count(*) AS n FROM alarm WHERE raised_at < \(time) AND cleared_at < \(time)"
            case .command:
                "SELECT count(*) AS n FROM command WHERE issued_at < \(time) AND state NOT IN ('queued', 'delivered')"
            case .quarantine: "SELECT count(*) AS n FROM quarantine WHERE at < \(time)"
            case .history: "SELECT count(*) AS n FROM storage_history WHERE at < \(time)"
            default:
                """
                SELECT count(*) AS n FROM timescaledb_information.chunks WHERE hypertable_schema = current_schema()
                AND hypertable_name = \(tier) AND range_end <= \(time)::timestamptz
                """
            }
        return try fetchOne(sql).integer("n")
    }

    /// Records how far each stream is stored and by which replica, unless any registry did so in the last nine seconds.
    /// - Throws: `StoreError`.
    public func recordIngest() throws { try run("SELECT ingest_record()") }

    /// Records all sizes and the cost of queries, unless any registry did so in the last hour.
    /// - Parameters:
    ///   - diskBytes: size of the database's volume in bytes; nil: unknown.
    ///   - diskFreeBytes: free bytes of it; nil: the volume less the database's size.
    /// - Throws: `StoreError`.
    public func recordHistory(diskBytes: Int64?, diskFreeBytes: Int64?) throws {
        try run("SELECT storage_record(\(diskBytes), \(diskFreeBytes))")
        try run("SELECT query_record()")
    }

    /// Reads the database's sizes of the past days, oldest first.
    /// - Throws: `StoreError`.
    public func storagePast(days: Int = 7) throws -> [StorageForecast.Point] {
        try fetch(
            """
            SELECT \(microseconds("at")) AS at_us, total_bytes, disk_free_bytes FROM storage_history
             WHERE tier = '(database)' AND at > now() - make_interval(days => \(days)) ORDER BY at
            """
        ).map { row in
            StorageForecast.Point(
                at: try row.time("at_us"), bytes: try row.integer("total_bytes"),
                freeBytes: try row.optionalInteger("disk_free_bytes"))
        }
    }
}
