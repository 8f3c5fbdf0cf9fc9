import Sensors
import Store
import TestSupport
import Testing

extension Integration {
    @Suite struct TheSchema {
        @Test func isAppliedOnceHoweverManyStartAtOnce() async throws {
            try await TestSystem.with { system in
                #expect(try await !Migrations.areApplied(in: system.store))
                let applied = try await withThrowingTaskGroup(of: [Int64].self) { group in
                    for number in 0..<5 {
                        let store = try system.anotherStore("\(number)")
                        group.addTask {
                            let applied = try await Migrations.apply(to: store)
                            await store.close()
                            return applied
                        }
                    }
                    return try await group.reduce(into: []) { $0.append($1) }
                }
                let all = Migrations.all.map(\.version)
                #expect(applied.filter { $0 == all }.count == 1)
                #expect(applied.filter(\.isEmpty).count == 4)
                #expect(try await Migrations.areApplied(in: system.store))
                #expect(try await Migrations.apply(to: system.store) == [])
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
                try await system.store.query("UPDATE schema_migration SET checksum = 'x' || checksum WHERE version = 1")
                #expect(try await refusal().contains("step 1"))
                try await system.store.query(
                    "UPDATE schema_migration SET checksum = substr(checksum, 2) WHERE version = 1")
                #expect(try await Migrations.apply(to: system.store) == [])
                // Without a step in the middle the schema is not there, however new the newest one is.
                try await system.store.query("DELETE FROM schema_migration WHERE version = 1")
                #expect(try await !Migrations.areApplied(in: system.store))
            }
        }

        /// While one release follows another, the older one meets a schema with steps that it doesn't know.
        @Test func stepsOfALaterReleaseAreLeftAlone() async throws {
            try await TestSystem.with { system in
                try await Migrations.apply(to: system.store)
                try await system.store.query(
                    "INSERT INTO schema_migration (version, name, checksum) VALUES (999, 'later', '')")
                #expect(try await Migrations.areApplied(in: system.store))
                #expect(try await Migrations.apply(to: system.store) == [])
                #expect(try await system.number("SELECT max(version) FROM schema_migration") == 999)
            }
        }

        @Test func explainsEveryTableColumnAndFunction() async throws {
            try await TestSystem.with { system in
                try await Migrations.apply(to: system.store)
                let uncommented = try await system.store.query(
                    """
                    WITH own AS (
                        SELECT c.oid, c.relname FROM pg_class c
                         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
                           AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
                    )
                    SELECT relname AS name FROM own WHERE obj_description(oid, 'pg_class') IS NULL
                    UNION ALL
                    SELECT relname || '.' || attname FROM own JOIN pg_attribute a ON a.attrelid = own.oid
                     WHERE attnum > 0 AND NOT attisdropped AND col_description(own.oid, attnum) IS NULL
                    UNION ALL
                    SELECT proname || '()' FROM pg_proc p
                     WHERE pronamespace = 'public'::regnamespace AND obj_description(p.oid, 'pg_proc') IS NULL
                       AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
                    """)
                #expect(uncommented.rows.compactMap { $0["name"] } == [])
                #expect(
                    try await system.number(
                        "SELECT count(*) FROM pg_class WHERE relname IN ('measurement', 'sensor', 'schema_migration')")
                        == 3)
            }
        }

        /// A unique index made a bulk insert several times slower, and compressed arrays halve it again (design §3).
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
                            Heard(
                                serial: try serial("a"), received: time,
                                content: LogLine(at: time, level: .info, text: "x", boot: 1))
                        ], clockRule: ClockRule())
                    let tables = try await system.store.query(
                        "SELECT hypertable_name AS n FROM timescaledb_information.hypertables ORDER BY n")
                    #expect(
                        tables.rows.compactMap { $0["n"] } == [
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
                    let storage = try await system.store.query(
                        """
                        SELECT attname AS n, attstorage AS s FROM pg_attribute
                         WHERE attrelid IN (SELECT show_chunks('measurement')) AND attname IN ('samples', 'counts')
                         ORDER BY n
                        """)
                    #expect(storage.rows.map { $0["n"] } == ["counts", "samples"])
                    #expect(storage.rows.allSatisfy { $0["s"] == "e" })
                }
            }
        }
    }
}
