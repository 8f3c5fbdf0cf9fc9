public import Sensors

/// How large a table is, and how it is used.
public struct TableStorage: Sendable, Equatable {
    /// Its name.
    public var table: String
    /// Rows, as the server estimates.
    public var rows: Int64
    /// Bytes with everything that belongs to it.
    public var bytes: Int64
    /// Bytes of that which are values stored beside their rows.
    public var toastBytes: Int64
    /// Bytes of that which are indexes.
    public var indexBytes: Int64
    /// How many chunks; nil: not a hypertable.
    public var chunks: Int64?
    /// Those that are compressed.
    public var compressedChunks: Int64?
    /// Bytes of those before they were compressed.
    public var beforeCompression: Int64?
    /// Bytes of those since.
    public var afterCompression: Int64?
    /// Where the oldest chunk begins, or the oldest row is.
    public var oldest: Timestamp?
    /// Bytes that come in a day; nil: not known.
    public var bytesPerDay: Double?
    /// Rows that were changed or deleted and not cleared away yet, of all; nil: none at all.
    public var deadRatio: Double?
    /// How often its indexes were used.
    public var indexScans: Int64
}

/// An index that was never used.
public struct UnusedIndex: Sendable, Equatable {
    /// Its name; of a hypertable's chunks, that of the hypertable's.
    public var name: String
    /// Its bytes.
    public var bytes: Int64
}

/// A backup that was made.
public struct BackupRecord: Sendable, Equatable {
    /// What was committed before this is in it.
    public var started: Timestamp
    /// When it was complete.
    public var finished: Timestamp
    /// pg_dump, or another.
    public var kind: String
    /// Its size.
    public var bytes: Int64?
    /// Where it is.
    public var place: String
}

/// All that can be said of the store's size.
public struct StorageReport: Sendable, Equatable {
    /// The database's clock.
    public var at: Timestamp
    /// Bytes of the whole database.
    public var bytes: Int64
    /// Bytes of its volume; nil: not known.
    public var diskBytes: Int64?
    /// Free bytes of it.
    public var freeBytes: Int64?
    /// How it grows.
    public var forecast: StorageForecast
    /// The tables, largest first.
    public var tables: [TableStorage]
    /// How long what is kept, and whether that is so.
    public var policies: [PolicyRecord]
    /// Indexes that were never used though they are larger than a megabyte, largest first.
    public var unused: [UnusedIndex]
    /// The newest backup; nil: none was written down.
    public var backup: BackupRecord?
}

extension StoreConnection {
    /// Looks at everything.
    /// - Throws: `StoreError`.
    public func storageReport() throws -> StorageReport {
        let past = try storagePast()
        let head = try query(
            """
            SELECT \(microseconds("now()")) AS now_us, pg_database_size(current_database()) AS bytes,
                   h.disk_bytes, h.disk_free_bytes
              FROM (SELECT) one LEFT JOIN LATERAL (
                SELECT disk_bytes, disk_free_bytes FROM storage_history WHERE tier = '(database)' ORDER BY at DESC LIMIT 1
              ) h ON true
            """
        ).first
        guard let head, let now = head.time("now_us"), let bytes = head.integer("bytes") else {
            throw StoreError.unexpected("the server does not say how large the database is")
        }
        return StorageReport(
            at: now, bytes: bytes, diskBytes: head.integer("disk_bytes"), freeBytes: head.integer("disk_free_bytes"),
            forecast: StorageForecast(past), tables: try tableStorages(now: now), policies: try policies(),
            unused: try unusedIndexes(), backup: try newestBackup())
    }

    /// The newest backup that was written down; nil: none.
    /// - Throws: `StoreError`.
    public func newestBackup() throws -> BackupRecord? {
        let row = try query(
            """
            SELECT \(microseconds("started_at")) AS started_us,
                   \(microseconds("finished_at")) AS finished_us, kind, bytes, place
              FROM backup ORDER BY finished_at DESC LIMIT 1
            """
        ).first
        guard let row, let started = row.time("started_us"), let finished = row.time("finished_us") else { return nil }
        return BackupRecord(
            started: started, finished: finished, kind: row["kind"] ?? "", bytes: row.integer("bytes"),
            place: row["place"] ?? "")
    }

    /// Which chunk belongs to which hypertable, and every other table to itself.
    private static let family = """
        WITH family AS (
            SELECT format('%I.%I', chunk_schema, chunk_name)::regclass AS oid, hypertable_name::text AS name
              FROM timescaledb_information.chunks WHERE hypertable_schema = current_schema()
            UNION ALL
            SELECT c.oid, c.relname FROM pg_class c
             WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'
        )
        """

    private func tableStorages(now: Timestamp) throws -> [TableStorage] {
        let rows = try query(
            """
            \(Self.family), used AS (
                SELECT f.name, sum(s.n_dead_tup)::float8 / nullif(sum(s.n_dead_tup + s.n_live_tup), 0) AS dead,
                       sum(s.idx_scan)::bigint AS scans
                  FROM family f JOIN pg_stat_user_tables s ON s.relid = f.oid GROUP BY 1
            )
            SELECT z.*, \(microseconds("z.oldest")) AS oldest_us, u.dead, u.scans,
                   (SELECT string_agg(concat_ws('/', \(microseconds("h.at")), h.total_bytes), ',')
                      FROM storage_history h WHERE h.tier = z.tier AND h.at > now() - INTERVAL '7 days') AS past
              FROM storage_sizes() z LEFT JOIN used u ON u.name = z.tier ORDER BY z.total_bytes DESC
            """)
        return rows.rows.map { row in
            let bytes = row.integer("total_bytes") ?? 0
            var points = (row["past"] ?? "").split(separator: ",").compactMap { text -> StorageForecast.Point? in
                let parts = text.split(separator: "/").compactMap { Int64($0) }
                guard parts.count == 2 else { return nil }
                return StorageForecast.Point(
                    at: Timestamp(unixNanoseconds: parts[0] * 1000), bytes: parts[1], freeBytes: nil)
            }
            points.append(StorageForecast.Point(at: now, bytes: bytes, freeBytes: nil))
            return TableStorage(
                table: row["tier"] ?? "", rows: row.integer("rows_estimate") ?? 0, bytes: bytes,
                toastBytes: row.integer("toast_bytes") ?? 0, indexBytes: row.integer("index_bytes") ?? 0,
                chunks: row.integer("chunks"), compressedChunks: row.integer("compressed_chunks"),
                beforeCompression: row.integer("before_compression_bytes"),
                afterCompression: row.integer("after_compression_bytes"), oldest: row.time("oldest_us"),
                bytesPerDay: StorageForecast(points).bytesPerDay, deadRatio: row.double("dead"),
                indexScans: row.integer("scans") ?? 0)
        }
    }

    private func unusedIndexes() throws -> [UnusedIndex] {
        let rows = try query(
            """
            \(Self.family)
            SELECT f.name || ': ' || regexp_replace(s.indexrelname, '^_hyper_[0-9]+_[0-9]+_chunk_', '') AS name,
                   sum(pg_relation_size(s.indexrelid))::bigint AS bytes
              FROM family f JOIN pg_stat_user_indexes s ON s.relid = f.oid JOIN pg_index i ON i.indexrelid = s.indexrelid
             WHERE NOT i.indisunique
             GROUP BY 1 HAVING sum(s.idx_scan) = 0 AND sum(pg_relation_size(s.indexrelid)) > 1000000 ORDER BY 2 DESC
            """)
        return rows.rows.map { UnusedIndex(name: $0["name"] ?? "", bytes: $0.integer("bytes") ?? 0) }
    }
}
