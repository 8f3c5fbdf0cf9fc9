import Model
import Postgres
import Store
import TestSupport
import Testing
import Time

extension Integration {
    @Suite struct TheSchema {
        @Test func isAppliedOnceHoweverManyStartAtOnce() async throws {
            try await TestSystem.with { system in
                #expect(try await !Migrations.areApplied(in: system.store))
                let applied = try await withThrowingTaskGroup(of: Migrations.Applied.self) { group in
                    for number in 0..<5 {
                        let store = try system.anotherStore("\(number)")
                        group.addTask {
                            let applied = try await Migrations.apply(to: store)
                            await store.close()
                            return applied
                        }
                    }
                    return try await group.reduce(into: [Migrations.Applied]()) { $0.append($1) }
                }
                let all = Migrations.all.map(\.version)
                let files = Functions.current.files.map(\.name)
                #expect(applied.filter { $0.steps == all && $0.functions == files }.count == 1)
                #expect(applied.filter(\.isEmpty).count == 4)
                #expect(try await Migrations.areApplied(in: system.store))
                #expect(try await Migrations.apply(to: system.store).isEmpty)
                #expect(try await system.number("SELECT count(*) FROM schema_migration") == Int64(all.count))
            }
        }

        @Test func anotherHistoryIsRefused() async throws {
            try await TestSystem.with { system in
                try await Migrations.apply(to: system.store)
                func refusal() async throws -> String {
                    let error = try await #require(throws: StoreError.self) {
                        try await Migrations.apply(to: system.store)
                    }
                    #expect(error.advice == .giveUp)
                    return "\(error)"
                }
                try await system.store.run("UPDATE schema_migration SET checksum = 'x' || checksum WHERE version = 1")
                #expect(try await refusal().contains("step 1"))
                try await system.store.run(
                    "UPDATE schema_migration SET checksum = substr(checksum, 2) WHERE version = 1")
                #expect(try await Migrations.apply(to: system.store).isEmpty)
                // Without a step in the middle the schema is not there, however new the newest one is.
                try await system.store.run("DELETE FROM schema_migration WHERE version = 1")
                #expect(try await !Migrations.areApplied(in: system.store))
            }
        }

        /// The ingesters wait for the functions, too.
        @Test func isNotThereWithoutItsFunctions() async throws {
            try await TestSystem.with { system in
                try await Migrations.apply(to: system.store, functions: .none)
                #expect(try await !Migrations.areApplied(in: system.store))
                try await Migrations.apply(to: system.store)
                #expect(try await Migrations.areApplied(in: system.store))
                #expect(try await Migrations.state(of: system.store) == Migrations.State())
                try await system.store.run("DROP TABLE schema_function")
                #expect(try await !Migrations.areApplied(in: system.store))
            }
        }

        /// While one release follows another, the older one meets a schema with steps that it doesn't know.
        @Test func stepsOfALaterReleaseAreLeftAlone() async throws {
            try await TestSystem.with { system in
                try await Migrations.apply(to: system.store)
                try await system.store.run(
                    "INSERT INTO schema_migration (version, name, checksum) VALUES (999, 'later', '')")
                #expect(try await Migrations.areApplied(in: system.store))
                #expect(try await Migrations.apply(to: system.store).isEmpty)
                #expect(try await system.number("SELECT max(version) FROM schema_migration") == 999)
            }
        }

        @Test func explainsEveryTableViewColumnAndFunction() async throws {
            try await TestSystem.with { system in
                try await Migrations.apply(to: system.store)
                #expect(try await unexplained(system) == [])
                #expect(
                    try await system.number(
                        "SELECT count(*) FROM pg_class WHERE relname IN ('measurement', 'sensor', 'schema_migration')")
                        == 3)
                for statement: SQL in [
                    "CREATE TABLE t1 (c1 int, c2 int)", "COMMENT ON COLUMN t1.c1 IS 'One.'",
                    "CREATE VIEW v1 AS SELECT 1 AS c1", "COMMENT ON VIEW v1 IS 'A view.'",
                    "CREATE MATERIALIZED VIEW m1 AS SELECT 1 AS c1", "COMMENT ON COLUMN m1.c1 IS ' '",
                    "CREATE FUNCTION f1(int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
                    "CREATE FUNCTION f1(text) RETURNS int LANGUAGE sql AS 'SELECT 1'",
                    "COMMENT ON FUNCTION f1(int) IS 'The one that has one.'", "CREATE TYPE y1 AS ENUM ('a')",
                    "CREATE SCHEMA s1", "CREATE TABLE s1.t2 (c1 int)",
                ] { try await system.store.run(statement) }
                #expect(
                    try await unexplained(system) == [
                        "f1(text)", "m1", "m1.c1", "s1", "s1.t2", "s1.t2.c1", "t1", "t1.c2", "v1.c1", "y1",
                    ])
            }
        }

        /// The comments of steps that are released are reworded in `comments.sql`.
        @Test func commentsArePlainEnglish() async throws {
            try await TestSystem.with { system in
                try await Migrations.apply(to: system.store)
                let words = """
                    \\m(somebody|nobody|whoever|anew|good-bye|for ever|heard of|comes? to|people want|don't|can't|said so)\\M
                    """
                let comments: SQL = "FROM pg_description WHERE description ~* \(words)"
                #expect(
                    try await system.number(
                        """
                        SELECT count(*) \(comments) AND (
                               objoid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)
                               OR objoid IN (SELECT p.oid FROM pg_proc p WHERE pronamespace = 'public'::regnamespace
                                 AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')))
                        """) == 0)
                // The words are found where they are.
                try await system.store.run("COMMENT ON TABLE sensor IS 'Nobody''s sensor.'")
                #expect(try await system.number("SELECT count(*) \(comments) AND objoid = 'sensor'::regclass") == 1)
            }
        }

        /// What has no comment, or an empty one, of all that is not an extension's or the server's own.
        private func unexplained(_ system: TestSystem) async throws -> [String] {
            try await system.store.fetch(
                """
                WITH space AS (
                    SELECT oid, nspname FROM pg_namespace n WHERE nspname !~ '^(pg_|_timescaledb|information_schema)'
                       AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = n.oid AND d.deptype = 'e')
                ), own AS (
                    SELECT c.oid, c.oid::regclass::text AS name FROM pg_class c JOIN space ON space.oid = relnamespace
                     WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
                       AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
                ), thing AS (
                    SELECT nspname AS name, obj_description(oid, 'pg_namespace') AS says FROM space
                    UNION ALL
                    SELECT name, obj_description(oid, 'pg_class') FROM own
                    UNION ALL
                    SELECT name || '.' || attname, col_description(own.oid, attnum)
                      FROM own JOIN pg_attribute a ON a.attrelid = own.oid WHERE attnum > 0 AND NOT attisdropped
                    UNION ALL
                    SELECT p.oid::regprocedure::text, obj_description(p.oid, 'pg_proc')
                      FROM pg_proc p JOIN space ON space.oid = pronamespace
                     WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
                    UNION ALL
                    SELECT format_type(t.oid, NULL), obj_description(t.oid, 'pg_type')
                      FROM pg_type t JOIN space ON space.oid = typnamespace
                     WHERE typtype IN ('d', 'e', 'r')
                       AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = t.oid AND d.deptype = 'e')
                )
                SELECT name FROM thing WHERE coalesce(says, '') ~ '^\\s*$' ORDER BY name COLLATE "C"
                """
            ).map { try $0.text("name") }
        }

        /// A unique index made a bulk insert several times slower, and compressed arrays halve it again.
        @Test func hypertablesAreMadeForWriting() async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    let time = Timestamp(unixMilliseconds: 1_763_720_000_000)
                    try await partition.commit(rows: [
                        .test(time: time, samples: .floats([1, 2])),
                        .test(time: time, samples: .counts([1, 2], scale: 1, offset: 0)),
                    ])
                    try await system.store.record(
                        logs: [
                            Received(
                                serial: try serial("a"), received: time,
                                content: LogLine(at: time, level: .info, text: "x", boot: 1))
                        ], clockRule: ClockRule())
                    let tables = try await system.store.fetch(
                        "SELECT hypertable_name AS n FROM timescaledb_information.hypertables ORDER BY n")
                    #expect(
                        try tables.map { try $0.text("n") } == [
                            "ingest_history", "location", "measurement", "measurement_1d", "measurement_1h",
                            "measurement_1m",
                            "sensor_log",
                        ])
                    let unique = try await system.number(
                        """
                        SELECT count(*) FROM pg_index WHERE indisunique AND (
                            indrelid IN ('location'::regclass, 'measurement'::regclass, 'sensor_log'::regclass)
                            OR indrelid IN (SELECT show_chunks('measurement') UNION SELECT show_chunks('sensor_log')))
                        """)
                    #expect(unique == 0)
                    let keys = try await system.number(
                        """
                        SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND conrelid IN (
                            'location'::regclass, 'measurement'::regclass, 'sensor_log'::regclass)
                        """)
                    #expect(keys == 0)
                    let storage = try await system.store.fetch(
                        """
                        SELECT attname AS n, attstorage AS s FROM pg_attribute
                         WHERE attrelid IN (SELECT show_chunks('measurement')) AND attname IN ('samples', 'counts')
                         ORDER BY n
                        """)
                    #expect(try storage.map { try $0.text("n") } == ["counts", "samples"])
                    #expect(try storage.allSatisfy { try $0.text("s") == "e" })
                }
            }
        }
    }
}
