import Foundation
import Postgres
import Store
import TestSupport
import Testing

extension EndToEnd {
    /// While one release follows another, programs of both run.
    @Suite struct Releases {
        /// What the next release's migrations may do: add.
        private let nextRelease = """
            CREATE TABLE later (later_id int);
            ALTER TABLE measurement ADD COLUMN later int;
            ALTER TABLE sensor ADD COLUMN later text NOT NULL DEFAULT '';
            ALTER TABLE quarantine ADD COLUMN later text;
            ALTER TABLE ingest_partition ADD COLUMN later int;
            INSERT INTO schema_migration (version, name, checksum) VALUES (900, 'later', 'x');
            CREATE OR REPLACE FUNCTION is_community() RETURNS boolean LANGUAGE sql STABLE AS $$
                SELECT coalesce(current_setting('timescaledb.license', true), 'later') = 'timescale'
            $$;
            UPDATE schema_function SET revision = 900;
            UPDATE schema_function SET checksum = 'x' WHERE name = 'retention';
            """

        private func simulate(_ system: TestSystem, _ prefix: String) async throws -> SimulatorReport {
            try SimulatorReport(
                try await system.run(
                    "sensor-simulator", ["--kind", "vibration:1000x8", "--for", "3s", "--serial-prefix", prefix]))
        }

        @Test func theFirstStepOfAnUpgradeNeedsOnlyTheDatabase() async throws {
            try await TestSystem.with { system in
                let nowhere = ["AMQP_URL": "amqp://127.0.0.1:1"]
                let arguments = ["--migrate-only", "--partitions", "3", "--http-port", "0"]
                let waiting = try system.start(
                    "sensor-registry", arguments,
                    changing: nowhere.merging(["DATABASE_URL": "postgresql://127.0.0.1:1/iot"]) { $1 })
                try await eventually("it waits for the database") { waiting.errors.contains("trying again") }
                #expect(try await waiting.stop().status == 1, "ended without having done it")

                let bare = try await system.run(
                    "sensor-registry", ["--migrate-only", "--http-port", "0"], changing: nowhere)
                #expect(bare.status == 0)
                #expect(
                    try await system.number("SELECT count(*) FROM ingest_partition") == 0, "the service says how many")
                for _ in 1...2 {
                    #expect(try await system.run("sensor-registry", arguments, changing: nowhere).status == 0)
                }
                #expect(
                    try await system.number("SELECT count(*) FROM schema_migration") == Int64(Migrations.all.count))
                #expect(try await system.number("SELECT count(*) FROM ingest_partition") == 3)
                let other = try await system.run(
                    "sensor-registry", ["--migrate-only", "--partitions", "4", "--http-port", "0"], changing: nowhere)
                #expect(other.status == 1 && other.errors.contains("the database has 3"))
            }
        }

        @Test func thisReleaseRunsOnTheNextOnesSchema() async throws {
            try await Services.with(replicas: 1) { services in
                let system = services.system
                let before = try await simulate(system, "r")
                try await system.expectExactlyOnce([before])
                try await system.store.transaction { [nextRelease] session in try session.execute(nextRelease) }
                // Those that ran before go on, and those that start now join them: old and new side by side.
                try await services.startIngester("i2")
                let held = try services["i2"]
                try await eventually("the new one shares the load") {
                    try await held.metric("iot_ingest_partitions_held") == 2
                }
                let after = try await simulate(system, "s")
                try await system.expectExactlyOnce([before, after])
                // A second registry of the older release: finds a newer schema, leaves it alone, and works.
                let registry = try system.start("sensor-registry", log: "registry2")
                try await registry.ready()
                #expect(try await system.number("SELECT max(version) FROM schema_migration") == 900)
                #expect(!registry.errors.contains("schema: applied"))
                #expect(
                    try await system.number(
                        "SELECT count(*) FROM pg_proc WHERE proname = 'is_community' AND prosrc LIKE '%later%'") == 1)
                try await services["sensor-registry"].stop()
                let alone = try await simulate(system, "t")
                try await system.expectExactlyOnce([before, after, alone])
                try await eventually("the second registry keeps the twins") {
                    try await system.number(
                        "SELECT count(*) FROM sensor WHERE serial LIKE 't-%' AND kind = 'vibration'") == 8
                }
                try await registry.stop()
            }
        }
    }
}
