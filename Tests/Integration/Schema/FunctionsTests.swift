import Foundation
import Postgres
import Store
import TestSupport
import Testing

extension Integration {
    /// The files of functions and views, over the steps and over one another.
    @Suite struct TheFunctions {
        /// Functions and views that are others now than steps 1 to 6 made them, or that those did not make: what an upgrade
        /// from a release without files of functions changes. Whoever changes a function adds it.
        private static let changedSinceTheSteps: Set<String> = [
            "channel_number(text,text)",
            "chart(text,text,timestamp with time zone,timestamp with time zone,integer)",
            "finite_samples(integer,integer,double precision)",
            "fleet",
            "ingest_chunk(text,timestamp with time zone)",
            "ingest_commit(text,bigint,integer,bigint,bigint,bigint)",
            "ingest_commit(text,bigint,integer,bigint,bigint,bigint,timestamp with time zone,timestamp with time zone)",
            "ingest_commit(text,bigint,integer,bigint,bigint,bigint,timestamp with time zone,timestamp with time zone,boolean)",
            "ingest_record()",
            "leaves(jsonb)",
            "location_is_place()",
            "measurement_1mo",
            "measurement_1w",
            "names_change()",
            "names_hold(bigint)",
            "names_version()",
            "note_rule_change()",
            "oldest_datum(text,boolean)",
            "oldest_of(text)",
            "policies_apply()",
            "query_record()",
            "retention",
            "retention_apply(text)",
            "retention_mark()",
            "rollup_close()",
            "rollup_late_only()",
            "rollup_late_rows()",
            "rollup_longer(text)",
            "rollup_minutes()",
            "rollup_note(integer[],smallint[],timestamp with time zone[],bigint[],bigint[],double precision[],double precision[],double precision[],double precision[])",
            "rollup_sums()",
            "rule_state_save(text,bigint,integer,bigint,bigint,bytea,text[],text[],text[],text[],bigint[])",
            "sequence_gap_missing()",
            "spectrum(text,text,timestamp with time zone,integer)",
            "storage_record(bigint,bigint)",
            "storage_sizes()",
            "track(text,timestamp with time zone,timestamp with time zone,integer)",
            "twin_drift(jsonb,jsonb)",
            "weighted(double precision,bigint)",
        ]

        /// The functions and views, by name: definition and comments.
        private static func definitions(_ store: StoreConnection) async throws -> [String: String] {
            let rows = try await store.fetch(
                """
                SELECT p.oid::regprocedure::text AS name,
                       pg_get_functiondef(p.oid) || coalesce(obj_description(p.oid, 'pg_proc'), '') AS definition
                  FROM pg_proc p WHERE pronamespace = 'public'::regnamespace
                   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
                UNION ALL
                SELECT c.relname, pg_get_viewdef(c.oid) || coalesce(obj_description(c.oid, 'pg_class'), '') || (
                       SELECT string_agg(attname || coalesce(col_description(c.oid, attnum), ''), ';' ORDER BY attnum)
                         FROM pg_attribute WHERE attrelid = c.oid)
                  FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relkind = 'v'
                   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
                """)
            return Dictionary(uniqueKeysWithValues: try rows.map { (try $0.text("name"), try $0.text("definition")) })
        }

        /// The names of what differs.
        private static func differences(_ first: [String: String], _ second: [String: String]) -> Set<String> {
            Set(first.keys).union(second.keys).filter { first[$0] != second[$0] }
        }

        /// The functions of the next release: `twin_drift` finds nothing any more.
        private static func next(_ change: (inout Functions) -> Void = { _ in }) -> Functions {
            var functions = Functions.current
            functions.revision += 1
            functions.files = functions.files.map { file in
                guard file.name == "twin" else { return file }
                return Functions.File(
                    name: "twin",
                    sql: file.sql.replacing("WHERE d.value IS DISTINCT FROM r.value", with: "WHERE false"))
            }
            change(&functions)
            return functions
        }

        private static func drift(_ system: TestSystem) async throws -> Int64 {
            try await system.number(#"SELECT count(*) FROM twin_drift('{"a": 1}', '{}')"#)
        }

        @Test func anUpgradeChangesNoOtherThanThoseThatChanged() async throws {
            try await TestSystem.with { system in
                try await Migrations.apply(to: system.store, Array(Migrations.all.prefix(6)), functions: .none)
                let before = try await Self.definitions(system.store)
                #expect(before.count == 38)
                try await Migrations.apply(to: system.store)
                let after = try await Self.definitions(system.store)
                #expect(Self.differences(before, after) == Self.changedSinceTheSteps)
            }
        }

        /// The files define all functions and views, each with what the files before it define: an upgraded database and
        /// one whose steps would make none are the same.
        @Test func areCompleteAndInOrder() async throws {
            try await TestSystem.with { system in
                try await Migrations.apply(to: system.store)
                let made = try await Self.definitions(system.store)
                try await system.store.run(
                    """
                    DO $$
                    DECLARE
                        thing text;
                    BEGIN
                        FOR thing IN SELECT c.oid::regclass FROM pg_class c
                                      WHERE relnamespace = 'public'::regnamespace AND relkind = 'v'
                                        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
                        LOOP EXECUTE 'DROP VIEW ' || thing; END LOOP;
                        FOR thing IN SELECT p.oid::regprocedure FROM pg_proc p WHERE pronamespace = 'public'::regnamespace
                                        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
                        LOOP EXECUTE 'DROP FUNCTION ' || thing || ' CASCADE'; END LOOP;
                    END $$
                    """)
                #expect(try await Self.definitions(system.store).isEmpty)
                try await system.store.run("DELETE FROM schema_function")
                #expect(try await Migrations.apply(to: system.store).functions == Functions.current.files.map(\.name))
                #expect(Self.differences(made, try await Self.definitions(system.store)).isEmpty)
            }
        }

        @Test func aChangedFileIsAppliedOnceAndNoOther() async throws {
            try await TestSystem.with { system in
                try await Migrations.apply(to: system.store)
                #expect(try await Self.drift(system) == 1)
                let writes: SQL = """
                    SELECT p.oid::regprocedure::text AS name, p.xmin::text AS definition FROM pg_proc p
                     WHERE pronamespace = 'public'::regnamespace
                       AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
                    UNION ALL SELECT 'file ' || name, applied_at::text FROM schema_function
                    UNION ALL SELECT 'view ' || relname, xmin::text FROM pg_class WHERE relname IN ('fleet', 'retention')
                    """
                func written() async throws -> [String: String] {
                    Dictionary(
                        uniqueKeysWithValues: try await system.store.fetch(writes).map {
                            (try $0.text("name"), try $0.text("definition"))
                        })
                }
                let before = try await written()
                let next = Self.next()
                var expected = Migrations.Applied()
                expected.functions = ["twin"]
                #expect(try await Migrations.apply(to: system.store, functions: next) == expected)
                #expect(try await Self.drift(system) == 0)
                let after = try await written()
                #expect(
                    Self.differences(before, after) == ["file twin", "leaves(jsonb)", "twin_drift(jsonb,jsonb)"])
                #expect(try await Migrations.apply(to: system.store, functions: next).isEmpty)
                #expect(Self.differences(after, try await written()).isEmpty)
                #expect(
                    try await system.number("SELECT min(revision) FROM schema_function") == next.revision)
            }
        }

        /// A rollback, or a crash during an upgrade: the older release works with what the later one made.
        @Test func anOlderReleaseLeavesThemAlone() async throws {
            try await TestSystem.with { system in
                let next = Self.next { functions in
                    // Its files are divided otherwise, too: one went up in another.
                    let chart = functions.files.first { $0.name == "chart" }?.sql ?? ""
                    functions.files.removeAll { $0.name == "chart" }
                    functions.files = functions.files.map { file in
                        file.name == "spectrum" ? Functions.File(name: file.name, sql: file.sql + "\n" + chart) : file
                    }
                }
                try await Migrations.apply(to: system.store)
                try await Migrations.apply(to: system.store, functions: next)
                let made = try await Self.definitions(system.store)
                let rows: SQL = "SELECT string_agg(f::text, ';' ORDER BY name) AS rows FROM schema_function f"
                let recorded = try await system.store.fetchOne(rows).text("rows")
                #expect(try await system.number("SELECT count(*) FROM schema_function WHERE name = 'chart'") == 0)

                #expect(try await Migrations.apply(to: system.store).isEmpty)
                #expect(try await Migrations.areApplied(in: system.store))
                var state = Migrations.State()
                state.hasNewerFunctions = true
                #expect(try await Migrations.state(of: system.store) == state)
                #expect(try await Self.drift(system) == 0)
                #expect(Self.differences(made, try await Self.definitions(system.store)).isEmpty)
                #expect(try await system.store.fetchOne(rows).text("rows") == recorded)
            }
        }

        /// A step may drop a function or view to change what it depends on.
        @Test func whatAStepDropsComesBack() async throws {
            try await TestSystem.with { system in
                try await Migrations.apply(to: system.store)
                let made = try await Self.definitions(system.store)
                let step = Migrations.Step(
                    version: 999, name: "later", sql: "DROP VIEW fleet; DROP FUNCTION twin_drift(jsonb, jsonb)")
                let applied = try await Migrations.apply(to: system.store, Migrations.all + [step])
                #expect(applied.steps == [999])
                #expect(Self.differences(made, try await Self.definitions(system.store)).isEmpty)
            }
        }

        /// A file that fails leaves the database as it was.
        @Test func oneThatFailsChangesNothing() async throws {
            try await TestSystem.with { system in
                try await Migrations.apply(to: system.store)
                let made = try await Self.definitions(system.store)
                let broken = Self.next { functions in
                    functions.files.append(
                        Functions.File(name: "broken", sql: "CREATE OR REPLACE VIEW fleet AS SELECT 1"))
                }
                await #expect(throws: StoreError.self) {
                    try await Migrations.apply(to: system.store, functions: broken)
                }
                #expect(Self.differences(made, try await Self.definitions(system.store)).isEmpty)
                #expect(
                    try await system.number("SELECT max(revision) FROM schema_function") == Functions.current.revision)
            }
        }
    }
}
