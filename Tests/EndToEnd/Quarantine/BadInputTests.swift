import Foundation
import Postgres
import TestSupport
import Testing

extension EndToEnd {
    /// Bytes from outside never stop anything: stored, or put into quarantine with a reason, or refused by the broker.
    @Suite struct BadInput {
        /// The outside client: Debian's pika and paho, and the official protobuf.
        private func outside(_ system: TestSystem, _ what: String) async throws -> [String: Int64] {
            let script = TestServers.root.appending(path: "Tests/EndToEnd/Outside/publish.py").path
            let result = try await system.run("/usr/bin/python3", [script, what], deadline: .seconds(120))
            guard result.status == 0 else { throw TestServers.Failure("\(result.errors)\(result.output)") }
            return try JSONDecoder().decode([String: Int64].self, from: Data(result.output.utf8))
        }

        /// Waits for frame `sequence` of the sensor: what came before it stopped nobody.
        private func expectStored(_ system: TestSystem, _ serial: String, _ sequence: Int64) async throws {
            try await eventually("the next good frame of \(serial) is stored") {
                try await system.number(
                    """
                    SELECT count(*) FROM measurement JOIN sensor USING (sensor_id)
                     WHERE serial = \(serial) AND sequence = \(sequence)
                    """) == 1
            }
        }

        private func quarantined(_ system: TestSystem, _ key: String) async throws -> [String: Int64] {
            let rows = try await system.store.fetch(
                "SELECT reason, count(*) AS n FROM quarantine WHERE routing_key = \(key) GROUP BY reason")
            return Dictionary(try rows.map { (try $0.text("reason"), try $0.integer("n")) }, uniquingKeysWith: +)
        }

        /// Rubbish never stalls a consumer, and none of it vanishes.
        @Test func rubbishGoesToQuarantine() async throws {
            try await Services.with(replicas: 1) { services in
                let system = services.system
                let sent = try await outside(system, "rubbish")
                try await expectStored(system, "bad1", sent["good"] ?? -1)
                #expect(
                    try await quarantined(system, "sensor_bad1.data") == [
                        "undecodable": 3, "newer_schema": 1, "invalid_frame": 3, "no_numeric_fields": 1,
                    ])
                let metric = try await services["i1"].metric("iot_quarantined_total")
                #expect(metric >= 8)
                // A quarantined payload is kept with its length, and at most 64 KiB of it.
                let big = try await system.store.fetchOne(
                    "SELECT length, octet_length(payload) AS kept FROM quarantine ORDER BY length DESC LIMIT 1")
                #expect(try big.integer("length") == 1_000_000)
                #expect(try big.integer("kept") == 65_536)
                // A frame with NaN is stored as it is; its statistics leave NaN out.
                let nan = try await system.store.fetchOne(
                    """
                    SELECT m.n, m.min, m.max, m.mean, m.samples[2]::text AS second FROM measurement m
                      JOIN sensor USING (sensor_id) WHERE serial = 'bad1' AND sequence = 1
                    """)
                #expect(try nan.text("second") == "NaN")
                #expect(try nan.double("mean") == 2)
            }
        }

        @Test func whatFitsNoQueueIsKeptByTheRegistry() async throws {
            try await Services.with(replicas: 1) { services in
                let system = services.system
                let sent = try await outside(system, "unroutable")
                try await expectStored(system, "bad2", sent["good"] ?? -1)
                try await eventually("unroutable messages are in quarantine") {
                    try await system.number("SELECT count(*) FROM quarantine WHERE reason = 'unroutable'") == 4
                }
                #expect(try await quarantined(system, "sensor_a.b.data") == ["unroutable": 1])
                #expect(try await quarantined(system, "sensor_bad2.dta") == ["unroutable": 1])
                // A serial that is none reaches the stream, because the key has two words.
                #expect(try await quarantined(system, "sensor_ä.data") == ["bad_serial": 1])
                // Poison in a queue is dead-lettered, never requeued, and kept.
                try await eventually("dead letters are in quarantine") {
                    try await system.number("SELECT count(*) FROM quarantine WHERE reason = 'dead_letter'") == 3
                }
            }
        }

        @Test func threeThousandBadDatesMakeNoChunks() async throws {
            try await Services.with(replicas: 1) { services in
                let system = services.system
                let sent = try await outside(system, "dates")
                try await expectStored(system, "bad3", sent["good"] ?? -1)
                try await expectStored(system, "bad6", 0)
                try await expectStored(system, "bad5", 0)
                try await eventually("all are stored") {
                    try await system.number("SELECT count(*) FROM measurement WHERE clock <> 0") == 3002
                }
                #expect(try await system.number("SELECT count(*) FROM show_chunks('measurement')") <= 2)
                #expect(
                    try await system.number(
                        "SELECT count(DISTINCT device_time_ns) FROM measurement WHERE clock IN (1, 2)") == 3001)
                #expect(try await system.number("SELECT count(*) FROM measurement WHERE clock = 1") == 1501)
                let flagged = try await services["i1"].metric("iot_ingest_untrusted_times_total")
                #expect(flagged == 3002)
                #expect(try await system.number("SELECT count(*) FROM latest WHERE \"time\" > now() + '1 hour'") == 0)
                // How far each clock is off, by its newest frame.
                try await eventually("newest values") {
                    try await system.number(
                        """
                        SELECT count(*) FROM latest JOIN sensor USING (sensor_id)
                         WHERE clock = 0 OR serial IN ('bad5', 'bad6')
                        """) == 3
                }
                let shown = try await system.run("iotctl", ["get", "sensors", "-o", "json"])
                struct Clock: Decodable {
                    var serial: String
                    var clock: String?
                    var clockOffsetS: Double?
                }
                let decoder = JSONDecoder()
                decoder.keyDecodingStrategy = .convertFromSnakeCase
                let clocks = try decoder.decode([Clock].self, from: Data(shown.output.utf8))
                #expect(clocks.map(\.clock) == ["ok", "future", "none"])
                #expect(clocks.map(\.serial) == ["bad3", "bad5", "bad6"])
                let offsets = clocks.map(\.clockOffsetS)
                #expect(abs(try #require(offsets[0])) < 60 && offsets[2] == nil)
                #expect(abs(try #require(offsets[1]) - 86_400) < 60)
                let text = try await system.run("iotctl", ["describe", "sensor", "bad5"])
                let line = text.output.split(separator: "\n").first { $0.hasPrefix("Clock:") }
                #expect(line?.contains("future +23h") == true || line?.contains("future +24h") == true)
            }
        }

        /// A megabyte of frames that are nearly 400,000 rows: they take their time, not the memory.
        @Test func smallFramesOfManyRowsAreStoredInParts() async throws {
            try await Services.with(replicas: 1) { services in
                let system = services.system
                _ = try await outside(system, "many-rows")
                try await eventually("all frames are stored", within: .seconds(120)) {
                    try await system.number("SELECT coalesce(sum(frames), 0) FROM sensor_boot") == 100
                }
                let samples: Int64 = 100 * 64 * 60
                #expect(try await system.number("SELECT sum(n) FROM measurement") == samples)
                #expect(try await system.number("SELECT count(*) FROM measurement") == samples, "a sample a minute")
                let peak = try peakMemory(of: try services["i1"].pid)
                print("small frames of many rows: peak memory \(peak)")
                #expect(peak < dataMemoryMax)
            }
        }

        /// Frames without boot and sequence are no repeats of one another.
        @Test func unnumberedFramesAreAllStored() async throws {
            try await Services.with(replicas: 1) { services in
                let sent = try await outside(services.system, "unnumbered")
                try await eventually("all are stored") {
                    try await services.system.number(
                        "SELECT count(*) FROM measurement JOIN sensor USING (sensor_id) WHERE serial = 'plain'")
                        == sent["good"] ?? -1
                }
                let audit = try await services.system.run("iotctl", ["audit", "plain"])
                #expect(audit.status == 0 && audit.output.contains("not numbered"), "\(audit.output)\(audit.errors)")
            }
        }

        @Test func aTooLargeMessageCostsNobodyElseAnything() async throws {
            try await Services.with(replicas: 1) { services in
                let sent = try await outside(services.system, "large")
                #expect(sent["amqp_refused"] == 1)
                #expect(sent["mqtt_refused"] == 1)
                try await expectStored(services.system, "bad4", sent["good"] ?? -1)
            }
        }

        /// A device's own JSON: its fields become channels, numbered in order of first sight.
        @Test func jsonOfDevicesIsStored() async throws {
            try await Services.with(replicas: 1) { services in
                let system = services.system
                _ = try await outside(system, "json")
                try await eventually("the readings are stored") {
                    try await system.number(
                        "SELECT count(*) FROM measurement JOIN sensor USING (sensor_id) WHERE serial = 'json1'") == 7
                }
                let rows = try await system.store.fetch(
                    """
                    SELECT c.name, c.channel, l.value FROM latest l JOIN channel c USING (sensor_id, channel)
                      JOIN sensor USING (sensor_id) WHERE serial = 'json1' ORDER BY c.channel
                    """)
                #expect(try rows.map { try $0.text("name") } == ["door", "temperature", "humidity"])
                #expect(
                    try await system.number(
                        "SELECT count(*) FROM measurement WHERE boot_id IS NULL AND clock = 0") == 5)
            }
        }
    }
}
