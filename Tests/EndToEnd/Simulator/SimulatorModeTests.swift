import Foundation
import Postgres
import TestSupport
import Testing

extension EndToEnd {
    /// Other ways for the simulator to send: as fast as it goes, and as a gateway.
    @Suite struct SimulatorModes {
        /// Faster than time, and yet each frame begins where the one before ended, and none lies in the future.
        @Test(arguments: [["--counts"], ["--connections", "3"]])
        func unpacedFramesAreContiguous(_ options: [String]) async throws {
            try await Services.with { services in
                let system = services.system
                let begin = ContinuousClock.now
                let report = try SimulatorReport(
                    await system.run(
                        "sensor-simulator",
                        [
                            "--kind", "vibration:5000x4", "--frames", "600", "--unpaced", "--transport", "amqp",
                            "--serial-prefix", "fast",
                        ] + options))
                // 60 s of samples each.
                #expect(begin.duration(to: .now) < .seconds(50))
                #expect(report.samples == 4 * 600 * 500 * 3 && report.droppedFrames == 0)
                try await system.expectExactlyOnce([report])
                let row = try await system.store.fetchOne(
                    """
                    WITH f AS (SELECT sensor_id, sequence,
                                      extract(epoch FROM min("time")) * 1000000000 + min(time_ns) AS first_ns,
                                      sum(n) AS n, min(received_at) AS received, max("time") AS "time"
                                 FROM measurement WHERE channel = 0 GROUP BY sensor_id, sequence),
                         g AS (SELECT *, lead(first_ns) OVER (PARTITION BY sensor_id ORDER BY sequence) AS next_ns FROM f)
                    SELECT count(*) AS frames, count(*) FILTER (WHERE next_ns <> first_ns + n * 200000) AS apart,
                           count(*) FILTER (WHERE first_ns / 1e9 + n / 5000.0 > extract(epoch FROM received) + 0.1)
                               AS future,
                           min("time") < now() - INTERVAL '55 s' AS past
                      FROM g
                    """)
                #expect(try row.integer("frames") == 2400)
                #expect(try row.integer("apart") == 0)
                #expect(try row.integer("future") == 0)
                #expect(try row.flag("past"))
            }
        }

        /// As while a broker boots (docs/decisions/0007, no. 11): it takes messages before it has queues for them.
        @Test(arguments: ["mqtt", "amqp"])
        func whatReachedNoQueueIsSentAgain(_ transport: String) async throws {
            try await TestSystem.with { system in
                try await TestServers.management(
                    "PUT", "/api/exchanges/\(system.name)/sensor_streaming",
                    body: """
                        {"type": "topic", "durable": true,
                         "arguments": {"alternate-exchange": "sensor_streaming.unrouted"}}
                        """)
                let simulator = try system.start(
                    "sensor-simulator",
                    [
                        "--kind", "vibration:200x3", "--frames", "60", "--transport", transport,
                        "--serial-prefix", "early",
                    ])
                try await eventually("messages come back") {
                    try simulator.expectRunning()
                    let made = try await simulator.metric("iot_simulator_frames_made")
                    return try await simulator.metric("iot_simulator_returned_total") > 30 && made >= 30
                }
                #expect(try await simulator.metric("iot_simulator_frames_confirmed") == 0)
                let services = [
                    try system.start("sensor-registry", ["--partitions", "2"]),
                    try system.start("measurements-ingester", ["--replica", "i1"]),
                ]
                for service in services { try await service.ready() }
                let report = try SimulatorReport(try await simulator.end())
                #expect(report.confirmedFrames == 3 * 60 && report.droppedFrames == 0)
                #expect(simulator.errors.components(separatedBy: "has no place for messages").count == 2, "told once")
                try await system.expectExactlyOnce([report])
                for service in services { _ = try await service.stop() }
            }
        }

        @Test(arguments: [
            (["--start", "-1h"], "--start needs --unpaced"),
            (["--unpaced", "--start", "2199-01-01"], "--start is not in the past: 2199-01-01T00:00:00.000000000Z"),
            (["--unpaced", "--start", "-soon"], "the value '-soon' is invalid for '--start <start>'"),
            (["--connections", "2"], "--connections needs --transport amqp"),
            (["--connections", "65", "--transport", "amqp"], "--connections must be 1…64"),
            (["--gateway", "g"], "--gateway needs --transport gateway"),
            (
                ["--gateway", "a--b", "--transport", "gateway"],
                "--gateway a--b: not 1–64 of A–Z a–z 0–9 _ - without --"
            ),
        ])
        func wrongOptionsAreNamed(options: [String], fault: String) async throws {
            try await TestSystem.with { system in
                let result = try await system.run("sensor-simulator", options)
                #expect(result.status == 64)
                #expect(result.errors.contains("sensor-simulator: \(fault)"), "\(result.errors)")
            }
        }

        /// Of a few sensors and of so many that one binding serves them all; a second gateway hears nothing of it.
        @Test(arguments: [20, 1100])
        func aGatewaySpeaksForItsSensors(_ count: Int) async throws {
            try await Services.with(replicas: 1) { services in
                let system = services.system
                func gateway(_ name: String) throws -> Program {
                    try system.start(
                        "sensor-simulator",
                        ["--transport", "gateway", "--gateway", name, "--kind", "climate:0.5x\(count)"], log: name)
                }
                let gateways = [try gateway("one"), try gateway("two")]
                for program in gateways { try await program.ready() }
                let last = String(repeating: "0", count: 4 - String(count).count) + String(count)
                let newest = ["one--\(last)", "two--\(last)"]
                try await eventually("the last sensors have announced themselves", within: .seconds(180)) {
                    try await system.number(
                        """
                        SELECT count(*) FROM sensor WHERE kind = 'climate' AND serial = ANY (\(newest)::text[])
                        """) == 2
                }
                let told = ["one--0001", "one--\(last)", "two--0007"]
                let sleep = try await system.run("iotctl", ["sleep"] + told)
                #expect(sleep.status == 0, "\(sleep.errors)\(sleep.output)")
                try await eventually("they sleep, and nobody else", within: .seconds(120)) {
                    let rows = try await system.store.fetch(
                        "SELECT serial FROM sensor WHERE state = 'asleep' ORDER BY serial")
                    return try rows.map { try $0.text("serial") } == told.sorted()
                }
                for program in gateways { program.signal(SIGTERM) }
                var reports: [SimulatorReport] = []
                for program in gateways { reports.append(try SimulatorReport(try await program.end())) }
                try await system.expectExactlyOnce(reports)
                // One queue each, and none for a sensor.
                let queues = String(
                    decoding: try await TestServers.management("GET", "/api/queues/\(system.name)"), as: UTF8.self)
                #expect(queues.contains("gateway_one") && !queues.contains("sensor_one--0001"))
            }
        }
    }
}
