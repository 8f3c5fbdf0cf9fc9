import Foundation
import Postgres
import TestSupport
import Testing

extension EndToEnd {
    /// What the simulator spoils on purpose is what the database says was spoilt, and nothing else.
    @Suite struct InjectedFaults {
        /// What `--fault` adds to the simulator's report.
        private struct Report: Decodable {
            struct Injected: Decodable {
                var droppedSequences: [[Int64]]
                var corruptedSequences: [[Int64]]
                var duplicatedFrames: Int64
                var reorderedFrames: Int64
                var skewNs: Int64

                private func sequences(_ ranges: [[Int64]]) -> Set<Int64> { Set(ranges.flatMap { $0[0]...$0[1] }) }
                var dropped: Set<Int64> { sequences(droppedSequences) }
                var corrupted: Set<Int64> { sequences(corruptedSequences) }
            }

            struct Counts: Decodable, Equatable {
                var droppedFrames: Int64
                var corruptedFrames: Int64
                var duplicatedFrames: Int64
                var reorderedFrames: Int64
            }

            struct Sensor: Decodable {
                var serial: String
                var bootId: Int64
                var frames: Int64
                var confirmedFrames: Int64
                var injected: Injected
            }

            var frames: Int64
            var confirmedFrames: Int64
            var injected: Counts
            var sensors: [Sensor]

            init(_ result: Program.Outcome) throws {
                #expect(result.status == 0, "\(result.errors.suffix(1000))")
                let decoder = JSONDecoder()
                decoder.keyDecodingStrategy = .convertFromSnakeCase
                self = try decoder.decode(Report.self, from: Data(result.output.utf8))
            }
        }

        @Test(arguments: ["mqtt", "amqp"])
        func theDatabaseSaysWhatWasInjected(_ transport: String) async throws {
            try await Services.with { services in
                let system = services.system
                let report = try Report(
                    await system.run(
                        "sensor-simulator",
                        [
                            "--kind", "vibration:1000x4", "--frame-milliseconds", "10", "--frames", "500",
                            "--transport", transport, "--serial-prefix", "spoilt", "--seed", "11",
                            "--fault", "drop:2%,duplicate:3%,reorder:4%,corrupt:1%,skew:90s",
                        ]))
                let injected = report.sensors.map(\.injected)
                #expect(report.frames == 2000)
                // Of every kind there is some; 2,000 frames, the rarest kind has 20 to expect.
                #expect(injected.contains { !$0.dropped.isEmpty } && injected.contains { !$0.corrupted.isEmpty })
                #expect(injected.contains { $0.duplicatedFrames > 0 } && injected.contains { $0.reorderedFrames > 0 })
                let dropped = injected.reduce(0) { $0 + Int64($1.dropped.count) }
                let corrupted = injected.reduce(0) { $0 + Int64($1.corrupted.count) }
                let duplicated = injected.reduce(0) { $0 + $1.duplicatedFrames }
                #expect(report.confirmedFrames == 2000 - dropped)
                #expect(
                    report.injected
                        == Report.Counts(
                            droppedFrames: dropped, corruptedFrames: corrupted, duplicatedFrames: duplicated,
                            reorderedFrames: injected.reduce(0) { $0 + $1.reorderedFrames }))

                try await eventually("all that can be stored is stored") {
                    try await system.number("SELECT coalesce(sum(frames), 0) FROM sensor_boot")
                        >= 2000 - dropped - corrupted
                }
                try await eventually("every frame that was sent twice has come twice") {
                    try await system.number("SELECT sum(duplicates) FROM sensor_boot") >= duplicated
                }
                try await eventually("all that can't be read is in quarantine") {
                    try await system.number("SELECT count(*) FROM quarantine") >= corrupted
                }
                for sensor in report.sensors { try await expect(sensor, in: system) }
                try await expectAudit(report, in: system)
                // Every frame was taken 90 s after it came.
                let clocks = try await system.store.fetchOne(
                    """
                    SELECT min(extract(epoch FROM "time" - received_at)) AS least,
                           max(extract(epoch FROM "time" - received_at)) AS most FROM measurement
                    """)
                let least = try clocks.double("least")
                let most = try clocks.double("most")
                #expect(least > 60 && most <= 90, "\(least) … \(most) s ahead")
            }
        }

        private func expect(_ sensor: Report.Sensor, in system: TestSystem) async throws {
            let lost = sensor.injected.dropped.union(sensor.injected.corrupted)
            let missing = try await system.store.fetch(
                """
                SELECT k FROM generate_series(0, \(sensor.frames)::bigint - 1) k
                 WHERE NOT EXISTS (SELECT FROM measurement m JOIN sensor USING (sensor_id)
                                    WHERE serial = \(sensor.serial) AND m.boot_id = \(sensor.bootId) AND m.sequence = k)
                """)
            #expect(try Set(missing.map { try $0.integer("k") }) == lost, "\(sensor.serial)")
            // The ledger knows all of them but those behind the last frame that came.
            let ledger = try await system.store.fetch(
                """
                SELECT b.next_sequence, b.duplicates, k FROM sensor_boot b
                  LEFT JOIN sequence_gap g USING (sensor_id, boot_id)
                  LEFT JOIN LATERAL generate_series(first_sequence, last_sequence) k ON true
                 WHERE sensor_id = (SELECT sensor_id FROM sensor WHERE serial = \(sensor.serial))
                   AND boot_id = \(sensor.bootId)
                """)
            let boot = try #require(ledger.first)
            let next = try boot.integer("next_sequence")
            #expect(
                try Set(ledger.compactMap { try $0.optionalInteger("k") }) == lost.filter { $0 < next },
                "\(sensor.serial)")
            #expect(try boot.integer("duplicates") == sensor.injected.duplicatedFrames, "\(sensor.serial)")
            let twice = try await system.number(
                """
                SELECT count(*) - count(DISTINCT (channel, sequence, "time", time_ns)) FROM measurement
                  JOIN sensor USING (sensor_id) WHERE serial = \(sensor.serial)
                """)
            #expect(twice == 0, "\(sensor.serial)")
            let unread = try await system.number(
                """
                SELECT count(*) FROM quarantine
                 WHERE routing_key = 'sensor_' || \(sensor.serial) || '.data' AND reason = 'undecodable'
                """)
            #expect(unread == Int64(sensor.injected.corrupted.count), "\(sensor.serial)")
            #expect(sensor.injected.skewNs == 90_000_000_000)
        }

        /// The audit finds exactly what was injected: how many frames of each sensor, and why.
        private func expectAudit(_ report: Report, in system: TestSystem) async throws {
            for sensor in report.sensors {
                let arguments = ["audit", sensor.serial, "-o", "json"]
                try await eventually("the good-bye of \(sensor.serial) is known") {
                    let result = try await system.run("iotctl", arguments)
                    return try AuditRecord(result).published == sensor.frames
                }
                let result = try await system.run("iotctl", arguments)
                let audit = try AuditRecord(result)
                let (dropped, corrupted) = (sensor.injected.dropped, sensor.injected.corrupted)
                #expect(result.status == (dropped.isEmpty && corrupted.isEmpty ? 0 : 1))
                #expect(audit.stored == sensor.frames - Int64(dropped.count + corrupted.count))
                #expect(audit.duplicates == sensor.injected.duplicatedFrames && audit.givenUp == 0)
                #expect(audit.missing == Int64(dropped.count + corrupted.count))
                #expect(audit.causes["late"] == Int64(dropped.count))
                #expect(audit.causes["quarantined"] == Int64(corrupted.count))
                let ranges = audit.sensors.flatMap(\.boots).flatMap(\.losses)
                #expect(Set(ranges.flatMap { $0.first...$0.last }) == dropped.union(corrupted))
            }
        }

        @Test func aBadSpecificationIsRefusedInOneLine() async throws {
            try await TestSystem.with { system in
                let result = try await system.run("sensor-simulator", ["--fault", "drop:1%,lose:2%"])
                #expect(result.status == 64 && result.output.isEmpty)
                let lines = result.errors.split(separator: "\n").filter { !$0.hasPrefix("{") }
                #expect(
                    lines == [
                        "sensor-simulator: --fault lose: not one of drop, duplicate, reorder, corrupt, skew; "
                            + "see sensor-simulator --help"
                    ])
            }
        }
    }
}
