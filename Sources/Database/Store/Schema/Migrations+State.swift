public import Postgres

extension Migrations {
    /// The steps and functions that a program contains or a database has: SHA-256 checksums in hexadecimal.
    public struct Inventory: Sendable, Equatable {
        /// Checksums of the steps, by version.
        public var steps: [Int64: String]
        /// Checksums of the files of functions, by name.
        public var functions: [String: String]
        /// The revision of the functions; 0: none.
        public var revision: Int64

        /// An inventory with these checksums.
        public init(steps: [Int64: String] = [:], functions: [String: String] = [:], revision: Int64 = 0) {
            self.steps = steps
            self.functions = functions
            self.revision = revision
        }
    }

    /// How the schema of a database differs from a program's.
    public struct State: Sendable, Equatable {
        /// Steps of the program that the database does not have, oldest first.
        public var missing: [Int64] = []
        /// Steps that were applied with other statements.
        public var changed: [Int64] = []
        /// Steps of the database that the program does not know.
        public var newer: [Int64] = []
        /// Files of functions that must be applied, by name.
        public var functions: Set<String> = []
        /// Whether the database has the functions of a later release.
        public var hasNewerFunctions = false

        /// No difference.
        public init() {}

        /// Compares the inventories of a database and a program.
        ///
        /// Functions of a later release stay unchanged. After a step all files are applied, because the step may have
        /// dropped objects that they define.
        public init(database: Inventory, program: Inventory) {
            missing = program.steps.keys.filter { database.steps[$0] == nil }.sorted()
            changed = program.steps.keys.filter { (database.steps[$0] ?? program.steps[$0]) != program.steps[$0] }
                .sorted()
            newer = database.steps.keys.filter { program.steps[$0] == nil }.sorted()
            hasNewerFunctions = database.revision > program.revision
            if hasNewerFunctions { return }
            functions = Set(
                program.functions.filter { !missing.isEmpty || database.functions[$0.key] != $0.value }.keys)
        }
    }

    /// Compares the schema of a database with this program.
    /// - Throws: `StoreError`.
    public static func state(of store: StoreConnection) async throws -> State {
        try await store.transaction { session in
            try State(database: inventory(in: session), program: inventory(all, .current, session))
        }
    }

    /// The inventory of a database; empty if there are no records.
    static func inventory(in session: borrowing Session) throws -> Inventory {
        var inventory = Inventory()
        let there = try session.fetchOne(
            """
            SELECT to_regclass('schema_migration') IS NOT NULL AS steps,
                   to_regclass('schema_function') IS NOT NULL AS functions
            """)
        if try there.flag("steps") {
            for row in try session.fetch("SELECT version, checksum FROM schema_migration") {
                inventory.steps[try row.integer("version")] = try row.text("checksum")
            }
        }
        if try there.flag("functions") {
            for row in try session.fetch("SELECT name, checksum, revision FROM schema_function") {
                inventory.functions[try row.text("name")] = try row.text("checksum")
                inventory.revision = max(inventory.revision, try row.integer("revision"))
            }
        }
        return inventory
    }

    /// The inventory of a program. The server computes the checksums.
    static func inventory(
        _ steps: [Step], _ functions: Functions, _ session: borrowing Session
    ) throws -> Inventory {
        var inventory = Inventory(revision: functions.revision)
        for step in steps { inventory.steps[step.version] = try checksum(step.sql, session) }
        for file in functions.files { inventory.functions[file.name] = try checksum(file.sql, session) }
        return inventory
    }

    private static func checksum(_ sql: String, _ session: borrowing Session) throws -> String {
        try session.fetchOne("SELECT encode(sha256(\(Array(sql.utf8))::bytea), 'hex') AS sum").text("sum")
    }
}
