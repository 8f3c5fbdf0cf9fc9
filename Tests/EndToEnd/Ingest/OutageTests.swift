import Foundation
import Postgres
import TestSupport
import Testing

extension EndToEnd {
    /// Whatever breaks in mid-stream: afterwards nothing is missing and nothing is there twice.
    @Suite struct Faults {
        /// Without the database nothing is acknowledged, and nothing is lost.
        @Test func theDatabaseIsAwayForTenSeconds() async throws {
            try await inMidStream(seconds: 16) { _ in
                try await TestServers.control("stop", "database", "--kill")
                try await Task.sleep(for: .seconds(10))
                try await TestServers.control("start", "database")
            }
        }

        /// The simulator keeps what it can't send, and sends it later.
        @Test(arguments: [["--kill"], []])
        func theBrokerIsRestarted(_ how: [String]) async throws {
            try await inMidStream(seconds: 14, transports: ["mqtt", "amqp"]) { services in
                if how.isEmpty {
                    try await TestServers.control("restart", "broker")
                } else {
                    try await TestServers.control("restart", "broker", how[0])
                }
                // A part that lost its connection and has one again says so.
                let registry = try services["sensor-registry"]
                try await eventually("it has noticed") { registry.errors.contains("watching presence:") }
                try await registry.ready()
                try await services["i1"].ready()
            }
        }

        /// What a replica could not do for a partition is no longer its fault once another one holds it.
        @Test func aPartitionIsLostWhileTheBrokerIsAway() async throws {
            try await Services.with(replicas: 1) { services in
                let ingester = try services["i1"]
                let address = try await ingester.http()
                try await TestServers.control("stop", "broker", "--kill")
                do {
                    try await eventually("a partition says that it has no broker") {
                        await TestServers.get(address + "/readyz")?.body.contains("broker") == true
                    }
                    // In the order in which replicas renew their leases, or the two wait for each other.
                    try await services.system.store.run(
                        """
                        UPDATE ingest_partition SET owner = 'other', epoch = epoch + 1, lease_until = now() + '1 h'
                         WHERE stream IN (SELECT stream FROM ingest_partition ORDER BY stream FOR UPDATE)
                        """)
                    try await eventually("nothing is held") {
                        try await ingester.metric("iot_ingest_partitions_held") == 0
                    }
                } catch {
                    try await TestServers.control("start", "broker")
                    throw error
                }
                try await TestServers.control("start", "broker")
                try await ingester.ready()
            }
        }

        @Test func anIngesterIsKilled() async throws {
            try await inMidStream(seconds: 14) { services in
                let system = services.system
                try await Task.sleep(for: .milliseconds(500))
                let killed = ContinuousClock.now
                try services["i1"].signal(SIGKILL)
                try await eventually("the other one has taken over", within: .seconds(10)) {
                    try await system.number(
                        "SELECT count(*) FROM ingest_partition WHERE owner = 'i2' AND lease_until > now()") == 4
                }
                #expect(killed.duration(to: .now) < .seconds(10))
            }
        }

        /// Every connection is closed by the broker; consumption goes on.
        /// SIGTERM while the database has half a batch and says nothing: the process ends all the same, and whoever takes
        /// over stores everything once.
        @Test func theEndDoesNotWaitForASilentDatabase() async throws {
            try await Arena.with(replicas: ["i1"]) { arena in
                let simulator = try await arena.simulate("silent")
                try arena.proxy("i1").stall()
                let ingester = try #require(arena.replicas["i1"])
                let begin = ContinuousClock.now
                ingester.signal(SIGTERM)
                let result = try await ingester.end()
                #expect(begin.duration(to: .now) < .seconds(7), "5 s, and what a busy machine takes")
                #expect(result.status == 1 && result.errors.contains("not ended within"), "\(result.errors)")
                try await arena.start("i2")
                try await arena.expectOnce("silent", simulator)
            }
        }

        @Test func everyConnectionIsClosed() async throws {
            try await inMidStream(seconds: 10) { services in
                let stored: SQL = "SELECT coalesce(sum(frames), 0) FROM sensor_boot"
                for _ in 1...2 {
                    try await TestServers.management("DELETE", "/api/connections/username/iot")
                    let before = try await services.system.number(stored)
                    let system = services.system
                    try await eventually("frames flow again") { try await system.number(stored) > before + 20 }
                }
            }
        }

        /// The same sensor's frames go to the same stream, also after the broker was restarted.
        @Test func placementStaysPut() async throws {
            try await Services.with(replicas: 1) { services in
                let system = services.system
                let script = TestServers.root.appending(path: "Tests/EndToEnd/Outside/publish.py").path
                for round in 1...2 {
                    let sent = try await system.run("/usr/bin/python3", [script, "junk"])
                    #expect(sent.status == 0, "\(sent.errors)")
                    try await eventually("all are in quarantine") {
                        try await system.number("SELECT count(*) FROM quarantine") == Int64(100 * round)
                    }
                    if round == 1 { try await TestServers.control("restart", "broker") }
                }
                #expect(
                    try await system.number(
                        """
                        SELECT count(*) FROM (SELECT routing_key FROM quarantine GROUP BY routing_key
                                              HAVING count(DISTINCT source) > 1) moved
                        """) == 0)
                #expect(try await system.number("SELECT count(DISTINCT source) FROM quarantine") == 4)
            }
        }

        /// An outbox that is full drops the oldest frames, says so and counts them.
        @Test func aFullOutboxCountsWhatItDrops() async throws {
            try await TestSystem.with { system in
                let simulator = try system.start(
                    "sensor-simulator",
                    ["--kind", "vibration:20000x1", "--for", "10s", "--serial-prefix", "o", "--outbox-megabytes", "1"],
                    changing: ["MQTT_URL": "mqtt://nobody:nothing@127.0.0.1:1"])
                _ = try await simulator.http()
                try await eventually("frames are dropped") { simulator.errors.contains("the outbox is full") }
                simulator.signal(SIGTERM)
                let result = try await simulator.end()
                let report = try SimulatorReport(result)
                #expect(result.status == 1)
                #expect(report.droppedFrames > 0)
                #expect(report.confirmedFrames == 0)
                #expect(!result.errors.contains("nothing@"))
            }
        }

        private func inMidStream(
            seconds: Int, transports: [String] = ["mqtt"], _ fault: (inout Services) async throws -> Void
        ) async throws {
            try await Services.with { services in
                let system = services.system
                let simulators = try transports.map { transport in
                    try system.start(
                        "sensor-simulator",
                        [
                            "--kind", "vibration:1000x5", "--kind", "climatex3", "--for", "\(seconds)s",
                            "--transport", transport, "--serial-prefix", transport,
                        ], log: transport)
                }
                try await eventually("the stream flows") {
                    try await system.number("SELECT coalesce(sum(frames), 0) FROM sensor_boot") >= 40
                }
                try await fault(&services)
                var reports: [SimulatorReport] = []
                for simulator in simulators {
                    let result = try await simulator.end(within: .seconds(90))
                    #expect(result.status == 0, "\(result.errors.suffix(1500))")
                    reports.append(try SimulatorReport(result))
                }
                for report in reports {
                    #expect(report.confirmedFrames == report.frames)
                    #expect(report.droppedFrames == 0)
                }
                try await system.expectExactlyOnce(reports)
            }
        }
    }
}
