import Foundation
import Postgres
import Store
import TestSupport
import Testing

extension EndToEnd {
    /// What the broker takes and can't deliver over AMQP 0-9-1 stops no stream and no queue (decision 0007, 12). These
    /// virtual hosts have no topic permissions, which keep part of it out.
    @Suite struct Undeliverable {
        private func outside(_ system: TestSystem, _ script: String, _ words: String...) async throws {
            let path = TestServers.root.appending(path: "Tests/EndToEnd/Outside/\(script).py").path
            let result = try await system.run("/usr/bin/python3", [path] + words, deadline: .seconds(120))
            guard result.status == 0 else { throw TestServers.Failure("\(result.errors)\(result.output)") }
        }

        private func expectFrames(_ system: TestSystem, _ count: Int64) async throws {
            try await eventually("\(count) frames stored", within: .seconds(120)) {
                try await system.number("SELECT coalesce(sum(frames), 0) FROM sensor_boot") == count
            }
            #expect(try await system.number("SELECT count(*) FROM measurement") == count)
        }

        /// All that a stream can have: each poison is a hole of one or, where it can be read after all, in quarantine.
        @Test func aStreamIsReadPastEachOfThem() async throws {
            try await Services.with(replicas: 1, registry: ["--partitions", "1"]) { services in
                let system = services.system
                let place = "sensor_u/data"
                func holes() async throws -> [ClosedRange<Int64>] {
                    try await system.store.fetch(
                        "SELECT first_offset, last_offset FROM stream_hole WHERE cause = 'undeliverable' ORDER BY 1"
                    ).map { try $0.integer("first_offset")...$0.integer("last_offset") }
                }
                // Planted before the start: the very first message, some in between and two in a row.
                try await services["i1"].stop()
                try await outside(system, "poison", place, "front")
                try await outside(system, "publish", "frames", "u", "7", "0", "99")
                try await outside(system, "poison", place, "content-type")
                try await outside(system, "publish", "frames", "u", "7", "100", "104")
                try await outside(system, "poison", place, "longest", "content-type")
                try await outside(system, "publish", "frames", "u", "7", "105", "109")
                try await services.startIngester("i2")
                try await expectFrames(system, 110)
                #expect(try await holes() == [0...0, 101...101, 107...108])
                #expect(try await services["i2"].metric("iot_ingest_messages_undeliverable_total") == 4)

                // During a run, the last with nothing behind it.
                try await outside(
                    system, "poison", place, "headers", "value", "full", "deep", "correlation", "response", "name")
                try await outside(system, "publish", "frames", "u", "7", "110", "119")
                try await expectFrames(system, 120)
                try await outside(system, "poison", place, "front")
                try await eventually("the log names the last") {
                    try services["i2"].errors.contains("can't deliver message 131; skipped")
                }
                try await services["i2"].stop()
                try await services.startIngester("i3")
                try await outside(system, "publish", "frames", "u", "7", "120", "124")
                try await expectFrames(system, 125)
                #expect(try await holes().last == 131...131)

                // Each of the 137 messages is in one place: stored, in a hole, or in quarantine because it is no frame.
                let offsets = try await system.number(
                    """
                    SELECT (SELECT count(*) FROM measurement)
                         + (SELECT sum(last_offset - first_offset + 1) FROM stream_hole)
                         + (SELECT count(*) FROM quarantine WHERE reason = 'undecodable' AND source = 'measurements.0')
                    """)
                #expect(offsets == 137)
                #expect(try await system.number("SELECT count(*) FROM stream_hole WHERE cause <> 'undeliverable'") == 0)
                #expect(try await system.number("SELECT count(*) FROM sequence_gap") == 0)
            }
        }

        /// Queues that devices' messages reach: before the start and during a run, what stands behind such a message comes.
        @Test func aQueueIsReadPastEachOfThem() async throws {
            try await Services.with(replicas: 0, registry: ["--partitions", "1"]) { services in
                let system = services.system
                func expectAll(rounds: Int64) async throws {
                    try await eventually("logs of \(rounds) rounds", within: .seconds(60)) {
                        try await system.number("SELECT count(*) FROM sensor_log") == 9 * rounds
                    }
                    try await eventually("the announcement of round \(rounds)", within: .seconds(60)) {
                        try await system.number("SELECT count(*) FROM boot_announcement") == rounds
                    }
                    try await eventually("what fits no queue", within: .seconds(60)) {
                        try await system.number("SELECT count(*) FROM quarantine WHERE reason = 'unroutable'") == rounds
                    }
                    let wanted: [String: Int64] = ["logs": 1, "registry": 1, "alarms": 1, "unrouted": 2]
                    try await eventually("a row of each that was taken out", within: .seconds(60)) {
                        let rows = try await system.store.fetch(
                            "SELECT source, count(*) AS n FROM quarantine WHERE reason = 'undeliverable' GROUP BY source"
                        )
                        let found = Dictionary(
                            try rows.map { (try $0.text("source"), try $0.integer("n")) }, uniquingKeysWith: +)
                        return found == wanted.mapValues { $0 * rounds }
                    }
                }
                func plant(_ round: Int) async throws {
                    try await outside(system, "poison", "sensor_q/logs", "front")
                    try await outside(system, "poison", "sensor_q/registry", "longest")
                    try await outside(system, "poison", "sensor_q/alarms/x", "front")
                    try await outside(system, "poison", "sensor_q/nothing", "key", "front")
                    try await outside(system, "publish", "logs")
                    try await outside(system, "poison", "sensor_q/logs", "headers")
                    try await outside(system, "publish", "announce", "q", "\(round)", "0", "0", "1")
                    try await outside(system, "publish", "one-unroutable")
                }
                try await services["sensor-registry"].stop()
                try await services["logs-ingester"].stop()
                try await plant(1)
                try await services.start("sensor-registry")
                try await services.start("logs-ingester")
                try await expectAll(rounds: 1)
                try await plant(2)
                try await expectAll(rounds: 2)
                // Headers of more than a frame of AMQP cost nothing: what has them is no log line, that is all.
                try await eventually("dead letters") {
                    try await system.number("SELECT count(*) FROM quarantine WHERE reason = 'dead_letter'") == 2
                }
                let counted = try await services["sensor-registry"].series("iot_quarantined_total")
                #expect(counted[#"{reason="undeliverable"}"#] == 8)
            }
        }
    }
}
