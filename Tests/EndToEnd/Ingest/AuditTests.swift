import Foundation
import Postgres
import Store
import TestSupport
import Testing

/// What `iotctl audit -o json` prints (docs/iotctl-json.md).
struct AuditRecord: Decodable, Equatable {
    struct Loss: Decodable, Equatable {
        var first: Int64
        var last: Int64
        var missing: Int64
        var cause: String
    }

    struct Boot: Decodable, Equatable {
        var bootId: Int64
        var published: Int64
        var stored: Int64
        var missing: Int64
        var duplicates: Int64
        var givenUp: Int64
        var losses: [Loss]
    }

    struct Sensor: Decodable, Equatable {
        var sensor: String
        var numbered: Bool
        var unnumberedRows: Int64?
        var boots: [Boot]
    }

    var complete: Bool
    var published: Int64
    var stored: Int64
    var missing: Int64
    var duplicates: Int64
    var givenUp: Int64
    var causes: [String: Int64]
    var sensors: [Sensor]

    init(_ result: Program.Outcome) throws {
        guard !result.output.isEmpty else { throw TestServers.Failure("no audit: \(result.errors)") }
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        self = try decoder.decode(AuditRecord.self, from: Data(result.output.utf8))
    }
}

extension EndToEnd {
    /// The ledger's causes by real streams, and `iotctl audit` as a process: stdout, stderr and exit code apart.
    @Suite struct Auditing {
        @discardableResult
        private func outside(_ system: TestSystem, _ words: String...) async throws -> [String: Int64] {
            let script = TestServers.root.appending(path: "Tests/EndToEnd/Outside/publish.py").path
            let result = try await system.run("/usr/bin/python3", [script] + words, deadline: .seconds(120))
            guard result.status == 0 else { throw TestServers.Failure("\(result.errors)\(result.output)") }
            return try JSONDecoder().decode([String: Int64].self, from: Data(result.output.utf8))
        }

        private func audit(_ system: TestSystem, _ words: String...) async throws -> AuditRecord {
            try AuditRecord(try await system.run("iotctl", ["audit", "-o", "json"] + words))
        }

        /// "first-last cause" of each gap, as SQL sees them.
        private func gaps(_ system: TestSystem) async throws -> [String] {
            try await system.store.fetch(
                """
                SELECT serial || ' ' || first_sequence || '-' || last_sequence || ' ' || cause AS gap
                  FROM sequence_gap g JOIN sensor USING (sensor_id) ORDER BY serial, g.boot_id, first_sequence
                """
            ).map { try $0.text("gap") }
        }

        private func expectStored(_ system: TestSystem, next: Int64, of serial: String, boot: Int64 = 1) async throws {
            try await eventually("\(next) frames of \(serial) have come") {
                try await system.number(
                    """
                    SELECT coalesce(max(b.next_sequence), 0) FROM sensor_boot b JOIN sensor USING (sensor_id)
                     WHERE serial = \(serial) AND b.boot_id = \(boot)
                    """) == next
            }
        }

        @Test func whatIsCompleteEndsWith0() async throws {
            try await Services.with(replicas: 1) { services in
                let system = services.system
                #expect(try await system.run("iotctl", ["audit"]).status == 0)
                let simulator = try await system.run(
                    "sensor-simulator", ["--kind", "vibration:1000x3", "--frames", "40", "--serial-prefix", "au"])
                let report = try SimulatorReport(simulator)
                let waited = try await system.run("iotctl", ["audit", "--wait", "30s"])
                #expect(waited.status == 0 && waited.errors.isEmpty, "\(waited.errors)")
                let lines = waited.output.split(separator: "\n")
                #expect(lines.count == 4 && lines.allSatisfy { $0.count <= 80 }, "\(waited.output)")
                let record = try await audit(system)
                #expect(record.complete && record.published == report.frames && record.stored == report.frames)
                #expect(record.causes.count == 6 && record.causes.values.allSatisfy { $0 == 0 })
                #expect(record.sensors.map(\.sensor) == ["au-0001", "au-0002", "au-0003"])
                #expect(record.sensors.flatMap(\.boots).map(\.bootId) == report.sensors.map(\.bootId))

                let unknown = try await system.run("iotctl", ["audit", "au-0001", "au-000"])
                #expect(unknown.status == 2 && unknown.output.isEmpty)
                #expect(unknown.errors.hasPrefix("iotctl: no sensor au-000; did you mean"), "\(unknown.errors)")
                let away = try await system.run(
                    "iotctl", ["audit"], changing: ["DATABASE_URL": "postgresql://iot:iot@127.0.0.1:9/iot"])
                #expect(away.status == 69 && away.output.isEmpty)
                #expect(try await system.run("iotctl", ["audit", "--since", "2999-01-01"]).status == 64)
            }
        }

        /// Dropped at the source, restarted, quarantined, late, not numbered: each by what the sensor says and does.
        @Test func everyCauseIsShownAndWritten() async throws {
            try await Services.with(replicas: 1) { services in
                let system = services.system
                // Frames 3 and 4 were dropped by the sensor, 8 is under way; then it restarts.
                try await outside(system, "frames", "one", "1", "0", "2")
                try await outside(system, "frames", "one", "1", "5", "7")
                try await outside(system, "frames", "one", "1", "5", "5")
                try await outside(system, "announce", "one", "1", "9", "2", "1")
                try await expectStored(system, next: 8, of: "one")
                let early = try await system.run("iotctl", ["audit", "one", "--wait", "100ms"])
                #expect(early.status == 1 && early.errors == "iotctl: 3 frames of 1 sensor missing\n")
                #expect(early.output.contains("3-4") && early.output.contains("dropped at source"), "\(early.output)")
                #expect(early.output.contains("still late"), "\(early.output)")
                #expect(early.output.split(separator: "\n").allSatisfy { $0.count <= 80 })
                try await outside(system, "frames", "one", "2", "0", "0")
                try await outside(system, "frames", "one", "2", "2", "2")
                // Another one sends what can't be read, and a third does not number.
                try await outside(system, "frames", "bad1", "7", "0", "0")
                try await outside(system, "rubbish")
                try await outside(system, "json")
                try await eventually("all has come") {
                    let came = try await system.number("SELECT count(*) FROM quarantine") == 8
                    let json = try await system.number("SELECT count(*) FROM measurement WHERE boot_id IS NULL") >= 5
                    let boots = try await audit(system, "one").sensors[0].boots.map(\.stored)
                    return came && json && boots == [6, 2]
                }
                let record = try await audit(system, "one")
                #expect(
                    record.sensors[0].boots[0].losses == [
                        AuditRecord.Loss(first: 3, last: 4, missing: 2, cause: "dropped_at_source"),
                        AuditRecord.Loss(first: 8, last: 8, missing: 1, cause: "sensor_restarted"),
                    ])
                #expect(record.sensors[0].boots[0].duplicates == 1 && record.sensors[0].boots[0].published == 9)
                #expect(
                    record.sensors[0].boots[1].losses == [
                        AuditRecord.Loss(first: 1, last: 1, missing: 1, cause: "late")
                    ])
                #expect(try await audit(system, "bad1").complete)
                let json = try await audit(system, "json1")
                #expect(json.complete && json.sensors[0].numbered == false && json.sensors[0].boots.isEmpty)
                #expect((json.sensors[0].unnumberedRows ?? 0) >= 5)
                let text = try await system.run("iotctl", ["audit", "json1"])
                #expect(text.status == 0 && text.output.contains("not numbered"))

                // The registry looks at its start, too, and writes what it finds.
                try await services["sensor-registry"].stop()
                try await services.start("sensor-registry")
                try await eventually("the gap has its cause") {
                    try await gaps(system) == ["one 3-4 dropped_at_source", "one 1-1 late"]
                }
                let registry = try services["sensor-registry"]
                try await eventually("the figure says so") { try await registry.metric("iot_missing_frames") == 3 }
                // A late frame closes its gap all the same.
                try await outside(system, "frames", "one", "2", "1", "1")
                try await eventually("it is closed") {
                    try await audit(system, "one").sensors[0].boots[1].losses.isEmpty
                }
            }
        }

        /// Runs a system of one partition, whose stream holds little, without an ingester.
        private func withOneStream(_ body: (inout Services) async throws -> Void) async throws {
            try await Services.with(replicas: 0, registry: ["--partitions", "1"]) { services in
                try await body(&services)
            }
        }

        @Test func aStreamMadeAnewIsTheCause() async throws {
            try await withOneStream { services in
                let system = services.system
                try await services.startIngester("i1")
                try await outside(system, "frames", "gone", "1", "0", "4")
                try await expectStored(system, next: 5, of: "gone")
                try await services["i1"].stop()
                try await outside(system, "frames", "gone", "1", "5", "9")
                // Somebody deletes the stream; a registry that starts makes it again.
                try await services["sensor-registry"].stop()
                try await TestServers.management("DELETE", "/api/queues/\(system.name)/measurements.0")
                try await services.start("sensor-registry")
                try await outside(system, "frames", "gone", "1", "10", "14")
                try await outside(system, "frames", "fresh", "1", "2", "3")
                try await services.startIngester("i1")
                try await expectStored(system, next: 15, of: "gone")
                try await expectStored(system, next: 4, of: "fresh")
                #expect(try await gaps(system) == ["fresh 0-1 late", "gone 5-9 stream_reset"])
                let record = try await audit(system, "gone")
                #expect(record.causes["stream_reset"] == 5 && record.missing == 5 && record.stored == 10)
            }
        }

        @Test func whatRetentionTookHasThatCause() async throws {
            try await withOneStream { services in
                let system = services.system
                try await services["sensor-registry"].stop()
                try await TestServers.management("DELETE", "/api/queues/\(system.name)/measurements.0")
                try await TestServers.management(
                    "PUT", "/api/policies/\(system.name)/small",
                    body: """
                        {"pattern": "^measurements", "apply-to": "streams", "priority": 99,
                         "definition": {"max-length-bytes": 200000, "stream-max-segment-size-bytes": 100000}}
                        """)
                try await services.start("sensor-registry")
                try await services.startIngester("i1")
                try await outside(system, "frames", "slow", "1", "0", "4")
                try await outside(system, "frames", "ended", "1", "0", "0")
                try await expectStored(system, next: 5, of: "slow")
                try await expectStored(system, next: 1, of: "ended")
                try await services["i1"].stop()
                try await outside(system, "frames", "ended", "1", "1", "3")
                try await outside(system, "announce", "ended", "1", "4", "0", "3")
                try await outside(system, "frames", "slow", "1", "5", "1004", "500")
                try await services.startIngester("i1")
                try await expectStored(system, next: 1005, of: "slow")
                let holes = try await system.store.fetch("SELECT * FROM stream_hole")
                #expect(try holes.map { try $0.text("cause") } == ["broker_retention"])
                #expect(try holes[0].integer("first_offset") == 6)
                // What is in the table is not in the hole, and the rest is; three of them are frames of the other.
                let stored = try await system.number("SELECT frames FROM sensor_boot ORDER BY frames DESC LIMIT 1")
                #expect(stored < 1005 && stored > 5)
                #expect(try await gaps(system) == ["slow 5-\(1009 - stored) broker_retention"])
                let record = try await audit(system)
                #expect(record.causes["broker_retention"] == 1008 - stored && record.missing == 1008 - stored)
                // The last frames of a sensor that has gone were in the hole as well.
                #expect(
                    record.sensors[0].boots[0].losses == [
                        AuditRecord.Loss(first: 1, last: 3, missing: 3, cause: "broker_retention")
                    ])
            }
        }

        /// A hundred sensors are looked at in one go; where that fails the others get their causes all the same.
        @Test func sensorsThatNoCauseCanBeFoundForKeepNobodyWaiting() async throws {
            try await TestSystem.with { system in
                try await Migrations.apply(to: system.store)
                for statement: SQL in [
                    "INSERT INTO sensor (serial) SELECT 's' || k FROM generate_series(1, 101) k",
                    """
                    INSERT INTO sensor_boot (sensor_id, boot_id, next_sequence, frames) SELECT sensor_id, 1, 2, 1 FROM sensor
                    """,
                    """
                    INSERT INTO sequence_gap (sensor_id, boot_id, first_sequence, last_sequence, missing, cause)
                    SELECT sensor_id, 1, 0, 0, 1, 'late' FROM sensor
                    """,
                    """
                    INSERT INTO boot_announcement (sensor_id, boot_id, next_sequence, frames_dropped, state, first_at,
                                                   announced_at)
                    SELECT sensor_id, 1, 2, 1, 'awake', now(), now() FROM sensor
                    """,
                    """
                    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not this one'; END $$
                    """,
                    """
                    CREATE TRIGGER refuse BEFORE UPDATE ON sequence_gap FOR EACH ROW
                    WHEN (OLD.sensor_id = 7) EXECUTE FUNCTION refuse()
                    """,
                ] { try await system.store.run(statement) }
                let registry = try system.start("sensor-registry")
                try await eventually("the last one has a cause") {
                    try await system.number("SELECT count(*) FROM sequence_gap WHERE cause <> 'late'") == 1
                }
                #expect(try await registry.metric("iot_registry_causes_failed_total") == 1)
                try await registry.ready()
                #expect(try await registry.stop().status == 0)
            }
        }

        @Test func aSensorWithoutAClockIsToldTheTime() async throws {
            try await Services.with(replicas: 0) { services in
                let system = services.system
                let answer = try await outside(system, "ask-time")
                #expect(answer["topic_is_right"] == 1 && answer["issued_is_argument"] == 1)
                #expect((answer["off_ms"] ?? .max) < 2000 && answer["valid_ms"] == 10_000)
                // There are too many to keep; a command of somebody else, behind it in the queue, is kept.
                #expect(try await system.run("iotctl", ["sleep", "clockless", "--timeout", "200ms"]).status != 0)
                try await eventually("the command is recorded") {
                    try await system.number("SELECT count(*) FROM command") >= 1
                }
                #expect(try await system.number("SELECT count(*) FROM command WHERE name <> 'sleep'") == 0)
                let told = try await services["sensor-registry"].metric("iot_registry_times_told_total")
                #expect(told >= 1)
            }
        }
    }
}
