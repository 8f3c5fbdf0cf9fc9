public import Postgres
public import Time

/// Version and clock of the database server.
public struct ServerRecord: Sendable, Equatable {
    /// The version as text, such as "17.5".
    public var version: String
    /// The version as a number, such as 170005.
    public var versionNumber: Int64
    /// TimescaleDB's version; nil: this database does not have the extension.
    public var timescale: String?
    /// `timescaledb.license`: "apache" or "timescale"; nil where TimescaleDB is not loaded.
    public var license: String?
    /// The server's clock.
    public var now: Timestamp

    /// A server with these properties.
    public init(version: String, versionNumber: Int64, timescale: String?, license: String?, now: Timestamp) {
        self.version = version
        self.versionNumber = versionNumber
        self.timescale = timescale
        self.license = license
        self.now = now
    }
}

/// Messages of streams that the broker could not deliver, and that the ingesters stepped over.
public struct UndeliverableRecord: Sendable, Equatable {
    /// The number of these messages in all streams.
    public var messages: Int64
    /// The time since the newest was noticed; nil if there is none.
    public var newestAge: Duration?
    /// The stream of the newest.
    public var stream: String?

    /// A record with these values.
    public init(messages: Int64 = 0, newestAge: Duration? = nil, stream: String? = nil) {
        self.messages = messages
        self.newestAge = newestAge
        self.stream = stream
    }
}

extension StoreConnection {
    /// Reads version and clock of the server. Works on any PostgreSQL.
    /// - Throws: `StoreError`.
    public func server() throws -> ServerRecord {
        let row = try fetchOne(
            """
            SELECT current_setting('server_version') AS version, current_setting('server_version_num') AS number,
                   (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb') AS timescale,
                   current_setting('timescaledb.license', true) AS license,
                   (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now_us
            """)
        return ServerRecord(
            version: String(try row.text("version").prefix { $0 != " " }), versionNumber: try row.integer("number"),
            timescale: try row.optionalText("timescale"), license: try row.optionalText("license"),
            now: try row.time("now_us"))
    }

    /// Reads the names of the measurements-ingesters that are alive.
    /// - Throws: `StoreError`.
    public func livingReplicas() throws -> [String] {
        try fetch(
            """
            SELECT replica FROM ingest_replica
             WHERE seen_at > clock_timestamp() - make_interval(secs => \(Self.leaseSeconds)) ORDER BY 1
            """
        ).map { try $0.text("replica") }
    }

    /// Counts the payloads in quarantine, up to `countMax`.
    /// - Throws: `StoreError`.
    public func quarantineCount(countMax: Int = 100_000) throws -> Int {
        try fetchOne("SELECT count(*) AS n FROM (SELECT FROM quarantine LIMIT \(countMax))")
            .integer("n", as: Int.self)
    }

    /// Reads the messages of streams that the broker could not deliver.
    /// - Throws: `StoreError`.
    public func undeliverable() throws -> UndeliverableRecord {
        let row = try fetchOne(
            """
            SELECT coalesce(sum(last_offset - first_offset + 1), 0)::bigint AS messages,
                   extract(epoch FROM clock_timestamp() - max(noted_at))::float8 AS age,
                   (array_agg(stream ORDER BY noted_at DESC))[1] AS stream
              FROM stream_hole WHERE cause = 'undeliverable'
            """)
        // NULL: there is none.
        return UndeliverableRecord(
            messages: try row.integer("messages"), newestAge: try row.optionalDouble("age").map { .seconds($0) },
            stream: try row.optionalText("stream"))
    }
}
