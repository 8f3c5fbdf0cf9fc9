public import Postgres

extension Migrations {
    /// The steps and files that were applied to a database.
    public struct Applied: Sendable, Equatable, CustomStringConvertible {
        /// The steps, oldest first.
        public var steps: [Int64] = []
        /// The files of functions, in their order.
        public var functions: [String] = []

        /// Whether nothing was applied.
        public var isEmpty: Bool { steps.isEmpty && functions.isEmpty }

        /// A text such as "steps 7, 8; functions chart, samples".
        public var description: String {
            let steps = steps.isEmpty ? nil : "steps " + steps.map { "\($0)" }.joined(separator: ", ")
            let functions = functions.isEmpty ? nil : "functions " + functions.joined(separator: ", ")
            return [steps, functions].compactMap(\.self).joined(separator: "; ")
        }

        /// An empty record.
        public init() {}
    }

    /// The key of the advisory lock that serializes services that start at once: "iot" in ASCII.
    private static let lock = 0x69_6F_74

    /// The tables that record what was applied. They are not a step, because they exist before the first one.
    private static let records = """
        CREATE TABLE IF NOT EXISTS schema_migration (version bigint PRIMARY KEY, name text NOT NULL,
        checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now());
        COMMENT ON TABLE schema_migration IS 'Which steps of the schema have been applied';
        COMMENT ON COLUMN schema_migration.version IS 'The step.';
        COMMENT ON COLUMN schema_migration.name IS 'What it brought.';
        COMMENT ON COLUMN schema_migration.checksum IS 'SHA-256 of its statements.';
        COMMENT ON COLUMN schema_migration.applied_at IS 'When it was applied.';
        CREATE TABLE IF NOT EXISTS schema_function (name text PRIMARY KEY, checksum text NOT NULL,
        revision bigint NOT NULL, applied_at timestamptz NOT NULL DEFAULT now());
        COMMENT ON TABLE schema_function IS 'Which files of functions and views have been applied, after all steps.';
        COMMENT ON COLUMN schema_function.name IS 'The file: its subject.';
        COMMENT ON COLUMN schema_function.checksum IS 'SHA-256 of its statements.';
        COMMENT ON COLUMN schema_function.revision IS 'The revision that all files together have, the same in every row: a release with a lower one leaves them alone.';
        COMMENT ON COLUMN schema_function.applied_at IS 'When it was applied.'
        """

    /// Brings the database to the newest step and to the functions of this program, in one transaction.
    ///
    /// Safe when several services start at once: one applies the steps, the others wait and find them applied. Needs no
    /// superuser if the extension exists.
    /// - Parameters:
    ///   - steps: the steps, oldest first; a test may pass those of an earlier release.
    ///   - functions: the functions that belong to these steps.
    /// - Returns: what was applied now.
    /// - Throws: `StoreError`: for example if an applied step differs from the one in this program, or if TimescaleDB
    ///   is missing. Steps and functions of a later release stay unchanged.
    @discardableResult
    public static func apply(
        to store: StoreConnection, _ steps: [Step] = all, functions: Functions = .current
    ) async throws -> Applied {
        try await store.transaction(timeout: .seconds(300), lockTimeout: .seconds(300)) { session in
            try session.run("SELECT pg_advisory_xact_lock(\(lock))")
            try requireTimescale(session)
            try session.execute(records)
            let program = try inventory(steps, functions, session)
            let state = State(database: try inventory(in: session), program: program)
            if let step = state.changed.first {
                throw StoreError.unexpected("schema step \(step) was applied with other statements")
            }
            var applied = Applied()
            for step in steps where state.missing.contains(step.version) {
                try session.execute(step.sql)
                try session.run(
                    """
                    INSERT INTO schema_migration (version, name, checksum)
                    VALUES (\(step.version), \(step.name), \(program.steps[step.version]))
                    """)
                applied.steps.append(step.version)
            }
            if state.hasNewerFunctions { return applied }
            for file in functions.files where state.functions.contains(file.name) {
                try session.execute(file.sql)
                applied.functions.append(file.name)
            }
            try record(applied.functions, program, session)
            return applied
        }
    }

    private static func requireTimescale(_ session: borrowing Session) throws {
        do {
            try session.execute("SAVEPOINT extension; CREATE EXTENSION IF NOT EXISTS timescaledb")
        } catch let error as StoreError {
            throw StoreError.unexpected(
                "this database needs the extension timescaledb, and it can't be created here: \(error)")
        }
    }

    /// Records which files were applied, and that all files are of this revision.
    private static func record(_ files: [String], _ program: Inventory, _ session: borrowing Session) throws {
        for file in files {
            try session.run(
                """
                INSERT INTO schema_function (name, checksum, revision)
                VALUES (\(file), \(program.functions[file]), \(program.revision))
                ON CONFLICT (name) DO UPDATE SET checksum = EXCLUDED.checksum, applied_at = EXCLUDED.applied_at
                """)
        }
        let revision = program.revision
        try session.run("UPDATE schema_function SET revision = \(revision) WHERE revision <> \(revision)")
        let names = program.functions.keys.sorted()
        try session.run("DELETE FROM schema_function WHERE name <> ALL (\(names)::text[])")
    }

    /// Whether the database has all steps and functions of this program; it may have later ones, too.
    public static func areApplied(in store: StoreConnection) async throws -> Bool {
        let there = try await store.fetchOne(
            """
            SELECT to_regclass('schema_migration') IS NOT NULL
                   AND to_regclass('schema_function') IS NOT NULL AS there
            """)
        guard try there.flag("there") else { return false }
        let known = try await store.fetchOne(
            """
            SELECT (SELECT count(*) FROM schema_migration WHERE version = ANY (\(all.map(\.version))::bigint[])) AS steps,
                   (SELECT coalesce(max(revision), 0) FROM schema_function) AS revision
            """)
        return try known.integer("steps", as: Int.self) == all.count
            && known.integer("revision") >= Functions.current.revision
    }
}
