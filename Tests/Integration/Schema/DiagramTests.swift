import Foundation
import Postgres
import Store
import TestSupport
import Testing

extension Integration {
    /// `docs/schema.md` shows the database that the migrations make: all of it, and nothing else.
    @Suite struct TheDiagram {
        private let text: String
        private let diagram: EntityDiagram

        init() throws {
            text = try String(contentsOf: TestServers.root.appending(path: "docs/schema.md"), encoding: .utf8)
            diagram = try EntityDiagram(markdown: text)
        }

        /// The columns of each table of ours, "table.column", and what holds for them.
        private struct Column: Equatable {
            var type: String
            var isNullable: Bool
            var keys: Set<String>
        }

        private static let tables: SQL = """
            SELECT oid, relname, relkind FROM pg_class c WHERE relnamespace = 'public'::regnamespace
               AND relkind IN ('r', 'p', 'v', 'm')
               AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
            """

        private func names(_ system: TestSystem, _ sql: SQL) async throws -> [String] {
            try await system.store.fetch(sql).map { try $0.text("n") }
        }

        private func columns(_ system: TestSystem) async throws -> [String: Column] {
            let rows = try await system.store.fetch(
                """
                SELECT c.relname || '.' || a.attname AS n, format_type(a.atttypid, NULL) AS type, NOT attnotnull AS is_nullable,
                       EXISTS (SELECT FROM pg_constraint k WHERE conrelid = c.oid AND contype = 'p' AND attnum = ANY (conkey)) AS pk,
                       EXISTS (SELECT FROM pg_constraint k WHERE conrelid = c.oid AND contype = 'f' AND attnum = ANY (conkey)) AS fk,
                       EXISTS (SELECT FROM pg_constraint k WHERE conrelid = c.oid AND contype = 'u' AND conkey = ARRAY[attnum]) AS uk
                  FROM (\(Self.tables)) c JOIN pg_attribute a ON a.attrelid = c.oid AND attnum > 0 AND NOT attisdropped
                 WHERE relkind IN ('r', 'p')
                """)
            let short = [
                "integer": "int", "double precision": "float8", "timestamp with time zone": "timestamptz",
            ]
            return Dictionary(
                uniqueKeysWithValues: try rows.map { row in
                    let type = try row.text("type")
                    let keys = try ["PK", "FK", "UK"].filter { try row.flag("\($0.lowercased())") }
                    return (
                        try row.text("n"),
                        Column(type: short[type] ?? type, isNullable: try row.flag("is_nullable"), keys: Set(keys))
                    )
                })
        }

        /// "table.a, b" of what is unique in each table, as sets of columns.
        private func unique(_ system: TestSystem) async throws -> [String: [Set<String>]] {
            let rows = try await system.store.fetch(
                """
                SELECT conrelid::regclass::text AS t, string_agg(attname, ',') AS columns
                  FROM pg_constraint k JOIN pg_attribute a ON a.attrelid = conrelid AND attnum = ANY (conkey)
                 WHERE contype IN ('p', 'u') AND connamespace = 'public'::regnamespace GROUP BY k.oid, conrelid
                """)
            return try rows.reduce(into: [:]) { all, row in
                let columns = Set(try row.text("columns").split(separator: ",").map(String.init))
                all[try row.text("t"), default: []].append(columns)
            }
        }

        @Test func showsEveryTableWithItsKeys() async throws {
            try await TestSystem.with { system in
                try await Migrations.apply(to: system.store)
                let tables = try await names(
                    system, "SELECT relname AS n FROM (\(Self.tables)) t WHERE relkind IN ('r', 'p') ORDER BY 1")
                #expect(diagram.entities.keys.sorted() == tables.sorted())
                #expect(text.contains("\n\(tables.count) tables"))
                let columns = try await columns(system)
                for (table, attributes) in diagram.entities {
                    for attribute in attributes {
                        let place = "\(table).\(attribute.name)"
                        #expect(columns[place]?.type == attribute.type, "\(place)")
                        #expect(columns[place]?.keys == attribute.keys, "\(place)")
                    }
                    #expect(Set(attributes.map(\.name)).count == attributes.count, "\(table)")
                }
                let shown = Set(diagram.entities.flatMap { table, list in list.map { "\(table).\($0.name)" } })
                #expect(columns.filter { !$0.value.keys.isEmpty }.keys.filter { !shown.contains($0) } == [])
            }
        }

        /// A line leads from what is referred to, by the columns that it names, and its ends say how many there may be.
        @Test func showsEveryForeignKeyTheRightWayRound() async throws {
            try await TestSystem.with { system in
                try await Migrations.apply(to: system.store)
                let keys = try await names(
                    system,
                    """
                    SELECT confrelid::regclass || ' ' || conrelid::regclass || ' ' ||
                           (SELECT string_agg(attname, ', ' ORDER BY i) FROM unnest(conkey) WITH ORDINALITY u(k, i)
                              JOIN pg_attribute ON attrelid = conrelid AND attnum = k) AS n
                      FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace
                    """)
                let solid = diagram.relations.filter(\.isSolid)
                #expect(
                    solid.map { "\($0.parent) \($0.child) \($0.columns.joined(separator: ", "))" }.sorted()
                        == keys.sorted())
                let (columns, unique) = (try await columns(system), try await unique(system))
                for relation in diagram.relations {
                    let name = "\(relation.parent) to \(relation.child)"
                    let mine = relation.columns.map { columns["\(relation.child).\($0)"] }
                    #expect(!mine.contains(nil), "\(name): \(relation.columns) of the second")
                    // A table that refers to itself has another name for the column.
                    #expect(
                        relation.parent == relation.child
                            || unique[relation.parent]?.contains(Set(relation.columns)) == true,
                        "\(name): \(relation.columns) of the first")
                    let mayBeNone = mine.contains { $0?.isNullable == true }
                    if relation.isSolid || mayBeNone {
                        #expect(relation.parents == (mayBeNone ? "|o" : "||"), "\(name): how many of the first")
                    }
                    let isOne = unique[relation.child]?.contains(Set(relation.columns)) == true
                    #expect(relation.children == (isOne ? "o|" : "o{"), "\(name): how many of the second")
                }
                // No table that belongs to a sensor hangs in the air.
                let related = Set(
                    diagram.relations.filter { ["sensor", "channel"].contains($0.parent) }.map(\.child))
                let belonging = Set(
                    columns.keys.filter { $0.hasSuffix(".sensor_id") && $0 != "sensor.sensor_id" }
                        .map { String($0.prefix { $0 != "." }) })
                #expect(belonging.subtracting(related) == [])
            }
        }

        @Test func namesEveryViewFunctionAndHypertable() async throws {
            try await TestSystem.with { system in
                try await Migrations.apply(to: system.store)
                let views = try await names(
                    system, "SELECT relname AS n FROM (\(Self.tables)) t WHERE relkind IN ('v', 'm')")
                let functions = try await names(
                    system,
                    """
                    SELECT DISTINCT proname AS n FROM pg_proc p WHERE pronamespace = 'public'::regnamespace
                       AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e') ORDER BY 1
                    """)
                for view in views { #expect(text.contains("`\(view)`"), "\(view)") }
                let listed = text.components(separatedBy: "## Functions").last ?? ""
                #expect(Self.words(listed).sorted() == functions.sorted())
                let line = text.split(separator: "\n").first { $0.hasPrefix("Hypertables: ") } ?? ""
                let hypertables = try await names(
                    system, "SELECT hypertable_name AS n FROM timescaledb_information.hypertables")
                #expect(Self.words(String(line)).sorted() == hypertables.sorted())
                // And what it calls by name is there.
                let known = Set(views + functions + diagram.entities.keys)
                let prose = text.components(separatedBy: "```").last ?? ""
                for word in Self.words(prose.replacing("()", with: "")) { #expect(known.contains(word), "\(word)") }
            }
        }

        /// What stands between backquotes.
        private static func words(_ text: String) -> [String] {
            text.matches(of: /`([a-z_0-9]+)`/).map { String($0.1) }
        }

        @Test(arguments: [
            "a {", "a {\n}\n}", "a {\n int b PK FK\n}", "a {\n int b 'x'\n}", "a {\n double precision b\n}",
            "a ||--o{ b", "a ||-o{ b : \"c\"", "a ||--{o b : \"c\"", "a o{--|| b : c", "a {\n}\na {\n}", "1a {\n}", "x",
            "a {\n int b\n}\na ||--o{ nowhere : \"b\"",
        ])
        func whatMermaidWouldNotDrawIsRefused(lines: String) {
            #expect(throws: TestServers.Failure.self) {
                try EntityDiagram(markdown: "```mermaid\nerDiagram\n\(lines)\n```\n")
            }
        }
    }
}

/// A mermaid `erDiagram`, in the part of its grammar that we use.
struct EntityDiagram {
    struct Attribute {
        var type: String
        var name: String
        var keys: Set<String>
    }

    struct Relation {
        /// The table that is referred to, and how many of it a row has: `||` one, `|o` one or none.
        var parent: String
        var parents: String
        var isSolid: Bool
        /// How many rows it has: `o{` any number, `o|` one or none.
        var children: String
        var child: String
        var columns: [String]
    }

    private(set) var entities: [String: [Attribute]] = [:]
    private(set) var relations: [Relation] = []

    /// Reads the one diagram of a page.
    /// - Throws: `TestServers.Failure` that names the first line which mermaid would not read, or would draw otherwise.
    init(markdown: String) throws {
        let blocks = markdown.components(separatedBy: "```mermaid\n")
        guard blocks.count == 2, let end = blocks[1].range(of: "\n```\n") else {
            throw TestServers.Failure("not one diagram")
        }
        var entity: String?
        let lines = blocks[1][..<end.lowerBound].split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
        guard lines.first == "erDiagram" else { throw TestServers.Failure("no erDiagram") }
        for line in lines.dropFirst() where !line.isEmpty && !line.hasPrefix("%%") {
            if let name = entity {
                if line == "}" { entity = nil } else { entities[name]?.append(try Self.attribute(line)) }
            } else if let match = line.wholeMatch(of: /([A-Za-z_][A-Za-z0-9_]*) \{/) {
                entity = String(match.1)
                guard entities.updateValue([], forKey: String(match.1)) == nil else {
                    throw TestServers.Failure("twice: \(line)")
                }
            } else {
                relations.append(try Self.relation(line))
            }
        }
        if let entity { throw TestServers.Failure("no end of \(entity)") }
        for relation in relations where entities[relation.parent] == nil || entities[relation.child] == nil {
            throw TestServers.Failure("a line to nowhere: \(relation.parent), \(relation.child)")
        }
    }

    private static func attribute(_ line: String) throws -> Attribute {
        let form = /([a-z][a-z0-9]*(?:\[\])?) ([a-z][a-z0-9_]*)((?: (?:PK|FK|UK)(?:, (?:PK|FK|UK))*)?)(?: "[^"]*")?/
        guard let match = line.wholeMatch(of: form) else { throw TestServers.Failure("no attribute: \(line)") }
        let keys = match.3.split { " ,".contains($0) }.map(String.init)
        return Attribute(type: String(match.1), name: String(match.2), keys: Set(keys))
    }

    private static func relation(_ line: String) throws -> Relation {
        let form = /([A-Za-z_][A-Za-z0-9_]*) (\|\||\|o)(--|\.\.)(o\{|o\|) ([A-Za-z_][A-Za-z0-9_]*) : "([a-z0-9_, ]+)"/
        guard let match = line.wholeMatch(of: form) else { throw TestServers.Failure("no line: \(line)") }
        return Relation(
            parent: String(match.1), parents: String(match.2), isSolid: match.3 == "--", children: String(match.4),
            child: String(match.5), columns: match.6.components(separatedBy: ", "))
    }
}
