public import Sensors

/// What the database server is.
public struct ServerRecord: Sendable, Equatable {
    /// As people say it, "17.5".
    public var version: String
    /// As a number, 170005.
    public var versionNumber: Int64
    /// TimescaleDB's version; nil: this database does not have it.
    public var timescale: String?
    /// `timescaledb.license`: "apache" or "timescale"; nil where TimescaleDB is not loaded.
    public var license: String?
    /// Its clock.
    public var now: Timestamp

    /// That server.
    public init(version: String, versionNumber: Int64, timescale: String?, license: String?, now: Timestamp) {
        self.version = version
        self.versionNumber = versionNumber
        self.timescale = timescale
        self.license = license
        self.now = now
    }
}

/// How far a stream is stored, and who does it.
public struct PartitionState: Sendable, Equatable {
    /// The stream.
    public var stream: String
    /// The replica that holds the lease; nil: none, or the lease has run out.
    public var owner: String?
    /// Offset of the last stored message; nil before the first.
    public var committed: Int64?
    /// How long ago the last commit was; nil before the first.
    public var commitAge: Duration?

    /// That partition.
    public init(stream: String, owner: String? = nil, committed: Int64? = nil, commitAge: Duration? = nil) {
        self.stream = stream
        self.owner = owner
        self.committed = committed
        self.commitAge = commitAge
    }
}

extension StoreConnection {
    /// What the server is. Works on any PostgreSQL.
    /// - Throws: `StoreError`.
    public func server() throws -> ServerRecord {
        let row = try query(
            """
            SELECT current_setting('server_version') AS version, current_setting('server_version_num') AS number,
                   (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb') AS timescale,
                   current_setting('timescaledb.license', true) AS license,
                   (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now_us
            """
        ).first
        guard let row, let number = row.integer("number"), let now = row.integer("now_us") else {
            throw StoreError.unexpected("the server does not say what it is")
        }
        return ServerRecord(
            version: String((row["version"] ?? "").prefix { $0 != " " }), versionNumber: number,
            timescale: row["timescale"], license: row["license"], now: Timestamp(unixNanoseconds: now * 1000))
    }

    /// All partitions, by stream.
    /// - Throws: `StoreError`.
    public func partitionStates() throws -> [PartitionState] {
        try query(
            """
            SELECT stream, CASE WHEN lease_until > clock_timestamp() THEN owner END AS owner, committed_offset,
                   extract(epoch FROM clock_timestamp() - committed_at)::float8 AS age
              FROM ingest_partition ORDER BY length(stream), stream
            """
        ).rows.map { row in
            PartitionState(
                stream: row["stream"] ?? "", owner: row["owner"], committed: row.integer("committed_offset"),
                commitAge: row.double("age").map { .seconds($0) })
        }
    }

    /// Measurements-ingesters that are alive.
    /// - Throws: `StoreError`.
    public func livingReplicas() throws -> [String] {
        try query(
            """
            SELECT replica FROM ingest_replica
             WHERE seen_at > clock_timestamp() - make_interval(secs => \(Self.leaseSeconds)) ORDER BY 1
            """
        ).rows.compactMap { $0["replica"] }
    }

    /// How many payloads are in quarantine, at most `countMax`.
    /// - Throws: `StoreError`.
    public func quarantineCount(countMax: Int = 100_000) throws -> Int {
        let row = try query(
            "SELECT count(*) AS n FROM (SELECT FROM quarantine LIMIT $1)", [.integer(Int64(countMax))]
        ).first
        return Int(row?.integer("n") ?? 0)
    }
}

extension Migrations {
    /// How the schema of a database stands to this program's.
    public struct State: Sendable, Equatable {
        /// Steps that this program knows and the database has not.
        public var missing: [Int64] = []
        /// Steps that were applied with other statements.
        public var changed: [Int64] = []
        /// Steps that the database has and this program does not know.
        public var newer: [Int64] = []

        /// No difference.
        public init() {}
    }

    /// Compares a database with this program.
    /// - Throws: `StoreError`.
    public static func state(of store: StoreConnection) async throws -> State {
        var state = State()
        let isThere = try await store.query("SELECT to_regclass('schema_migration') IS NOT NULL AS there").first
        guard isThere?.flag("there") == true else {
            state.missing = all.map(\.version)
            return state
        }
        let rows = try await store.query("SELECT version, checksum FROM schema_migration ORDER BY version").rows
        for step in all {
            guard let row = rows.first(where: { $0.integer("version") == step.version }) else {
                state.missing.append(step.version)
                continue
            }
            let sum = try await store.query(
                "SELECT encode(sha256($1::bytea), 'hex') AS sum", [.bytes(Array(step.sql.utf8))])
            if sum.first?["sum"] != row["checksum"] { state.changed.append(step.version) }
        }
        let known = Set(all.map(\.version))
        state.newer = rows.compactMap { $0.integer("version") }.filter { !known.contains($0) }
        return state
    }
}
