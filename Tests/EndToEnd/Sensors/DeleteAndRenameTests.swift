import Foundation
import Postgres
import TestSupport
import Testing

extension EndToEnd {
    /// `iotctl delete sensor` and `iotctl rename sensor` while sensors publish and all services run.
    @Suite struct DeleteAndRename {
        private func frames(_ system: TestSystem, _ serial: String) async throws -> Int64 {
            try await system.number(
                "SELECT coalesce(sum(frames), 0) FROM sensor_boot JOIN sensor USING (sensor_id) WHERE serial = \(serial)"
            )
        }

        /// The names in `iotctl get sensors`.
        private func listed(_ system: TestSystem) async throws -> [String] {
            let list = try await system.run("iotctl", ["get", "sensors", "-o", "name"])
            #expect(list.status == 0, "\(list.errors)")
            return list.output.split(separator: "\n").map(String.init)
        }

        private func iotctl(_ system: TestSystem, _ words: String...) async throws -> Program.Outcome {
            let done = try await system.run("iotctl", words)
            #expect(done.status == 0, "\(words): \(done.errors)")
            return done
        }

        /// Before, during and after, also while a replica is killed: every frame that the broker confirmed is stored once, under one of the names. Those of
        /// a history that was deleted are gone; what came later is there.
        @Test func runningSensorsLoseAndDoubleNothing() async throws {
            try await Services.with(replicas: 2) { services in
                let system = services.system
                let simulator = try system.start(
                    "sensor-simulator",
                    [
                        "--kind", "vibration:1000x4", "--serial-prefix", "s", "--transport", "mqtt",
                        "--frame-milliseconds", "20",
                    ])
                try await eventually("all are stored") {
                    for number in 1...4 where try await frames(system, "s-000\(number)") < 50 { return false }
                    return try await system.number("SELECT count(*) FROM sensor WHERE presence = 'online'") == 4
                }
                // Several at each moment, so that batches are in hand.
                for round in 0..<3 {
                    let renamed = try await iotctl(system, "rename", "sensor", "s-0001", "r-\(round)")
                    #expect(renamed.output == "s-0001 renamed to r-\(round)\n")
                    #expect(renamed.errors.contains("s-0001 is online; what it sends under the old serial number"))
                    let kept = try await iotctl(system, "delete", "sensor", "s-0002", "--yes")
                    #expect(kept.errors.contains("s-0002 is online; what it sends next makes it a sensor again"))
                    // One replica dies meanwhile, perhaps inside a batch, and the other takes its partitions over.
                    let killed = "i\(round % 2 + 1)"
                    try services[killed].signal(SIGKILL)
                    let gone = try await iotctl(system, "delete", "sensor", "s-0003", "--with-history", "--yes")
                    // Once: nobody was asked before.
                    #expect(gone.errors.components(separatedBy: "s-0003 is online; ").count == 2, "\(gone.errors)")
                    _ = try await services[killed].end()
                    try await services.startIngester(killed)
                    // The device goes on under its name.
                    let before = try await system.number("SELECT coalesce(sum(frames), 0) FROM sensor_boot")
                    try await eventually("all are there again, round \(round)") {
                        let names = try await listed(system)
                        let online = try await system.number("SELECT count(*) FROM sensor WHERE presence = 'online'")
                        let now = try await system.number("SELECT coalesce(sum(frames), 0) FROM sensor_boot")
                        return names == (0...round).map { "r-\($0)" } + (1...4).map { "s-000\($0)" } && online == 4
                            && now > before + 100
                    }
                }
                let report = try SimulatorReport(await simulator.stop())
                #expect(report.confirmedFrames == report.frames && report.sensors.count == 4)
                for sensor in report.sensors {
                    let name = sensor.serial
                    let names = name == "s-0001" ? [name, "r-0", "r-1", "r-2"] : [name]
                    func row() async throws -> Row {
                        try await system.store.fetchOne(
                            """
                            SELECT count(*) AS rows, count(DISTINCT (channel, sequence, "time", time_ns)) AS once,
                                   count(DISTINCT sequence) AS frames, min(sequence) AS first, max(sequence) AS last
                              FROM measurement m JOIN sensor USING (sensor_id)
                             WHERE serial = ANY (\(names)::text[]) AND m.boot_id = \(sensor.bootId)
                            """)
                    }
                    try await eventually("\(name) is stored up to its last frame") {
                        try await row().optionalInteger("last") == sensor.frames - 1
                    }
                    let stored = try await row()
                    #expect(try stored.integer("rows") == stored.integer("once"), "doubled: \(name)")
                    let first: Int64 = try stored.integer("first")
                    #expect((first > 0) == (name == "s-0003"), "\(name) begins at \(first)")
                    #expect(try stored.integer("frames") == sensor.frames - first, "lost: \(name)")
                }
                #expect(try await system.number("SELECT count(*) FROM quarantine") == 0)
                // The audit says why frames from 0 on are missing.
                let audit = try await system.run("iotctl", ["audit", "s-0003"])
                #expect(audit.status == 1 && audit.output.contains("s-0003: its history was deleted at "), "\(audit)")
                #expect(try await !iotctl(system, "audit", "s-0004").output.contains("was deleted"))
                // Nothing is left of what was deleted: every row belongs to a sensor.
                #expect(
                    try await system.number(
                        "SELECT count(*) FROM measurement WHERE sensor_id NOT IN (SELECT sensor_id FROM sensor)") == 0)
                let actions = try await iotctl(system, "get", "actions", "-o", "name")
                #expect(actions.output.split(separator: "\n").count == 9)
            }
        }

        /// iotctl is killed while it deletes a large history; the registry completes it.
        @Test func aKilledDeletionIsCompleted() async throws {
            try await Services.with(replicas: 1) { services in
                let system = services.system
                let rows: Int64 = 300_000
                try await system.store.run("INSERT INTO sensor (serial) VALUES ('old'), ('other')")
                try await system.store.run(
                    """
                    INSERT INTO measurement ("time", time_ns, received_at, sensor_id, channel, sample_rate_hz, n, clock, mean)
                    SELECT now() - k * INTERVAL '1 s', 0, now(), sensor_id, 0, 0, 1, 0, k
                      FROM sensor, generate_series(1, \(rows)) k WHERE serial = 'old' OR k <= 10
                    """)
                let action: SQL = "SELECT coalesce(max(rows_deleted), 0) FROM operator_action"
                let iotctl = try system.start("iotctl", ["delete", "sensor", "old", "--with-history", "--yes"])
                try await eventually("some rows are deleted") { try await system.number(action) > 0 }
                iotctl.signal(SIGKILL)
                _ = try await iotctl.end()
                #expect(try await listed(system) == ["other"])
                try await eventually("the registry has deleted the rest", within: .seconds(60)) {
                    try await system.number("SELECT count(*) FROM operator_action WHERE finished_at IS NOT NULL") == 1
                }
                #expect(try await system.number(action) == rows)
                #expect(try await system.number("SELECT count(*) FROM measurement") == 10)
            }
        }

        /// What a person sees: questions, refusals, the record, and a history that stays.
        @Test func theCommandLine() async throws {
            try await Services.with(replicas: 1) { services in
                let system = services.system
                let simulator = try system.start(
                    "sensor-simulator", ["--kind", "vibration:100x3", "--frames", "20", "--serial-prefix", "t"])
                try await system.expectExactlyOnce([try SimulatorReport(await simulator.end())])
                func fails(_ status: Int32, _ line: String, _ words: String...) async throws {
                    let done = try await system.run("iotctl", words)
                    #expect(
                        done.status == status && done.complaints.first.map { $0.hasPrefix(line) } == true, "\(done)")
                }
                try await fails(
                    64, "iotctl: confirmation required: delete t-0001 and keep what is stored; add --yes", "delete",
                    "sensor", "t-0001")
                try await fails(
                    64,
                    "iotctl: confirmation required: delete 3 sensors permanently, with all samples and records; add",
                    "delete", "sensor", "t-*", "--with-history")
                try await fails(
                    2, "iotctl: no sensor t-0009; did you mean t-0001", "delete", "sensor", "t-0009", "--yes")
                try await fails(
                    64, "iotctl: unknown command: iotctl delete t-0001; did you mean iotctl delete sensor t-0001?",
                    "delete", "t-0001")
                try await fails(
                    1, "iotctl: sensor t-0002 exists; delete or rename it first", "rename", "sensor", "t-0001", "t-0002"
                )
                try await fails(2, "iotctl: no sensor u-1", "rename", "sensor", "u-1", "u-2")
                try await fails(64, "iotctl: not a serial number: a.b", "rename", "sensor", "t-0001", "a.b")
                let dry = try await iotctl(
                    system, "delete", "sensor", "-l", "kind=vibration", "--dry-run", "-o", "json")
                #expect(dry.output.contains(#""sensor": "t-0003""#))
                #expect(dry.errors.contains("dry run: 3 sensors would be deleted; nothing was deleted"))
                #expect(try await listed(system) == ["t-0001", "t-0002", "t-0003"])

                _ = try await iotctl(system, "delete", "sensor", "t-0001", "--yes")
                _ = try await iotctl(system, "rename", "sensor", "t-0002", "press-1")
                #expect(try await listed(system) == ["press-1", "t-0003"])
                try await fails(2, "iotctl: no sensor t-0001", "describe", "sensor", "t-0001")
                for name in ["t-0001", "press-1"] {
                    let csv = try await iotctl(system, "export", name, "--channel", "x", "--from", "1h")
                    #expect(csv.errors.contains("200 samples of x"), "\(csv.errors)")
                }
                _ = try await iotctl(system, "plot", "t-0001", "--channel", "x", "--from", "1h")
                let gone = try await iotctl(
                    system, "delete", "sensor", "t-0001", "t-0003", "--with-history", "--yes", "-o", "json")
                #expect(gone.output.contains(#""history_deleted": true"#))
                #expect(gone.output.contains(#""sensor": "t-0003""#))
                try await fails(2, "iotctl: no sensor t-0001", "export", "t-0001", "--channel", "x", "--from", "1h")
                #expect(
                    try await system.number(
                        "SELECT count(*) FROM measurement JOIN sensor USING (sensor_id) WHERE serial <> 'press-1'") == 0
                )
                // A glob does not match a deleted sensor: its kept history is deleted by its serial number only.
                try await fails(
                    2, "iotctl: no sensor matches t-*", "delete", "sensor", "t-*", "--with-history", "--yes")
                let ids = try await iotctl(system, "get", "actions", "t-000[1]", "t-000?", "-o", "name").output
                #expect(ids.split(separator: "\n").count == 4)
                let table = try await iotctl(system, "get", "actions", "t-0001", "press-1").output
                let words = table.split(separator: "\n").dropFirst().map { $0.split(separator: " ").map(String.init) }
                #expect(words.map { $0.contains("t-0002") } == [false, true, false])
                #expect(words.map { $0.contains("delete_with_history") } == [true, false, false])
                #expect(words.allSatisfy { $0.contains("iotctl") }, "\(table)")
            }
        }
    }
}
