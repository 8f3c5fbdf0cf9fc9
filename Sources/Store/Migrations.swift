/// The schema's history: embedded SQL files, applied in order, each once.
public enum Migrations {
    /// One step.
    public struct Step: Sendable {
        /// 1, 2, 3 …
        public var version: Int64
        /// What it brings.
        public var name: String
        /// The statements.
        public var sql: String { read() }
        private let read: @Sendable () -> String

        /// A step. Its statements are read when they are asked for: the ingesters only count the steps, and have no
        /// room for all their text.
        public init(version: Int64, name: String, sql: @autoclosure @escaping @Sendable () -> String) {
            self.version = version
            self.name = name
            read = sql
        }
    }

    /// All steps, oldest first.
    ///
    /// A step only adds: a release must run on the schema of the next one, because both run while one follows the other
    /// (docs/decisions/0011-releases-side-by-side.md).
    public static let all: [Step] = [
        Step(version: 1, name: "core", sql: String(decoding: PackageResources.m0001_core_sql, as: UTF8.self)),
        Step(version: 2, name: "ledger", sql: String(decoding: PackageResources.m0002_ledger_sql, as: UTF8.self)),
        Step(
            version: 3, name: "quarantine", sql: String(decoding: PackageResources.m0003_quarantine_sql, as: UTF8.self)),
        Step(version: 4, name: "ingest", sql: String(decoding: PackageResources.m0004_ingest_sql, as: UTF8.self)),
        Step(version: 5, name: "control", sql: String(decoding: PackageResources.m0005_control_sql, as: UTF8.self)),
        Step(version: 6, name: "store", sql: String(decoding: PackageResources.m0006_store_sql, as: UTF8.self)),
    ]

    /// The number by which services that start at once take turns: "iot" in ASCII.
    private static let lock = 0x69_6F_74

    /// Brings the database to the newest step, in one transaction.
    ///
    /// Safe when several start at once: one applies, the others wait and find it done. Needs no superuser if the
    /// extension is there.
    /// - Parameter steps: the oldest of all, where a test wants the schema of an earlier release.
    /// - Returns: the versions that were applied now.
    /// - Throws: `StoreError`: among others where a step that was applied differs from the one in this program, or where
    ///   TimescaleDB is missing. Steps of a later release that this one doesn't know are left alone.
    @discardableResult
    public static func apply(to store: StoreConnection, _ steps: [Step] = all) async throws -> [Int64] {
        try await store.transaction(timeout: .seconds(300), lockTimeout: .seconds(300)) { session in
            try session.query("SELECT pg_advisory_xact_lock(\(lock))")
            try requireTimescale(session)
            try session.execute(
                """
                CREATE TABLE IF NOT EXISTS schema_migration (version bigint PRIMARY KEY, name text NOT NULL,
                checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now());
                COMMENT ON TABLE schema_migration IS 'Which steps of the schema have been applied';
                COMMENT ON COLUMN schema_migration.version IS 'The step.';
                COMMENT ON COLUMN schema_migration.name IS 'What it brought.';
                COMMENT ON COLUMN schema_migration.checksum IS 'SHA-256 of its statements.';
                COMMENT ON COLUMN schema_migration.applied_at IS 'When it was applied.'
                """)
            return try applyMissing(steps, session)
        }
    }

    private static func requireTimescale(_ session: borrowing Session) throws {
        do {
            try session.execute("SAVEPOINT extension; CREATE EXTENSION IF NOT EXISTS timescaledb")
        } catch let error as StoreError {
            throw StoreError.unexpected(
                "this database needs the extension timescaledb, and it can't be made here: \(error)")
        }
    }

    private static func applyMissing(_ steps: [Step], _ session: borrowing Session) throws -> [Int64] {
        let rows = try session.query("SELECT version, checksum FROM schema_migration ORDER BY version").rows
        var applied: [Int64] = []
        for step in steps {
            let checksum = try session.query(
                "SELECT encode(sha256($1::bytea), 'hex') AS sum", [.bytes(Array(step.sql.utf8))]
            ).first?["sum"]
            if let row = rows.first(where: { $0.integer("version") == step.version }) {
                guard row["checksum"] == checksum else {
                    throw StoreError.unexpected("schema step \(step.version) was applied with other statements")
                }
                continue
            }
            try session.execute(step.sql)
            try session.query(
                "INSERT INTO schema_migration (version, name, checksum) VALUES ($1, $2, $3)",
                [.integer(step.version), .text(step.name), .text(checksum)])
            applied.append(step.version)
        }
        return applied
    }

    /// Whether the database has every step that this program knows; it may have later ones too.
    public static func areApplied(in store: StoreConnection) async throws -> Bool {
        guard
            try await store.query("SELECT to_regclass('schema_migration') IS NOT NULL AS there").first?.flag("there")
                == true
        else { return false }
        let known = try await store.query(
            "SELECT count(*) AS n FROM schema_migration WHERE version = ANY ($1::bigint[])",
            [.integers(all.map(\.version))])
        return known.first?.integer("n") == Int64(all.count)
    }
}
