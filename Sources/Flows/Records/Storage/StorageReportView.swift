internal import Model
public import Store
public import Time

/// The size and growth of the database (docs/iotctl-json.md, "storage report").
public struct StorageReportView: Codable, Sendable, Equatable {
    /// A table with its indexes.
    public struct Table: Codable, Sendable, Equatable {
        /// The table's name.
        public var table: String
        /// Estimated number of rows.
        public var rows: Int64
        /// Total size in bytes.
        public var bytes: Int64
        /// Bytes of the total in TOAST storage, beside the rows.
        public var toastBytes: Int64
        /// Bytes of the total in indexes.
        public var indexBytes: Int64
        /// Number of chunks; nil for a table without chunks.
        public var chunks: Int64?
        /// Number of compressed chunks.
        public var compressedChunks: Int64?
        /// Bytes of the compressed chunks before compression.
        public var beforeCompressionBytes: Int64?
        /// Bytes of the compressed chunks after compression.
        public var afterCompressionBytes: Int64?
        /// The time of the oldest datum; nil if the table is empty or has no retention of its own.
        public var oldest: Timestamp?
        /// Growth in bytes per day; nil if not known.
        public var bytesPerDay: Double?
        /// Share of dead rows, 0…1; nil if not known.
        public var deadRatio: Double?
        /// Number of index scans.
        public var indexScans: Int64

        private enum CodingKeys: String, CodingKey {
            case table, rows, bytes
            case toastBytes = "toast_bytes"
            case indexBytes = "index_bytes"
            case chunks
            case compressedChunks = "compressed_chunks"
            case beforeCompressionBytes = "before_compression_bytes"
            case afterCompressionBytes = "after_compression_bytes"
            case oldest
            case bytesPerDay = "bytes_per_day"
            case deadRatio = "dead_ratio"
            case indexScans = "index_scans"
        }
    }

    /// A recorded backup.
    public struct Backup: Codable, Sendable, Equatable {
        /// When the backup began.
        public var startedAt: Timestamp
        /// When the backup ended.
        public var finishedAt: Timestamp
        /// The kind of backup.
        public var kind: String
        /// The backup's size in bytes; nil if not known.
        public var bytes: Int64?
        /// The backup's location.
        public var place: String

        private enum CodingKeys: String, CodingKey {
            case startedAt = "started_at"
            case finishedAt = "finished_at"
            case kind, bytes, place
        }
    }

    /// An index that was never used.
    public struct Index: Codable, Sendable, Equatable {
        /// The index's name.
        public var name: String
        /// The index's size in bytes.
        public var bytes: Int64
    }

    /// The database's current time.
    public var at: Timestamp
    /// Size of the whole database in bytes.
    public var bytes: Int64
    /// Size of the database's volume in bytes; nil if not known.
    public var diskBytes: Int64?
    /// Free bytes of the database's volume; nil if not known.
    public var diskFreeBytes: Int64?
    /// Growth in bytes per day; negative if the database shrinks; nil if observed for less than two hours.
    public var bytesPerDay: Double?
    /// Days until the volume is full; nil if not known, or if the volume does not fill at this rate.
    public var daysLeft: Double?
    /// The observed time that the growth is based on, in hours.
    public var seenHours: Double
    /// Bytes before compression for each byte after compression; nil if nothing is compressed.
    public var compressionRatio: Double?
    /// The newest backup; nil if none is recorded.
    public var lastBackup: Backup?
    /// The tables, largest first.
    public var tables: [Table]
    /// The retention policies.
    public var policies: [PolicyView]
    /// Indexes that were never used.
    public var unusedIndexes: [Index]
    /// A summary of the report in words, for people.
    public var words: String

    private enum CodingKeys: String, CodingKey {
        case at, bytes
        case diskBytes = "disk_bytes"
        case diskFreeBytes = "disk_free_bytes"
        case bytesPerDay = "bytes_per_day"
        case daysLeft = "days_left"
        case seenHours = "seen_hours"
        case compressionRatio = "compression_ratio"
        case lastBackup = "last_backup"
        case tables, policies
        case unusedIndexes = "unused_indexes"
        case words
    }
}

extension StorageReportView {
    /// The view of the database's report.
    /// - Parameter words: a summary of the report in words, for people.
    public init(_ report: StorageReport, words: String) {
        self.init(
            at: report.at, bytes: report.bytes, diskBytes: report.diskBytes, diskFreeBytes: report.freeBytes,
            bytesPerDay: report.forecast.bytesPerDay, daysLeft: report.forecast.daysLeft,
            seenHours: report.forecast.hours, compressionRatio: report.compressionRatio,
            lastBackup: report.backup.map(Backup.init), tables: report.tables.map(Table.init),
            policies: report.policies.map(PolicyView.init),
            unusedIndexes: report.unused.map { Index(name: $0.name, bytes: $0.bytes) }, words: words)
    }
}

extension StorageReportView.Backup {
    fileprivate init(_ record: BackupRecord) {
        self.init(
            startedAt: record.started, finishedAt: record.finished, kind: record.kind, bytes: record.bytes,
            place: record.place)
    }
}

extension StorageReportView.Table {
    fileprivate init(_ table: TableStorage) {
        self.init(
            table: table.table, rows: table.rows, bytes: table.bytes, toastBytes: table.toastBytes,
            indexBytes: table.indexBytes, chunks: table.chunks, compressedChunks: table.compressedChunks,
            beforeCompressionBytes: table.beforeCompression, afterCompressionBytes: table.afterCompression,
            oldest: table.oldest, bytesPerDay: table.bytesPerDay, deadRatio: table.deadRatio,
            indexScans: table.indexScans)
    }
}

extension StorageReport {
    /// Bytes before compression for each byte after compression; nil if nothing is compressed.
    public var compressionRatio: Double? {
        let after = tables.compactMap(\.afterCompression).reduce(0, +)
        let before = tables.compactMap(\.beforeCompression).reduce(0, +)
        return after > 0 ? Double(before) / Double(after) : nil
    }
}
