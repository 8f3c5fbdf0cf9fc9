import Foundation
import Postgres
import TestSupport
import Testing

extension EndToEnd {
    /// Near the broker's disk limit the oldest measurements go first; commands and alarms still flow.
    @Suite struct Overload {
        private struct Node: Decodable {
            var name: String
            var diskFree: Int64
            var diskFreeLimit: Int64

            private enum CodingKeys: String, CodingKey {
                case name
                case diskFree = "disk_free"
                case diskFreeLimit = "disk_free_limit"
            }
        }

        private struct Stream: Decodable {
            var segments: Int64?
        }

        private func node() async throws -> Node {
            let data = try await TestServers.management("GET", "/api/nodes")
            return try #require(try JSONDecoder().decode([Node].self, from: data).first)
        }

        private func segments(_ system: TestSystem, _ stream: String) async throws -> Int64 {
            let data = try await TestServers.management("GET", "/api/queues/\(system.name)/\(stream)")
            return try JSONDecoder().decode(Stream.self, from: data).segments ?? 0
        }

        private func limit(_ bytes: Int64) async throws {
            try await TestServers.control("rabbitmqctl", "set_disk_free_limit", "\(bytes)")
        }

        /// Streams of segments of 500 kB. A segment's size is fixed when the stream is made, unlike all else of a policy.
        private func streams(maxAge: String) -> String {
            """
            {"policies": [{"vhost": "/", "name": "measurements", "pattern": "^measurements\\\\.[0-9]+$",
             "apply-to": "streams", "priority": 0, "definition":
             {"max-age": "\(maxAge)", "max-length-bytes": 5000000000,
              "stream-max-segment-size-bytes": 500000}}]}
            """
        }

        /// A limit that the disk is less than twice above, put back in all cases.
        private func withLittleRoom(
            _ system: TestSystem, _ body: (_ fill: () async throws -> Void) async throws -> Void
        ) async throws {
            let before = try await node()
            do {
                try await body {
                    try await limit(Int64(Double(try await node().diskFree) * 0.6))
                }
            } catch {
                try await limit(before.diskFreeLimit)
                throw error
            }
            try await limit(before.diskFreeLimit)
        }

        /// Frames of about 300 kB each, confirmed by the broker.
        private func simulate(_ system: TestSystem, frames: Int) async throws -> SimulatorReport {
            let result = try await system.run(
                "sensor-simulator",
                [
                    "--kind", "vibration:25000x8", "--frame-milliseconds", "1000", "--samples-per-frame", "25000",
                    "--frames", "\(frames)", "--serial-prefix", "o", "--transport", "amqp", "--unpaced",
                ], deadline: .seconds(120))
            let report = try SimulatorReport(result)
            try #require(report.confirmedFrames == report.frames)
            return report
        }

        @Test func theOldestMeasurementsGiveWayAndCommandsFlow() async throws {
            try await Services.with(
                replicas: 1, registry: ["--guard-interval", "1s"], definitions: streams(maxAge: "7D")
            ) { services in
                let system = services.system
                // Somebody who obeys commands, and whose frames reach one partition.
                let live = try system.start(
                    "sensor-simulator",
                    ["--kind", "climate:1x1", "--serial-prefix", "live", "--transport", "amqp"])
                try await live.ready()
                try await eventually("stored before") {
                    try await system.number("SELECT coalesce(sum(frames), 0) FROM sensor_boot") > 0
                }
                // The ingester stays away while the streams grow.
                try await services["i1"].stop()
                let report = try await simulate(system, frames: 10)
                try await eventually("the streams have grown") {
                    var sum: Int64 = 0
                    for index in 0..<4 { sum += try await segments(system, "measurements.\(index)") }
                    return sum > 20
                }
                try await withLittleRoom(system) { fill in
                    try await fill()
                    try await eventually("the registry cuts the streams") {
                        try await services["sensor-registry"].metric("iot_stream_cuts_total") >= 1
                    }
                    try await eventually("the streams have given way") {
                        for index in 0..<4 where try await segments(system, "measurements.\(index)") > 3 {
                            return false
                        }
                        return true
                    }
                    let sleep = try await system.run("iotctl", ["sleep", "live-0001"])
                    #expect(sleep.status == 0, "\(sleep.errors)")
                    #expect(try services["sensor-registry"].errors.contains("the oldest goes first"))
                    _ = try await system.run("iotctl", ["awake", "live-0001"])
                }
                try await eventually("the streams may grow again") {
                    try services["sensor-registry"].errors.contains("the streams may grow again")
                }
                // What the ingester finds missing is a hole with its cause, and the rest is stored once.
                try await services.startIngester("i2")
                try await live.stop()
                // A stream whose newest messages have gone too shows it by the next one.
                let more = try await simulate(system, frames: 2)
                try await eventually("the loss is recorded") {
                    try await system.number(
                        "SELECT count(*) FROM stream_hole WHERE cause = 'broker_retention' AND last_offset >= first_offset"
                    )
                        > 0
                }
                try await expectAccountedFor(system, [report, more])
            }
        }

        /// Every confirmed frame is stored, or one of those that the streams dropped.
        private func expectAccountedFor(_ system: TestSystem, _ reports: [SimulatorReport]) async throws {
            let confirmed = reports.reduce(0) { $0 + $1.confirmedFrames }
            func stored() async throws -> Int64 {
                try await system.number(
                    """
                    SELECT coalesce(sum(frames), 0) FROM sensor_boot JOIN sensor USING (sensor_id)
                     WHERE starts_with(serial, 'o-')
                    """)
            }
            func dropped() async throws -> Int64 {
                try await system.number("SELECT sum(last_offset - first_offset + 1) FROM stream_hole")
            }
            // The live sensor's frames may be among those that were dropped.
            try await eventually("all frames are stored or dropped") {
                let (stored, dropped) = (try await stored(), try await dropped())
                try demand(
                    stored + dropped >= confirmed,
                    "\(stored) stored, \(dropped) dropped of \(confirmed)")
                return true
            }
            let stored = try await stored()
            #expect(stored > 0 && stored < confirmed, "\(stored) of \(confirmed)")
            #expect(
                try await system.number(
                    "SELECT count(*) - count(DISTINCT (sensor_id, boot_id, sequence, channel, \"time\")) FROM measurement"
                )
                    == 0)
        }

        /// An ingester that stays away too long is told of before anything is lost.
        @Test func aBacklogNearRetentionIsTold() async throws {
            // All is in the newest segment, which no retention drops.
            try await Services.with(
                replicas: 1, registry: ["--guard-interval", "1s"], definitions: streams(maxAge: "10s")
            ) { services in
                let system = services.system
                let registry = try services["sensor-registry"]
                try await services["i1"].stop()
                let result = try await system.run(
                    "sensor-simulator",
                    ["--kind", "climate:5x8", "--for", "2s", "--serial-prefix", "b", "--transport", "amqp"])
                let report = try SimulatorReport(result)
                try await eventually("the registry says so") {
                    registry.errors.contains("of the stream's retention")
                }
                // The broker's count of a stream's messages is seconds old.
                try await eventually("all \(report.confirmedFrames) frames are counted") {
                    try await Int64(registry.metric("iot_stream_unread_messages")) == report.confirmedFrames
                }
                try await services.startIngester("i2")
                try await system.expectExactlyOnce([report])
                try await eventually("the registry sees that it is stored") {
                    try await registry.metric("iot_stream_unread_retention_ratio") == 0
                        && registry.errors.contains("far from retention again")
                }
            }
        }
    }
}
