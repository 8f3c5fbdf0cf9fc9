import Foundation
import Postgres
import TestSupport
import Testing

extension EndToEnd {
    /// `iotctl replay` as a process, beside services that go on.
    @Suite struct Replaying {
        private func summary(_ result: Program.Outcome) throws -> [String: Any] {
            #expect(result.status == 0, "\(result.errors)")
            return try #require(try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
        }

        private func simulate(_ system: TestSystem, prefix: String, duration: String = "3s") async throws
            -> SimulatorReport
        {
            let result = try await system.run(
                "sensor-simulator",
                [
                    "--kind", "vibration:1000x3", "--kind", "climate:5x1", "--for", duration, "--serial-prefix",
                    prefix,
                ])
            let report = try SimulatorReport(result)
            try #require(report.confirmedFrames > 0)
            try await eventually("\(report.confirmedFrames) frames of \(prefix) are stored") {
                try await system.number(
                    """
                    SELECT coalesce(sum(frames), 0) FROM sensor_boot JOIN sensor USING (sensor_id)
                     WHERE starts_with(serial, \(prefix))
                    """) == report.confirmedFrames
            }
            return report
        }

        /// Rows of `left` that `right` has not.
        private func missing(_ system: TestSystem, _ left: String, _ right: String) async throws -> Int64 {
            let columns: SQL = """
                "time", time_ns, sensor_id, channel, boot_id, sequence, sample_rate_hz, n, min, max, mean, rms, received_at,
                device_time_ns, clock, samples, counts, count_scale, count_offset
                """
            return try await system.number(
                """
                SELECT count(*) FROM (SELECT \(columns) FROM \(identifier: left)
                                      EXCEPT ALL SELECT \(columns) FROM \(identifier: right)) d
                """)
        }

        @Test func anEmptyTableGetsTheSameRows() async throws {
            try await Services.with { services in
                let system = services.system
                let first = try await simulate(system, prefix: "r")
                let border = try await system.store.fetchOne(
                    "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') AS t"
                ).text("t")
                let second = try await simulate(system, prefix: "s")
                let frames = first.confirmedFrames + second.confirmedFrames
                let offsets: SQL = "SELECT sum(committed_offset + epoch) FROM ingest_partition"
                let before = try await system.number(offsets)

                let all = try summary(
                    try await system.run("iotctl", ["replay", "--from", "1h", "--into", "again", "-o", "json"]))
                #expect(all["frames"] as? Int64 == frames && all["duplicates"] as? Int == 0)
                #expect(all["samples"] as? Int64 == first.confirmedSamples + second.confirmedSamples)
                #expect(all["unreadable"] as? Int == 0 && all["streams"] as? Int == 4)
                #expect(try await missing(system, "measurement", "again") == 0)
                #expect(try await missing(system, "again", "measurement") == 0)
                #expect(try await system.number(offsets) == before)

                // Only a time, and only a sensor.
                let early = try summary(
                    try await system.run(
                        "iotctl", ["replay", "--from", "1h", "--to", border, "--into", "early", "-o", "json"]))
                #expect(early["frames"] as? Int64 == first.confirmedFrames)
                let late = try summary(
                    try await system.run(
                        "iotctl", ["replay", "--from", border, "--sensor", "s-0001", "--into", "late", "-o", "json"]))
                let sensor = try #require(second.sensors.first { $0.serial == "s-0001" })
                #expect(
                    late["frames"] as? Int64 == sensor.confirmedFrames
                        && late["messages"] as? Int64 == sensor.confirmedFrames)
                #expect(try await system.number("SELECT count(DISTINCT sensor_id) FROM late") == 1)

                try await refusesWhatItMustNotFill(system)
                try await runsSQL(system, frames)
            }
        }

        private func refusesWhatItMustNotFill(_ system: TestSystem) async throws {
            try await system.store.run("CREATE TABLE narrow (a int)")
            try await system.store.run("CREATE VIEW seen AS SELECT * FROM measurement")
            let chunk = try await system.store.fetchOne("SELECT show_chunks('measurement')::text AS c").text("c")
            for (table, why) in [
                ("measurement", "the ingesters write to"), ("public.measurement", "the ingesters write to"),
                (chunk, "the ingesters write to"), ("again", "again is not empty"), ("narrow", "not a table with"),
                ("seen", "not a table with"), ("x; DROP TABLE sensor", "a table's name is"),
            ] {
                let result = try await system.run("iotctl", ["replay", "--from", "1h", "--into", table])
                #expect(
                    result.status == 1 && result.errors.contains(why) && result.output.isEmpty,
                    "\(table): \(result.errors)")
            }
            for arguments in [
                ["--from", "1h"], ["--from", "1h", "--into", "a", "--sql", "b"],
                ["--from", "yesterday", "--into", "a"],
                ["--from", "1h", "--to", "2h", "--into", "a"], ["--from", "1h", "--sensor", "a.b", "--into", "a"],
            ] {
                #expect(try await system.run("iotctl", ["replay"] + arguments).status == 64, "\(arguments)")
            }
        }

        private func runsSQL(_ system: TestSystem, _ frames: Int64) async throws {
            try await system.store.run(
                "CREATE TABLE peak (sensor_id int, channel smallint, max float8, frame bigint)")
            let sql = "INSERT INTO peak SELECT sensor_id, channel, max, sequence FROM replay;"
            let text = try await system.run("iotctl", ["replay", "--from", "1h", "--sql", sql])
            #expect(text.status == 0 && text.output.contains("MESSAGES"), "\(text.errors)")
            let file = system.folder.appending(path: "peak.sql")
            try sql.write(to: file, atomically: true, encoding: .utf8)
            #expect(try await system.run("iotctl", ["replay", "--from", "1h", "--sql", file.path]).status == 0)
            #expect(try await system.run("iotctl", ["replay", "--from", "1h", "--sql", "-"], input: sql).status == 0)
            let rows = try await system.number("SELECT count(*) FROM measurement")
            #expect(try await system.number("SELECT count(*) FROM peak") == 3 * rows)
            let wrong = try await system.run(
                "iotctl", ["replay", "--from", "1h", "--sql", "INSERT INTO nowhere SELECT 1"])
            #expect(wrong.status != 0 && wrong.errors.contains("nowhere"), "\(wrong.errors)")
            // Every batch is a transaction with the caller's statements: what they refuse is not there by half.
            #expect(try await system.number("SELECT count(*) FROM pg_class WHERE relname = 'replay'") == 0)
        }
    }
}
