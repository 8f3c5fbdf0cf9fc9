import Foundation
import Model
import Postgres
import TestSupport
import Testing

extension EndToEnd {
    /// From the sensor's sample to the hypertable's row, in fair weather.
    @Suite struct Streams {
        @Test func everySampleOfEveryKindIsStoredOnce() async throws {
            try await Services.with { services in
                let system = services.system
                let recording = system.folder.appending(path: "tone.wav")
                try wave(samples: 48_000, rate: 48_000).write(to: recording)
                let mqtt = try system.start(
                    "sensor-simulator",
                    ["--sensors", "8", "--replay", recording.path, "--for", "4s", "--serial-prefix", "m"])
                let amqp = try system.start(
                    "sensor-simulator",
                    [
                        "--kind", "vibration:1000x2", "--counts", "--transport", "amqp", "--for", "4s",
                        "--serial-prefix", "a",
                    ])
                let reports = [try SimulatorReport(await mqtt.end()), try SimulatorReport(await amqp.end())]
                try await system.expectExactlyOnce(reports)

                // Announced, seen, gone in good order; channels have names and units.
                try await eventually("good-byes") {
                    try await system.number("SELECT count(*) FROM sensor WHERE state = 'stopped'") == 11
                }
                #expect(try await system.number("SELECT count(*) FROM sensor WHERE kind = ''") == 0)
                #expect(try await system.number("SELECT count(*) FROM channel WHERE name = 'temperature'") == 2)
                // The newest value of each channel, within the second that the table may lag.
                let behind: SQL = """
                    SELECT count(*) FROM (SELECT sensor_id, channel, max("time") AS newest FROM measurement GROUP BY 1, 2) m
                      LEFT JOIN latest l USING (sensor_id, channel)
                     WHERE l."time" IS NULL OR l."time" < m.newest
                    """
                try await eventually("latest is up to date") { try await system.number(behind) == 0 }
                // A GPS tracker moves, and what it said is in `location`.
                #expect(
                    try await system.number(
                        "SELECT count(*) FROM location JOIN sensor USING (sensor_id) WHERE kind = 'gps'") >= 4)
                try await eventually("log lines") { try await system.number("SELECT count(*) FROM sensor_log") >= 11 }
                // Counts stay counts; a last frame of one sample is its mean.
                #expect(
                    try await system.number(
                        """
                        SELECT count(*) FROM measurement JOIN sensor USING (sensor_id)
                         WHERE serial LIKE 'a-%' AND n > 1
                           AND (counts IS NULL OR samples IS NOT NULL OR count_scale IS NULL)
                        """) == 0)
            }
        }

        /// The recording's samples come back bit for bit, at the time that the sample clock gave them.
        @Test func aRecordingComesBackSampleBySample() async throws {
            try await Services.with(replicas: 1) { services in
                let system = services.system
                let recording = system.folder.appending(path: "tone.wav")
                try wave(samples: 4_800, rate: 48_000).write(to: recording)
                let simulator = try system.start(
                    "sensor-simulator", ["--replay", recording.path, "--for", "2s", "--serial-prefix", "r"])
                let report = try SimulatorReport(await simulator.end())
                try await system.expectExactlyOnce([report])
                let total = report.samples
                let row = try await system.store.fetchOne(
                    """
                    WITH s AS (SELECT row_number() OVER (ORDER BY unix_ns) - 1 AS k, unix_ns, value
                                 FROM samples('r-tone', '0', now() - INTERVAL '1 hour', now())),
                         f AS (SELECT min(unix_ns) AS t0 FROM s)
                    SELECT count(*) AS n,
                           count(*) FILTER (WHERE abs(unix_ns - t0 - round(k * 1e9 / 48000)) > 1) AS off_time,
                           count(*) FILTER (WHERE value <> ((k % 4800) * 13 % 65536 - 32768) / 32768.0::float8) AS off
                      FROM s, f
                    """)
                #expect(try row.integer("n") == total)
                #expect(try row.integer("off_time") == 0)
                #expect(try row.integer("off") == 0)
            }
        }

        /// Replicas share the partitions, and a second one takes half of them.
        @Test func replicasShareThePartitions() async throws {
            try await Services.with(replicas: 1) { services in
                let system = services.system
                func held(by owner: String) async throws -> Int64 {
                    try await system.number(
                        "SELECT count(*) FROM ingest_partition WHERE owner = \(owner) AND lease_until > now()")
                }
                try await eventually("one holds all") { try await held(by: "i1") == 4 }
                let streaming = try system.start(
                    "sensor-simulator", ["--kind", "vibration:100x20", "--serial-prefix", "s"])
                let first = try services["i1"]
                try await eventually("data in each") { try await first.series("iot_ingest_lag_seconds").count == 4 }
                try await services.startIngester("i2")
                try await eventually("two each", within: .seconds(10)) {
                    let first = try await held(by: "i1")
                    let second = try await held(by: "i2")
                    return first == 2 && second == 2
                }
                // Of what it gave back it says nothing any more: a lag that stands still would look like one.
                try await eventually("lag of two") { try await first.series("iot_ingest_lag_seconds").count == 2 }
                try await streaming.stop()
                // In good order it gives back at once …
                try await services["i2"].stop()
                try await eventually("one holds all again", within: .seconds(10)) {
                    try await held(by: "i1") == 4
                }
            }
        }

        /// More partitions, as docs/operations.md says it, while sensors go on publishing.
        @Test func partitionsAreRaised() async throws {
            try await Services.with(replicas: 2) { services in
                let system = services.system
                let streaming = try system.start(
                    "sensor-simulator", ["--kind", "vibration:200x40", "--serial-prefix", "s"])
                let stored: SQL = "SELECT count(*) FROM measurement"
                try await eventually("frames") { try await system.number(stored) > 200 }
                for name in ["i1", "i2", "sensor-registry"] { try await services[name].stop() }
                try await system.store.run("UPDATE setting SET value = to_jsonb(8) WHERE name = 'partitions'")
                try await services.start("sensor-registry", ["--partitions", "8"])
                try await services.startIngester("i3")
                try await eventually("frames from each of eight streams") {
                    try await system.number(
                        "SELECT count(*) FROM ingest_partition WHERE owner = 'i3' AND committed_offset >= 0") == 8
                }
                streaming.signal(SIGTERM)
                try await system.expectExactlyOnce([try SimulatorReport(await streaming.end())])
            }
        }

        /// What is counted for each sensor is in SQL; the labels of figures are from small fixed sets.
        @Test func figuresNameNoSensor() async throws {
            try await Services.with(replicas: 1) { services in
                let system = services.system
                let simulator = try await system.run(
                    "sensor-simulator", ["--kind", "vibration:1000x3", "--frames", "7", "--serial-prefix", "named"])
                let report = try SimulatorReport(simulator)
                #expect(report.sensors.map(\.frames) == [7, 7, 7])
                try await system.expectExactlyOnce([report])
                // Alerts go by these, which are there before anything happens.
                let registry = try services["sensor-registry"]
                try await eventually("who is awake") {
                    try await registry.series("iot_registry_sensors_awake") == ["": 0]
                }
                #expect(try await registry.series("iot_ready") == ["": 1])
                try await eventually("what is missing") {
                    try await registry.series("iot_missing_frames")
                        == Dictionary(
                            uniqueKeysWithValues: LossCause.allCases.map { (#"{cause="\#($0.rawValue)"}"#, 0.0) })
                }
                #expect(try await services["i1"].series("iot_ingest_messages_lost_total") == ["": 0])
                #expect(try await services["i1"].series("iot_quarantined_total").values.allSatisfy { $0 == 0 })
                for name in ["i1", "sensor-registry", "logs-ingester"] {
                    let page = try #require(await TestServers.get(try await services[name].http() + "/metrics"))
                    #expect(page.status == 200 && page.body.contains("# TYPE"))
                    #expect(!page.body.contains("named-"))
                }
            }
        }

        /// SIGTERM drains and ends within 5 s, and nothing is stored again at the next start.
        @Test func aRestartResumesWhereItStopped() async throws {
            try await Services.with(replicas: 1) { services in
                let system = services.system
                let simulator = try system.start(
                    "sensor-simulator", ["--kind", "vibration:1000x4", "--for", "6s", "--serial-prefix", "s"])
                for round in 1...3 {
                    try await eventually("something is stored") {
                        try await system.number("SELECT coalesce(sum(frames), 0) FROM sensor_boot") >= round * 20
                    }
                    let begin = ContinuousClock.now
                    let result = try await services["i1"].stop()
                    #expect(result.status == 0, "\(result.errors.suffix(500))")
                    #expect(begin.duration(to: .now) < .seconds(6))
                    try await services.startIngester("i1")
                }
                try await system.expectExactlyOnce([try SimulatorReport(await simulator.end())])
                #expect(try await system.number("SELECT coalesce(sum(duplicates), 0) FROM sensor_boot") == 0)
            }
        }
    }
}

/// A WAV file of 16-bit samples that never repeats within 65,536: sample k is (13 k mod 65536) - 32768.
func wave(samples: Int, rate: UInt32) -> Data {
    var data = Data("RIFF".utf8)
    func append(_ number: some FixedWidthInteger) {
        unsafe withUnsafeBytes(of: number.littleEndian) { unsafe data.append(contentsOf: $0) }
    }
    append(UInt32(36 + samples * 2))
    data.append(Data("WAVEfmt ".utf8))
    append(UInt32(16))
    append(UInt16(1))
    append(UInt16(1))
    append(rate)
    append(rate * 2)
    append(UInt16(2))
    append(UInt16(16))
    data.append(Data("data".utf8))
    append(UInt32(samples * 2))
    for index in 0..<samples { append(Int16(truncatingIfNeeded: index * 13 % 65_536 - 32_768)) }
    return data
}
