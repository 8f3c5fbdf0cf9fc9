public import Model
public import Postgres
public import Time

/// The size of a table, and how it is used.
public struct TableStorage: Sendable, Equatable {
    /// Its name.
    public var table: String
    /// The number of rows: counted for a small table, otherwise as the server estimates or has counted since its start.
    public var rows: Int64
    /// Size in bytes, including indexes and TOAST.
    public var bytes: Int64
    /// Bytes of TOAST: values stored beside their rows.
    public var toastBytes: Int64
    /// Bytes of indexes.
    public var indexBytes: Int64
    /// The number of chunks; nil: not a hypertable.
    public var chunks: Int64?
    /// The number of compressed chunks.
    public var compressedChunks: Int64?
    /// Bytes of the compressed chunks before compression.
    public var beforeCompression: Int64?
    /// Bytes of the compressed chunks now.
    public var afterCompression: Int64?
    /// The time of the oldest datum; nil: none, or the table has no time.
    public var oldest: Timestamp?
    /// Growth in bytes per day; nil: unknown.
    public var bytesPerDay: Double?
    /// The ratio of dead rows (changed or deleted, and not vacuumed yet) to all rows; nil: the table is empty.
    public var deadRatio: Double?
    /// How often its indexes were used.
    public var indexScans: Int64
    /// Whether `rows` was counted.
    public var areRowsCounted = false
}

/// An index that was never used.
public struct UnusedIndex: Sendable, Equatable {
    /// Its name; for an index of a hypertable's chunks, the name of the hypertable's index.
    public var name: String
    /// Its size in bytes.
    public var bytes: Int64
}

/// A backup that was recorded.
public struct BackupRecord: Sendable, Equatable {
    /// The start of the backup: it contains everything that was committed before.
    public var started: Timestamp
    /// When it was complete.
    public var finished: Timestamp
    /// The tool: pg_dump, or another.
    public var kind: String
    /// Its size in bytes; nil: unknown.
    public var bytes: Int64?
    /// Where it is stored.
    public var place: String
}

/// The size of the store and its parts.
public struct StorageReport: Sendable, Equatable {
    /// The time of the query, by the database's clock.
    public var at: Timestamp
    /// Size of the whole database in bytes.
    public var bytes: Int64
    /// Size of its volume in bytes; nil: unknown.
    public var diskBytes: Int64?
    /// Free bytes of the volume; nil: unknown.
    public var freeBytes: Int64?
    /// The growth of the database.
    public var forecast: StorageForecast
    /// The tables, largest first.
    public var tables: [TableStorage]
    /// The retention policies and whether they are met.
    public var policies: [PolicyRecord]
    /// Indexes larger than one megabyte that were never used, largest first.
    public var unused: [UnusedIndex]
    /// The newest backup; nil: none was recorded.
    public var backup: BackupRecord?
}

extension StoreConnection {
    /// Reads the sizes of the store and its parts.
    /// - Throws: `StoreError`.
    public func storageReport() throws -> StorageReport {
        let past = try storagePast()
        let head = try fetchOne(
            """
            SELECT \(microseconds("now()")) AS now_us, pg_database_size(current_database()) AS bytes,
                   h.disk_bytes, h.disk_free_bytes
              FROM (SELECT) one LEFT JOIN LATERAL (
                SELECT disk_bytes, disk_free_bytes FROM storage_history WHERE tier = '(database)' ORDER BY at DESC LIMIT 1
              ) h ON true
            """)
        let now = try head.time("now_us")
        let tables = try counted(try tableStorages(now: now))
        return StorageReport(
            at: now, bytes: try head.integer("bytes"), diskBytes: try head.optionalInteger("disk_bytes"),
            freeBytes: try head.optionalInteger("disk_free_bytes"), forecast: StorageForecast(past),
            tables: tables, policies: try policies(withOldestOf: tables),
            unused: try unusedIndexes(), backup: try newestBackup())
    }

    /// A table with more bytes or chunks is not counted.
    private static let countedBytesMax: Int64 = 1_000_000
    private static let countedChunksMax: Int64 = 10

    /// The tables with the rows of small ones counted: the server estimates a table when it has analyzed it, which takes
    /// some rows and a minute.
    private func counted(_ tables: [TableStorage]) throws -> [TableStorage] {
        let small = tables.filter { $0.bytes <= Self.countedBytesMax && $0.chunks ?? 0 <= Self.countedChunksMax }
        if small.isEmpty { return tables }
        let rows = try fetch(
            small.map { table -> SQL in "SELECT \(table.table) AS tier, count(*) AS n FROM \(identifier: table.table)" }
                .joined(separator: " UNION ALL "))
        let counts = Dictionary(
            try rows.map { (try $0.text("tier"), try $0.integer("n", as: Int64.self)) }, uniquingKeysWith: max)
        return tables.map { table in
            guard let count = counts[table.table] else { return table }
            var table = table
            (table.rows, table.areRowsCounted) = (count, true)
            return table
        }
    }

    /// The policies with the times of the oldest data, which reading the tables found.
    private func policies(withOldestOf tables: [TableStorage]) throws -> [PolicyRecord] {
        let found = Dictionary(tables.map { ($0.table, $0.oldest) }, uniquingKeysWith: { first, _ in first })
        return try policies(readingOldest: false).map { policy in
            var policy = policy
            policy.oldest = policy.tier.tables.compactMap { found[$0] ?? nil }.min()
            return policy
        }
    }

    /// Reads the newest backup that was recorded; nil: none.
    /// - Throws: `StoreError`.
    public func newestBackup() throws -> BackupRecord? {
        try fetch(
            """
            SELECT \(microseconds("started_at")) AS started_us,
                   \(microseconds("finished_at")) AS finished_us, kind, bytes, place
              FROM backup ORDER BY finished_at DESC LIMIT 1
            """
        ).first.map { row in
            BackupRecord(
                started: try row.time("started_us"), finished: try row.time("finished_us"),
                kind: try row.text("kind"), bytes: try row.optionalInteger("bytes"), place: try row.text("place"))
        }
    }

    /// The hypertable of each chunk; every other table maps to itself.
    private static let family: SQL = """
        WITH family AS (
            SELECT i.inhrelid AS oid, p.relname AS name FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent
             WHERE p.relnamespace = current_schema()::regnamespace
            UNION ALL
            SELECT c.oid, c.relname FROM pg_class c
             WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'
        )
        """

    private func tableStorages(now: Timestamp) throws -> [TableStorage] {
        try fetch(
            """
            \(Self.family), used AS (
                SELECT f.name, sum(s.n_dead_tup)::float8 / nullif(sum(s.n_dead_tup + s.n_live_tup), 0) AS dead,
                       sum(s.idx_scan)::bigint AS scans, sum(s.n_live_tup)::bigint AS live
                  FROM family f JOIN pg_stat_user_tables s ON s.relid = f.oid GROUP BY 1
            ), past AS (
                SELECT h.tier, string_agg(concat_ws('/', \(microseconds("h.at")), h.total_bytes), ',') AS past
                  FROM storage_history h WHERE h.at > now() - INTERVAL '7 days' GROUP BY 1
            )
            -- A hypertable without chunks has no sizes, and a table that was never read has no statistics.
            -- Before the first ANALYZE there is no estimate, but the server counts what is inserted.
            SELECT z.tier, greatest(z.rows_estimate, u.live, 0) AS rows_estimate, coalesce(z.total_bytes, 0) AS total_bytes,
                   coalesce(z.toast_bytes, 0) AS toast_bytes, coalesce(z.index_bytes, 0) AS index_bytes, z.chunks,
                   z.compressed_chunks, z.before_compression_bytes, z.after_compression_bytes,
                   \(microseconds("z.oldest")) AS oldest_us, u.dead, coalesce(u.scans, 0) AS scans, p.past
              FROM storage_sizes() z LEFT JOIN used u ON u.name = z.tier LEFT JOIN past p ON p.tier = z.tier
             ORDER BY z.total_bytes DESC
            """
        ).map { row in
            let bytes = try row.integer("total_bytes")
            // NULL: nothing was recorded of the table yet.
            var points = try row.optionalText("past", as: "times and sizes", Self.points) ?? []
            points.append(StorageForecast.Point(at: now, bytes: bytes, freeBytes: nil))
            return TableStorage(
                table: try row.text("tier"), rows: try row.integer("rows_estimate"), bytes: bytes,
                toastBytes: try row.integer("toast_bytes"), indexBytes: try row.integer("index_bytes"),
                chunks: try row.optionalInteger("chunks"),
                compressedChunks: try row.optionalInteger("compressed_chunks"),
                beforeCompression: try row.optionalInteger("before_compression_bytes"),
                afterCompression: try row.optionalInteger("after_compression_bytes"),
                oldest: try row.optionalTime("oldest_us"), bytesPerDay: StorageForecast(points).bytesPerDay,
                deadRatio: try row.optionalDouble("dead"), indexScans: try row.integer("scans"))
        }
    }

    /// Points from "microseconds/bytes,microseconds/bytes"; nil for anything else.
    private static func points(_ text: String) -> [StorageForecast.Point]? {
        var points: [StorageForecast.Point] = []
        for point in text.split(separator: ",") {
            let parts = point.split(separator: "/")
            guard parts.count == 2, let microseconds = Int64(parts[0]), let bytes = Int64(parts[1]) else { return nil }
            points.append(
                StorageForecast.Point(
                    at: Timestamp(unixNanoseconds: microseconds * 1000), bytes: bytes, freeBytes: nil))
        }
        return points
    }

    private func unusedIndexes() throws -> [UnusedIndex] {
        try fetch(
            """
            \(Self.family)
            SELECT f.name || ': ' || regexp_replace(s.indexrelname, '^_hyper_[0-9]+_[0-9]+_chunk_', '') AS name,
                   sum(pg_relation_size(s.indexrelid))::bigint AS bytes
              FROM family f JOIN pg_stat_user_indexes s ON s.relid = f.oid JOIN pg_index i ON i.indexrelid = s.indexrelid
             WHERE NOT i.indisunique
             GROUP BY 1 HAVING sum(s.idx_scan) = 0 AND sum(pg_relation_size(s.indexrelid)) > 1000000 ORDER BY 2 DESC
            """
        ).map { UnusedIndex(name: try $0.text("name"), bytes: try $0.integer("bytes")) }
    }
}
