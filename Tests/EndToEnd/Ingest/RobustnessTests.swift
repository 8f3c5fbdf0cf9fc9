import Foundation
import Model
import Postgres
import TestSupport
import Testing

extension EndToEnd {
    /// Faults that a review proved once, so that they stay away.
    @Suite struct Reviewed {
        private func outside(_ system: TestSystem, _ what: String...) async throws {
            let script = TestServers.root.appending(path: "Tests/EndToEnd/Outside/publish.py").path
            let result = try await system.run("/usr/bin/python3", [script] + what, deadline: .seconds(120))
            guard result.status == 0 else { throw TestServers.Failure("\(result.errors)\(result.output)") }
        }

        /// The last chunk of a stream may hold more messages than the probe's prefetch: a restart must not take it for
        /// a shorter stream and store everything again.
        @Test func aLargeLastChunkIsNoReset() async throws {
            try await Services.with(replicas: 1) { services in
                let system = services.system
                try await outside(system, "burst")
                for _ in 1...2 {
                    try await eventually("all are in quarantine") {
                        try await system.number("SELECT count(*) FROM quarantine") >= 10_001
                    }
                    try await services["i1"].stop()
                    try await services.startIngester("i1")
                    try await eventually("partitions are held") {
                        try await services["i1"].metric("iot_ingest_partitions_held") == 4
                    }
                }
                // One more message behind them all: whatever is read again has been read when it is there.
                try await outside(system, "one")
                try await eventually("the last one is there") {
                    try await system.number("SELECT count(*) FROM quarantine WHERE routing_key = 'sensor_last.data'")
                        == 1
                }
                #expect(try await system.number("SELECT count(*) FROM quarantine") == 10_003)
                #expect(try await system.number("SELECT count(*) FROM stream_hole") == 0)
            }
        }

        /// The greatest sequence has no successor: it is refused, and stops nobody.
        @Test func hostileNumbersStopNobody() async throws {
            try await Services.with(replicas: 1) { services in
                let system = services.system
                try await outside(system, "hostile")
                try await eventually("the last frame is stored") {
                    try await system.number(
                        "SELECT count(*) FROM measurement WHERE sequence = \(FrameLimits.framesMax - 1)") == 1
                }
                #expect(try services["i1"].isRunning)
                #expect(
                    try await system.number("SELECT count(*) FROM quarantine WHERE reason = 'invalid_frame'") == 3)
            }
        }

        /// A batch whose last message is poison: the good ones are stored once.
        @Test func poisonAtTheEndOfABatchDoublesNothing() async throws {
            try await Services.with(replicas: 1) { services in
                let system = services.system
                try await services["logs-ingester"].stop()
                try await outside(system, "poisoned-logs")
                try await services.start("logs-ingester")
                try await eventually("the poison is in quarantine") {
                    try await system.number("SELECT count(*) FROM quarantine WHERE reason = 'dead_letter'") == 1
                }
                try await eventually("the lines are stored") {
                    try await system.number("SELECT count(*) FROM sensor_log") >= 9
                }
                try await outside(system, "logs")
                try await eventually("and the next ones") {
                    try await system.number("SELECT count(*) FROM sensor_log") >= 18
                }
                #expect(try await system.number("SELECT count(*) FROM sensor_log") == 18)
            }
        }

        /// A table that is missing is no fault of the frames: they wait until somebody has mended it.
        @Test func aBrokenSchemaSendsNothingToQuarantine() async throws {
            try await Services.with(replicas: 1) { services in
                let system = services.system
                try await system.store.run("ALTER TABLE latest RENAME TO lost")
                let simulator = try system.start(
                    "sensor-simulator", ["--kind", "vibration:1000x2", "--for", "3s", "--serial-prefix", "w"])
                let report = try SimulatorReport(await simulator.end())
                let address = try await services["i1"].http()
                try await eventually("the ingester says that it is not ready") {
                    await TestServers.get(address + "/readyz")?.status == 503
                }
                #expect(try await system.number("SELECT count(*) FROM quarantine") == 0)
                try await system.store.run("ALTER TABLE lost RENAME TO latest")
                try await system.expectExactlyOnce([report])
                #expect(try await system.number("SELECT count(*) FROM quarantine") == 0)
            }
        }

        /// A gap of one sensor has a cause that this release does not know: the sensors beside it are stored, its own frames
        /// wait in the quarantine, and all of it shows. After the repair nothing is missing.
        @Test func aCorruptRowHoldsUpOnlyItsOwnSensor() async throws {
            try await Services.with(replicas: 1, registry: ["--partitions", "1"]) { services in
                let system = services.system
                func publish(_ sensor: String, _ first: Int, _ last: Int) async throws {
                    try await outside(system, "frames", sensor, "1", "\(first)", "\(last)")
                }
                func expectStored(_ frames: Int64, of sensor: String) async throws {
                    try await eventually("\(frames) frames of \(sensor)") {
                        try await system.number(
                            """
                            SELECT count(DISTINCT sequence) FROM measurement JOIN sensor USING (sensor_id)
                             WHERE serial = \(sensor)
                            """) == frames
                    }
                }
                for sensor in ["a", "b", "c"] {
                    try await publish(sensor, 0, 1)
                    try await publish(sensor, 4, 4)
                    try await expectStored(3, of: sensor)
                }
                // The next ingester has to read the ledger.
                try await services["i1"].stop()
                try await system.store.run("ALTER TABLE sequence_gap DROP CONSTRAINT sequence_gap_cause")
                try await system.store.run(
                    "UPDATE sequence_gap g SET cause = 'moonlight' FROM sensor s WHERE serial = 'b' AND g.sensor_id = s.sensor_id"
                )
                try await services.startIngester("i1")
                let ingester = try services["i1"]
                for sensor in ["b", "a", "c"] { try await publish(sensor, 5, 9) }
                for sensor in ["a", "c"] { try await expectStored(8, of: sensor) }
                try await eventually("the frames of b are in quarantine") {
                    try await system.number(
                        "SELECT count(*) FROM quarantine WHERE reason = 'refused_by_database' AND serial = 'b'") == 5
                }
                #expect(try await system.number("SELECT count(*) FROM quarantine") == 5)
                let page = try #require(await TestServers.get(try await ingester.http() + "/readyz"))
                #expect(page.status == 503 && page.body.contains("such as b: column gaps"), "\(page.body)")
                #expect(try await ingester.metric("iot_ingest_unreadable_sensors") == 1)
                #expect(ingester.errors.contains("frames of b go to the quarantine: column gaps"))
                let early = try await system.run("iotctl", ["quarantine", "replay", "--sensor", "b"])
                #expect(early.status == 1 && early.errors.contains("column gaps"), "\(early.errors)")
                #expect(try await system.number("SELECT count(*) FROM quarantine") == 5)

                try await system.store.run("UPDATE sequence_gap SET cause = 'late' WHERE cause = 'moonlight'")
                try await publish("b", 10, 10)
                try await expectStored(4, of: "b")
                try await ingester.ready()
                #expect(try await ingester.metric("iot_ingest_unreadable_sensors") == 0)
                let replay = try await system.run("iotctl", ["quarantine", "replay", "--sensor", "b"])
                #expect(replay.status == 0, "\(replay.errors)")
                try await expectStored(9, of: "b")
                #expect(try await system.number("SELECT count(*) FROM measurement") == 8 + 9 + 8, "each once")
                #expect(try await system.number("SELECT sum(missing) FROM sequence_gap") == 6)
            }
        }

        /// A rule that cannot be read, and a command that cannot: the ingester stores, the registry sends the other command,
        /// and both show.
        @Test func anUnreadableRuleAndACorruptCommandHoldUpNothing() async throws {
            try await Services.with(replicas: 1, registry: ["--partitions", "1"]) { services in
                let system = services.system
                func expectStored(_ frames: Int64) async throws {
                    try await eventually("\(frames) frames") {
                        try await system.number("SELECT count(DISTINCT sequence) FROM measurement") == frames
                    }
                }
                try await outside(system, "frames", "a", "1", "0", "1")
                try await expectStored(2)
                try await system.store.run(
                    """
                    INSERT INTO alarm_rule (name, version, body, changed_by)
                    VALUES ('newer', 1, '{"name": "newer", "when": {"telepathy": {}}}', 'a later release')
                    """)
                let resolver = try services["sensor-registry"]
                try await eventually("the registry says so") {
                    let page = await TestServers.get(try await resolver.http() + "/readyz")
                    return page?.status == 503 && page?.body.contains("rule newer cannot be read") == true
                }
                #expect(try await resolver.metric("iot_rules_unreadable") == 1)
                try await outside(system, "frames", "a", "1", "2", "5")
                try await expectStored(6)
                try await services["i1"].ready()
                try await system.store.run("DELETE FROM alarm_rule")
                try await resolver.ready()

                try await system.store.run(
                    """
                    INSERT INTO command (command_id, serial, name, arguments, state, issued_at, expires_at, send_at)
                    VALUES ('bad', 'a', 'sleep', '{"hall": {"name": "3"}}', 'queued', now(), now() + INTERVAL '1 h', now()),
                           ('good', 'a', 'sleep', '{}', 'queued', now(), now() + INTERVAL '1 h', now())
                    """)
                try await eventually("the other command is sent") {
                    try await system.number("SELECT sends FROM command WHERE command_id = 'good'") == 1
                }
                let list = try await system.run("iotctl", ["describe", "command", "bad"])
                #expect(
                    list.status == 0 && list.output.contains("its row cannot be decoded: column arguments"), "\(list)")
                let registry = try services["sensor-registry"]
                try await eventually("the registry counts it") {
                    try await registry.metric("iot_registry_commands_unsendable_total") == 1
                }
                #expect(registry.errors.contains("command bad failed: its row cannot be decoded: column arguments"))
            }
        }

        /// A sensor that is deleted and goes on sending is registered again.
        @Test func aDeletedSensorComesBack() async throws {
            try await Services.with(replicas: 1) { services in
                let system = services.system
                let simulator = try system.start(
                    "sensor-simulator", ["--kind", "vibration:1000x1", "--for", "8s", "--serial-prefix", "d"])
                try await eventually("it is stored") {
                    try await system.number("SELECT coalesce(sum(frames), 0) FROM sensor_boot") > 5
                }
                try await system.store.run("DELETE FROM sensor")
                try await eventually("it is stored again") {
                    try await system.number("SELECT coalesce(sum(frames), 0) FROM sensor_boot") > 5
                }
                _ = try await simulator.end()
                #expect(try await system.number("SELECT count(*) FROM quarantine") == 0)
            }
        }

        /// SIGTERM ends a service within its grace even while the database does not answer.
        @Test func sigtermEndsWhateverHangs() async throws {
            try await Services.with(replicas: 1) { services in
                let system = services.system
                let simulator = try system.start(
                    "sensor-simulator", ["--kind", "vibration:1000x2", "--for", "60s", "--serial-prefix", "h"])
                try await eventually("it is stored") {
                    try await system.number("SELECT coalesce(sum(frames), 0) FROM sensor_boot") > 5
                }
                let begin = ContinuousClock.now
                let ingester = try services["i1"].pid
                try await system.store.transaction { session in
                    try session.execute("LOCK TABLE sensor_boot IN ACCESS EXCLUSIVE MODE")
                    // Long enough for a batch to wait for the lock, and for the signal to find it waiting.
                    try session.run("SELECT pg_sleep(1)")
                    _ = kill(ingester, SIGTERM)
                    try session.run("SELECT pg_sleep(7)")
                }
                _ = try await services["i1"].end(within: .seconds(1))
                #expect(begin.duration(to: .now) < .seconds(12))
                try await services.startIngester("i1")
                try await system.expectExactlyOnce([try SimulatorReport(await simulator.stop())])
            }
        }
    }
}
