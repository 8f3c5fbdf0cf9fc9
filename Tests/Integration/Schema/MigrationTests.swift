import Endpoint
import Foundation
import Postgres
import Service
import Store
import TestSupport
import Testing
import Time

extension Integration {
    /// What a migration needs, and what it must not lose.
    @Suite struct TheMigrations {
        // MARK: rights

        /// Makes a role that may do nothing but own an empty database, and gives `body` connections to that database as this
        /// role and as a superuser.
        private func withPlainOwner(
            _ system: TestSystem, _ body: (_ owner: StoreConnection, _ superuser: StoreConnection) async throws -> Void
        ) async throws {
            let name = "\(system.name)_owner"
            var endpoint = try Endpoint(TestServers.superuserURL(database: "postgres"), .postgresql)
            let admin = StoreConnection(endpoint, applicationName: "tests")
            endpoint.path = name
            let superuser = StoreConnection(endpoint, applicationName: name)
            endpoint.user = name
            endpoint.password = Secret(name)
            let owner = StoreConnection(endpoint, applicationName: name)
            let failure: (any Error)?
            do {
                try await admin.run("CREATE ROLE \(identifier: name) LOGIN PASSWORD \(literal: name)")
                try await admin.run("CREATE DATABASE \(identifier: name) OWNER \(identifier: name) TEMPLATE template0")
                try await body(owner, superuser)
                failure = nil
            } catch { failure = error }
            await owner.close()
            await superuser.close()
            try await admin.run("DROP DATABASE IF EXISTS \(identifier: name) WITH (FORCE)")
            try await admin.run("DROP ROLE IF EXISTS \(identifier: name)")
            await admin.close()
            if let failure { throw failure }
        }

        @Test func needNoMoreThanToOwnTheDatabase() async throws {
            try await TestSystem.with { system in
                try await withPlainOwner(system) { owner, superuser in
                    try await superuser.run("CREATE EXTENSION timescaledb")
                    let rights = try await owner.fetchOne(
                        """
                        SELECT rolsuper OR rolcreatedb OR rolcreaterole AS any,
                               (SELECT extowner = r.oid FROM pg_extension WHERE extname = 'timescaledb') AS made_it
                          FROM pg_roles r WHERE rolname = current_user
                        """)
                    #expect(try !rights.flag("any") && !rights.flag("made_it"))
                    #expect(try await Migrations.apply(to: owner).steps == Migrations.all.map(\.version))
                    #expect(try await Migrations.apply(to: owner).isEmpty)
                    let others = try await owner.fetch(
                        """
                        SELECT c.relname AS n FROM pg_class c WHERE relnamespace = 'public'::regnamespace
                           AND relowner <> current_user::regrole
                           AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
                        """)
                    #expect(try others.map { try $0.text("n") } == [])
                }
            }
        }

        /// The extension is a trusted one: the database's owner may make it, somebody else is told in one line.
        @Test func sayInOneLineThatTheExtensionIsMissing() async throws {
            try await TestSystem.with { system in
                try await withPlainOwner(system) { owner, superuser in
                    let name = "\(system.name)_owner"
                    try await superuser.run("ALTER DATABASE \(identifier: name) OWNER TO CURRENT_USER")
                    let error = try await #require(throws: StoreError.self) { try await Migrations.apply(to: owner) }
                    #expect(error.advice == .giveUp)
                    let words = "\(error)"
                    #expect(words.contains("needs the extension timescaledb") && words.contains("permission denied"))
                    #expect(!words.contains("\n") && words.count < 300, "\(words)")
                    #expect(try await !Migrations.areApplied(in: owner))

                    try await superuser.run("ALTER DATABASE \(identifier: name) OWNER TO \(identifier: name)")
                    #expect(try await Migrations.apply(to: owner).steps.count == Migrations.all.count)
                }
            }
        }

        // MARK: data

        /// Also that of a release which had all steps, and no files of functions.
        @Test(arguments: 1...Migrations.all.count)
        func keepEveryRowOfAnEarlierSchema(steps: Int) async throws {
            try await TestSystem.with { system in
                let legal = try await Self.legalWords(system)
                let store = system.store
                try await Migrations.apply(to: store, Array(Migrations.all.prefix(steps)), functions: .none)
                var filler = SchemaFiller(tables: try await SchemaFiller.tables(of: store), legal: legal)
                try await filler.fill(store)
                let before = try await Self.rows(filler.tables, store)
                for (table, rows) in before { #expect(!rows.isEmpty, "\(table) is empty") }
                let applied = try await Migrations.apply(to: store)
                #expect(applied.steps == Migrations.all.dropFirst(steps).map(\.version))
                #expect(applied.functions == Functions.current.files.map(\.name))
                #expect(Self.differences(before, try await Self.rows(filler.tables, store)) == [])
            }
        }

        /// The test above sees a row that is lost, and a value that is another.
        @Test func losesAreSeen() async throws {
            try await TestSystem.with { system in
                let legal = try await Self.legalWords(system)
                try await Migrations.apply(to: system.store)
                var filler = SchemaFiller(tables: try await SchemaFiller.tables(of: system.store), legal: legal)
                try await filler.fill(system.store)
                let before = try await Self.rows(filler.tables, system.store)
                let harm = Migrations.Step(
                    version: 999, name: "harm",
                    sql: """
                        DELETE FROM setting WHERE name = (SELECT min(name) FROM setting);
                        UPDATE measurement SET mean = mean + 1e-9 WHERE sequence = 1;
                        UPDATE alarm SET text = NULL WHERE false
                        """)
                #expect(try await Migrations.apply(to: system.store, Migrations.all + [harm]).steps == [999])
                let differences = Self.differences(before, try await Self.rows(filler.tables, system.store))
                #expect(differences.map { $0.prefix { $0 != ":" } } == ["measurement", "setting"])
            }
        }

        /// What texts may be, by "table.column", as the newest schema's constraints say: what a release may have written.
        private static func legalWords(_ system: TestSystem) async throws -> [String: [String]] {
            let name = "\(system.name)_newest"
            try await system.store.run("CREATE DATABASE \(identifier: name)")
            var endpoint = try system.settings.database
            endpoint.path = name
            let store = StoreConnection(endpoint, applicationName: name)
            try await Migrations.apply(to: store)
            let tables = try await SchemaFiller.tables(of: store)
            await store.close()
            try await system.store.run("DROP DATABASE \(identifier: name)")
            return Dictionary(
                uniqueKeysWithValues: tables.flatMap { table in
                    table.columns.map { ("\(table.name).\($0.name)", $0.words) }
                })
        }

        /// The rows of each table, in the columns that it has in `tables`, in an order of their own.
        private static func rows(_ tables: [SchemaFiller.Table], _ store: StoreConnection) async throws
            -> [String: [String]]
        {
            var all: [String: [String]] = [:]
            for table in tables {
                let columns = table.columns.map { "\(identifier: $0.name)" as SQL }.joined(separator: ", ")
                all[table.name] = try await store.fetch(
                    "SELECT ROW(\(columns))::text AS row FROM \(identifier: table.name)"
                ).map { try $0.text("row") }.sorted()
            }
            return all
        }

        /// A line for each table whose rows are others.
        private static func differences(_ before: [String: [String]], _ after: [String: [String]]) -> [String] {
            before.keys.sorted().filter { before[$0] != after[$0] }.map { table in
                let gone = (before[table] ?? []).filter { after[table]?.contains($0) != true }
                return "\(table): \(before[table]?.count ?? 0) rows, then \(after[table]?.count ?? 0); gone: \(gone)"
            }
        }
    }
}

/// Fills the tables of a schema that it learns from the catalog, so that it need not know them.
struct SchemaFiller {
    struct Column {
        var name: String
        var type: String
        var isRequired: Bool
        /// The server makes its values.
        var isMade: Bool
        /// The "table", "column" that it refers to.
        var reference: (table: String, column: String)?
        /// What its constraints list.
        var words: [String]
    }

    struct Table {
        var name: String
        var columns: [Column]
        /// The columns of each constraint.
        var checks: [String: [String]]
    }

    /// Rows that are tried for each table; the last one has NULL wherever it may.
    static let rowsMax = 4
    /// Values that are tried for a row.
    static let triesMax = 40

    /// Each after those that it refers to.
    private(set) var tables: [Table]
    private let legal: [String: [String]]

    init(tables: [Table], legal: [String: [String]]) {
        self.legal = legal
        self.tables = []
        var rest = tables
        while !rest.isEmpty {
            let known = Set(self.tables.map(\.name))
            let ready = rest.filter { table in
                table.columns.allSatisfy {
                    $0.reference.map { known.contains($0.table) || $0.table == table.name } ?? true
                }
            }
            precondition(!ready.isEmpty, "tables that refer to each other in a circle")
            self.tables += ready
            rest.removeAll { table in ready.contains { $0.name == table.name } }
        }
    }

    /// The tables of the schema, but for the records of its own steps and functions.
    static func tables(of store: StoreConnection) async throws -> [Table] {
        let columns = try await store.fetch(
            """
            SELECT c.relname AS t, a.attname AS c, format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull,
                   a.attidentity <> '' OR a.attgenerated <> '' AS is_made, r.other, r.column,
                   (SELECT string_agg(m[1], '|') FROM pg_constraint k,
                           regexp_matches(pg_get_constraintdef(k.oid), '''([^'']+)''::text', 'g') m
                     WHERE k.conrelid = c.oid AND k.contype = 'c' AND a.attnum = ANY (k.conkey)) AS words
              FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
              LEFT JOIN LATERAL (
                SELECT k.confrelid::regclass::text AS other, f.attname AS column
                  FROM pg_constraint k, unnest(k.conkey, k.confkey) AS u(mine, theirs)
                  JOIN pg_attribute f ON f.attnum = u.theirs
                 WHERE k.conrelid = c.oid AND k.contype = 'f' AND u.mine = a.attnum AND f.attrelid = k.confrelid LIMIT 1
              ) r ON true
             WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
               AND c.relname NOT IN ('schema_migration', 'schema_function')
               AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
             ORDER BY c.relname, a.attnum
            """)
        let checks = try await store.fetch(
            """
            SELECT k.conrelid::regclass::text AS t, k.conname, a.attname
              FROM pg_constraint k JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey)
             WHERE k.contype = 'c' AND k.connamespace = 'public'::regnamespace
            """)
        var tables: [Table] = []
        for row in columns {
            let table = try row.text("t")
            if tables.last?.name != table { tables.append(Table(name: table, columns: [], checks: [:])) }
            var column = Column(
                name: try row.text("c"), type: try row.text("type"), isRequired: try row.flag("attnotnull"),
                isMade: try row.flag("is_made"), reference: nil,
                words: try row.optionalText("words")?.split(separator: "|").map(String.init) ?? [])
            if let other = try row.optionalText("other") { column.reference = (other, try row.text("column")) }
            tables[tables.count - 1].columns.append(column)
        }
        for row in checks {
            let table = try row.text("t")
            guard let index = tables.firstIndex(where: { $0.name == table }) else { continue }
            tables[index].checks[try row.text("conname"), default: []].append(try row.text("attname"))
        }
        return tables
    }

    /// Puts rows into every table. A row that its table has already, or that no value fits, is left out.
    mutating func fill(_ store: StoreConnection) async throws {
        for table in tables {
            for row in 1...Self.rowsMax { try await insert(row, into: table, store) }
        }
    }

    /// Tries other values for the columns of a constraint that refuses a row.
    private func insert(_ row: Int, into table: Table, _ store: StoreConnection) async throws {
        var choice: [String: Int] = [:]
        let columns = table.columns.filter { !$0.isMade }
        let names = columns.map { "\(identifier: $0.name)" as SQL }.joined(separator: ", ")
        for _ in 0..<Self.triesMax {
            let values = try columns.map { column in
                SQL(verbatim: try value(of: column, in: table, row, choice[column.name] ?? 0))
            }
            do {
                try await store.run(
                    columns.isEmpty
                        ? "INSERT INTO \(identifier: table.name) DEFAULT VALUES"
                        : """
                        INSERT INTO \(identifier: table.name) (\(names)) VALUES (\(values.joined(separator: ", ")))
                        ON CONFLICT DO NOTHING
                        """)
                return
            } catch let error as StoreError where error.sqlState == "23514" {
                let broken = table.checks.first { "\(error)".contains("\"\($0.key)\"") }
                guard let broken else { throw error }
                for column in broken.value { choice[column, default: 0] += 1 }
            }
        }
    }

    private func value(of column: Column, in table: Table, _ row: Int, _ choice: Int) throws -> String {
        if row == Self.rowsMax, !column.isRequired { return "NULL" }
        if let reference = column.reference {
            return """
                (SELECT "\(reference.column)" FROM "\(reference.table)" ORDER BY 1
                 OFFSET \(row - 1) % (SELECT greatest(1, count(*)) FROM "\(reference.table)") LIMIT 1)
                """
        }
        switch column.type {
        case "smallint", "integer", "bigint":
            return String([row, 1, 0][choice % 3])
        case "double precision", "real": return ["\(row).1", "'NaN'", "'Infinity'", "0"][(row - 1 + choice) % 4]
        case "boolean": return (row + choice).isMultiple(of: 2) ? "false" : "true"
        case "text":
            let words = (legal["\(table.name).\(column.name)"] ?? []) + ["a\(row)"]
            return "'\(words[(row - 1 + choice) % words.count].replacing("'", with: "''"))'"
        case "jsonb": return #"'{"limits": {"x": {"high": \#(row)}}, "k": [\#(row), null]}'"#
        case "timestamp with time zone": return "'2026-01-0\(row) 12:34:56.789012Z'"
        case "interval": return "'\(row) days'"
        case "bytea": return #"'\x00ff0\#(row)'"#
        case "real[]", "smallint[]", "double precision[]": return "'{\(row), NULL, 3}'"
        default: throw TestServers.Failure("no value for a column of type \(column.type): say one here")
        }
    }
}
