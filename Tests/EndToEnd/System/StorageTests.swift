import Foundation
import Postgres
import Store
import TestSupport
import Testing

extension EndToEnd {
    /// The store as people meet it: policies, what is dropped, the report; with the registry that does it.
    @Suite struct Storage {
        private struct Policy: Decodable {
            var tier: String
            var keepS: Double?
            var columnstoreAfterS: Double?
            var source: String
            var oldest: String?
            var overdueS: Double
        }

        private func policies(_ system: TestSystem) async throws -> [String: Policy] {
            let result = try await system.run("iotctl", ["get", "policies", "-o", "json"])
            let decoder = JSONDecoder()
            decoder.keyDecodingStrategy = .convertFromSnakeCase
            let list = try decoder.decode([Policy].self, from: Data(result.output.utf8))
            return Dictionary(list.map { ($0.tier, $0) }, uniquingKeysWith: { first, _ in first })
        }

        /// Log lines of 20 days, one a day: a chunk each.
        private func logs(_ system: TestSystem) async throws {
            try await system.store.run(
                """
                INSERT INTO sensor_log ("time", received_at, boot_id, sensor_id, level, text)
                SELECT t, t, 1, 1, 2, 'x' FROM generate_series(now() - INTERVAL '20 days', now(), '1 day') t
                """)
        }

        @Test func theRegistryKeepsToItsConfigurationAndPeopleToTheRest() async throws {
            try await TestSystem.with { system in
                try await Migrations.apply(to: system.store)
                try await logs(system)
                try await system.store.run(
                    """
                    INSERT INTO backup (started_at, finished_at, kind, place)
                    VALUES (to_timestamp(1000), to_timestamp(1234.5), 'pg_dump', 'elsewhere')
                    """)
                let registry = try system.start(
                    "sensor-registry",
                    changing: [
                        "POLICIES": "sensor_log=10d,measurement=30d", "DATABASE_DISK": system.folder.path,
                    ])
                try await eventually("what is older than ten days is gone") {
                    let left = try await system.number("SELECT count(*) FROM sensor_log")
                    return left >= 10 && left <= 12
                }
                let first = try await policies(system)
                #expect(first.count == 10)
                #expect(first["measurement"]?.keepS == 30 * 86_400 && first["measurement"]?.source == "configuration")
                #expect(first["measurement_1d"]?.keepS == nil && first["alarm"]?.source == "default")
                #expect(first["sensor_log"]?.overdueS ?? .infinity < 86_400)

                // What the configuration says is not for people; nothing of it is done.
                let refused = try await system.run("iotctl", ["set", "policies", "alarm=100d", "sensor_log=forever"])
                #expect(refused.status == 1 && refused.output.isEmpty, "\(refused.errors)")
                #expect(refused.errors.contains("configuration") && refused.errors.contains("sensor_log"))
                #expect(try await policies(system)["alarm"]?.source == "default")
                let set = try await system.run("iotctl", ["set", "policies", "alarm=100d", "-o", "json"])
                #expect(set.status == 0 && set.complaints.isEmpty, "\(set.errors)")
                #expect(try await policies(system)["alarm"]?.keepS == 100 * 86_400)

                // Sizes are written down at once; the report knows the disk.
                try await eventually("the first size is written down") {
                    try await system.number("SELECT count(*) FROM storage_history WHERE disk_free_bytes > 0") == 1
                }
                // An alert on old backups goes by this.
                try await eventually("the backup's time") {
                    try await registry.series("iot_backup_timestamp_seconds") == ["": 1234.5]
                }
                let report = try await system.run("iotctl", ["report", "storage", "-o", "json"])
                let value = try #require(
                    try JSONSerialization.jsonObject(with: Data(report.output.utf8)) as? [String: Any])
                #expect((value["disk_bytes"] as? Double ?? 0) > (value["bytes"] as? Double ?? .infinity))
                #expect(
                    (value["tables"] as? [[String: Any]])?.contains { $0["table"] as? String == "sensor_log" } == true)
                #expect(
                    (value["last_backup"] as? [String: Any])?["place"] as? String == "elsewhere"
                        && (value["policies"] as? [Any])?.count == 10)
                let words = try await system.run("iotctl", ["report", "storage"])
                #expect(words.output.hasPrefix("The database holds ") && words.output.contains("The last backup is "))
                #expect(words.output.contains("No data is overdue for deletion."))
                let table = try await system.run("iotctl", ["get", "policies"])
                #expect(table.output.split(separator: "\n").allSatisfy { $0.count <= 80 }, "\(table.output)")
                registry.signal(SIGTERM)
                #expect(try await registry.end().status == 0)
            }
        }

        @Test func aPolicyThatDropsSomethingIsAskedFor() async throws {
            try await TestSystem.with { system in
                try await Migrations.apply(to: system.store)
                try await logs(system)
                let shorter = ["set", "policies", "sensor_log=5d", "sensor_log.columnstore=never"]
                let refused = try await system.run("iotctl", shorter)
                #expect(refused.status == 64 && refused.output.isEmpty)
                #expect(refused.errors.contains("chunks of sensor_log") && refused.errors.contains("--yes"))
                let planned = try await system.run("iotctl", shorter + ["--dry-run"])
                #expect(planned.status == 0 && planned.errors.contains("dry run"))
                #expect(try await policies(system)["sensor_log"]?.keepS == 90 * 86_400)
                let done = try await system.run("iotctl", shorter + ["--yes"])
                #expect(done.status == 0 && done.output.contains("5d"))
                // More is never asked for.
                let more = try await system.run("iotctl", ["set", "policies", "sensor_log=50d"])
                #expect(more.status == 0)
                for policies in [["measurement=2d", "measurement.columnstore=3d"], ["sensor_log.columnstore=51d"]] {
                    let never = try await system.run("iotctl", ["set", "policies"] + policies)
                    #expect(never.status == 64 && never.output.isEmpty)
                    #expect(never.errors.contains("would be dropped before it is compressed; add "), "\(never.errors)")
                }
                for words in [["sensor_log"], ["logs=3d"], ["sensor_log=1s"], ["alarm.columnstore=3d"], []] {
                    let wrong = try await system.run("iotctl", ["set", "policies"] + words)
                    #expect(wrong.status == 64 && wrong.output.isEmpty && !wrong.errors.isEmpty, "\(words)")
                }
                let words = try await system.run("iotctl", ["report", "storage"])
                #expect(words.output.contains("No backup was ever"))
                // The server has analyzed nothing yet: a small table is counted, and one of many chunks is estimated.
                try await eventually("the report knows the rows") {
                    let report = try await system.run("iotctl", ["report", "storage", "-o", "wide"])
                    func has(_ table: String, _ rows: String) -> Bool {
                        report.output.split(separator: "\n").contains {
                            $0.hasPrefix(table) && $0.contains(" \(rows) ")
                        }
                    }
                    return has("sensor_log ", "~21") && has("policy ", "10")
                }
                // A sensor may be called so.
                let sensor = try await system.run("iotctl", ["set", "sensor", "policies", "a=1"])
                #expect(sensor.status == 2 && sensor.errors.contains("no sensor policies"))
            }
        }

        @Test func wrongConfigurationIsRefusedInOneLine() async throws {
            try await TestSystem.with { system in
                for (name, text) in [("POLICIES", "samples=3d"), ("DATABASE_DISK", "much")] {
                    let result = try await system.run("sensor-registry", changing: [name: text])
                    #expect(result.status == 64, "\(name)")
                    #expect(result.errors.contains(name == "POLICIES" ? "no policy for samples" : "DATABASE_DISK"))
                }
            }
        }
    }
}
