import Foundation
import Model
import Postgres
import Rules
import Store
import TestSupport
import Testing

extension EndToEnd {
    /// Rules judge every message once, whatever dies: exactly as many alarms as crossings, each with one id.
    @Suite struct Evaluation {
        /// What the outside client heard.
        private struct Heard: Decodable {
            struct Edge: Decodable {
                var id: String
                var sequence: Int64
                var epoch: Int64
                var late: Bool
                var delay: Double?
            }

            var trigger: [Edge]
            var clear: [Edge]

            /// The ids of the triggers, each once.
            var ids: Set<String> { Set(trigger.map(\.id)) }
            /// The longest time from a frame's publish to its alarm, in seconds.
            var slowest: Double { (trigger + clear).compactMap(\.delay).max() ?? .infinity }
        }

        private static let script = TestServers.root.appending(path: "Tests/EndToEnd/Outside/publish.py").path

        /// Publishes a square wave of a sensor's channel 0.
        private func start(
            _ system: TestSystem, first: Int = 0, crossings: Int, every milliseconds: Int, listen seconds: Int = 0,
            sensor: String = "square"
        ) throws -> Program {
            try Program(
                "/usr/bin/python3",
                [Self.script, "crossings", sensor, "1"] + [first, crossings, milliseconds, seconds].map { "\($0)" },
                environment: ProcessInfo.processInfo.environment.merging(system.environment) { $1 },
                log: system.folder.appending(path: "crossings-\(first)"))
        }

        private func heard(_ program: Program) async throws -> Heard {
            let result = try await program.end()
            guard result.status == 0 else { throw TestServers.Failure("\(result.errors)") }
            return try JSONDecoder().decode(Heard.self, from: Data(result.output.utf8))
        }

        /// Makes the sensor, stores the rule, and waits until it is in force in all partitions.
        private func rule(_ services: Services, _ condition: Condition, sensor: String = "square") async throws {
            let system = services.system
            try await system.store.run(
                """
                WITH s AS (INSERT INTO sensor (serial) VALUES (\(sensor)) RETURNING sensor_id)
                INSERT INTO channel (sensor_id, channel, name) SELECT sensor_id, 0, 'x' FROM s
                """)
            _ = try await system.store.apply(
                rules: [Rule(name: "high", selector: RuleSelector(channels: ["x"]), condition: condition)],
                issuer: "test")
            try await eventually("the rule is in force") {
                let newest = try await system.store.fetchOne(
                    """
                    SELECT coalesce(max(revision), 0) AS n FROM rule_revision
                     WHERE body LIKE '%"high"%' AND body LIKE '%square%'
                    """
                ).integer("n")
                var judging = 0
                for (name, program) in services.programs where name.hasPrefix("i") {
                    judging += try await program.series("iot_ingest_rule_revision").values
                        .count { newest > 0 && Int64($0) == newest }
                }
                return judging == 4
            }
        }

        private let above5 = Condition.threshold(Condition.Threshold(above: 5))

        /// The alarms of the table: how many were raised, and how many have ended.
        private func recorded(_ system: TestSystem) async throws -> [Int64] {
            let row = try await system.store.fetchOne(
                "SELECT count(raised_at) AS raised, count(cleared_at) AS cleared FROM alarm WHERE rule = 'high'")
            return [try row.integer("raised"), try row.integer("cleared")]
        }

        private func expectRecorded(_ system: TestSystem, _ count: Int64) async throws {
            try await eventually("\(count) alarms are recorded", within: .seconds(60)) {
                try await recorded(system) == [count, count]
            }
            #expect(try await system.number("SELECT count(DISTINCT stream_offset) FROM alarm") == count)
        }

        /// No alarm waits for the database, and what happened while it was away is in the table once.
        @Test func theDatabaseIsAwayDuringTenCrossings() async throws {
            try await Services.with(replicas: 1) { services in
                let system = services.system
                try await rule(services, above5)
                let before = try await heard(try start(system, crossings: 3, every: 100))
                #expect(before.ids.count == 3 && before.slowest < 1)
                try await TestServers.control("stop", "database", "--kill")
                let away: Heard
                do {
                    away = try await heard(try start(system, first: 6, crossings: 10, every: 600, listen: 1))
                    try await TestServers.control("start", "database")
                } catch {
                    try await TestServers.control("start", "database")
                    throw error
                }
                #expect(away.trigger.count == 10 && away.clear.count == 10 && away.ids.count == 10)
                #expect(away.slowest < 1, "\(away.slowest) s")
                #expect(away.trigger.allSatisfy { !$0.late })
                #expect(try await services["i1"].metric("iot_ingest_read_ahead_messages_total") >= 10)
                try await expectRecorded(system, 13)
                try await eventually("the backlog is stored") {
                    try await system.number("SELECT coalesce(sum(frames), 0) FROM sensor_boot") == 26
                }
                // The worker takes over again.
                let after = try await heard(try start(system, first: 26, crossings: 3, every: 100))
                #expect(after.ids.count == 3 && after.slowest < 1)
                try await expectRecorded(system, 16)
            }
        }

        /// The owner dies while a condition has held for a while: it has not to begin again.
        @Test func theOwnerDiesInMidCondition() async throws {
            try await Services.with(replicas: 2) { services in
                let system = services.system
                try await rule(services, .sustained(above5, for: .seconds(10)))
                // 15 s above.
                let publisher = try Program(
                    "/usr/bin/python3", [Self.script, "steady", "square", "1", "150", "100"],
                    environment: ProcessInfo.processInfo.environment.merging(system.environment) { $1 },
                    log: system.folder.appending(path: "steady"))
                try await eventually("it is stored") {
                    try await system.number("SELECT coalesce(sum(frames), 0) FROM sensor_boot") >= 30
                }
                let owner = try await system.store.fetchOne(
                    "SELECT owner FROM ingest_partition WHERE stream = (SELECT stream FROM sensor_boot)"
                ).text("owner")
                try services[owner].signal(SIGKILL)
                let result = try await publisher.end()
                let start = try #require(
                    try JSONDecoder().decode([String: Int64].self, from: Data(result.output.utf8))["start"])
                try await eventually("the alarm is recorded") {
                    try await system.number("SELECT count(*) FROM alarm WHERE raised_at IS NOT NULL") == 1
                }
                let raised = try await system.number("SELECT (extract(epoch FROM raised_at) * 1e6)::bigint FROM alarm")
                let held = Double(raised - start / 1000) / 1e6
                #expect((9.9...10.2).contains(held), "raised after \(held) s of signal")
                #expect(try await system.number("SELECT count(*) FROM alarm") == 1)
            }
        }

        /// The owner dies when alarms are published and the state is not saved: the next one publishes them again, by the
        /// same ids.
        @Test func theOwnerDiesBetweenPublishAndSave() async throws {
            try await Services.with(replicas: 2) { services in
                let system = services.system
                try await rule(services, above5)
                let publisher = try start(system, crossings: 40, every: 100, listen: 10)
                try await eventually("alarms are recorded") { try await recorded(system)[0] >= 4 }
                let owner = try await system.store.fetchOne(
                    """
                    SELECT owner FROM ingest_partition WHERE stream = (SELECT stream FROM sensor_boot)
                    """
                ).text("owner")
                try services[owner].signal(SIGKILL)
                let heard = try await heard(publisher)
                #expect(heard.ids.count == 40 && Set(heard.clear.map(\.id)) == heard.ids)
                #expect(Set(heard.trigger.map(\.epoch)).count >= 2, "two owners at least")
                try await expectRecorded(system, 40)
            }
        }

        /// Two evaluators of one partition: the overtaken one, which was suspended, says nothing that the other does not say.
        @Test func anOvertakenOwnerComesToTheSameAlarms() async throws {
            try await Services.with(replicas: 2) { services in
                let system = services.system
                try await rule(services, above5)
                let publisher = try start(system, crossings: 80, every: 100, listen: 10)
                try await eventually("alarms are recorded") { try await recorded(system)[0] >= 4 }
                let stream = try await system.store.fetchOne("SELECT stream FROM sensor_boot").text("stream")
                let owner: SQL = "SELECT owner FROM ingest_partition WHERE stream = \(stream)"
                let first = try await system.store.fetchOne(owner).text("owner")
                try services[first].signal(SIGSTOP)
                try await eventually("another one owns it", within: .seconds(30)) {
                    try await system.store.fetchOne(owner).text("owner") != first
                }
                try services[first].signal(SIGCONT)
                let heard = try await heard(publisher)
                #expect(heard.ids.count == 80 && Set(heard.clear.map(\.id)) == heard.ids)
                try await expectRecorded(system, 80)
            }
        }

        @Test func theBrokerIsRestartedBetweenCrossings() async throws {
            try await Services.with(replicas: 1) { services in
                let system = services.system
                try await rule(services, above5)
                // An alarm is on over the restart.
                let before = try await heard(try start(system, crossings: 5, every: 50))
                #expect(before.ids.count == 5)
                try await TestServers.control("restart", "broker", "--kill")
                let after = try await heard(try start(system, first: 10, crossings: 5, every: 50, listen: 5))
                #expect(after.ids.count == 5 && after.ids.isDisjoint(with: before.ids))
                try await expectRecorded(system, 10)
            }
        }

        /// A stream that was recreated begins at offset 0 again: an alarm that is on ends by its id, and the next ones have
        /// others.
        @Test func theStreamIsRecreatedWhileAnAlarmIsOn() async throws {
            try await Services.with(replicas: 1) { services in
                let system = services.system
                try await rule(services, above5)
                let frames = { (first: Int, values: String) in
                    let sent = try await system.run(
                        "/usr/bin/python3", [Self.script, "values", "square", "1", "\(first)", values])
                    #expect(sent.status == 0, "\(sent.errors)")
                }
                try await frames(0, "0,10")
                try await eventually("the alarm is on") { try await recorded(system) == [1, 0] }
                let stream = try await system.store.fetchOne("SELECT stream FROM sensor_boot").text("stream")
                try await TestServers.management("DELETE", "/api/queues/\(system.name)/\(stream)")
                try await eventually("the stream is another one", within: .seconds(60)) {
                    try await system.number("SELECT incarnation FROM ingest_partition WHERE stream = \(stream)") == 2
                }
                try await frames(2, "10,0,10,0")
                try await eventually("both alarms are over") { try await recorded(system) == [2, 2] }
                let ids = try await system.store.fetch("SELECT alarm_id FROM alarm ORDER BY raised_at").map {
                    try $0.text("alarm_id")
                }
                #expect(ids.count == 2 && ids[0].contains("/high/1/") && ids[1].contains("/high/2/"), "\(ids)")
            }
        }

        /// Ticks cost a message a second and hardly a transaction, are in no table, and count as no frames.
        @Test func ticksAreStoredNowhere() async throws {
            try await Services.with(replicas: 1) { services in
                let system = services.system
                try await rule(services, .noData(Condition.NoData(after: .seconds(3))))
                let ingester = try services["i1"]
                #expect(
                    try await system.run("/usr/bin/python3", [Self.script, "values", "square", "1", "0", "1,2,3"])
                        .status == 0)
                try await eventually("silence is an alarm") { try await recorded(system) == [1, 0] }
                let delay = try await system.store.fetchOne(
                    """
                    SELECT extract(epoch FROM a.raised_at - m.received_at)::float8 AS s
                      FROM alarm a, measurement m ORDER BY m.sequence DESC LIMIT 1
                    """
                ).double("s")
                #expect((3...5.2).contains(delay), "\(delay) s")
                let batches = try await ingester.metric("iot_ingest_batches_total")
                let ticks = try await ingester.metric("iot_ingest_ticks_total")
                try await eventually("20 more ticks of four streams", within: .seconds(60)) {
                    try await ingester.metric("iot_ingest_ticks_total") >= ticks + 80
                }
                #expect(try await ingester.metric("iot_ingest_batches_total") <= batches + 16)
                #expect(try await ingester.metric("iot_ingest_frames_total") == 3)
                #expect(try await system.number("SELECT count(*) FROM measurement") == 3)
                #expect(try await system.number("SELECT count(*) FROM quarantine") == 0)
                #expect(try await system.number("SELECT count(*) FROM sensor") == 1)
                #expect(try await system.number("SELECT count(*) FROM sequence_gap") == 0)
                let replay = try await system.run(
                    "iotctl", ["replay", "--from", "1h", "--into", "again", "-o", "json"])
                #expect(replay.output.contains(#""unreadable": 0"#), "\(replay)")
                #expect(replay.output.contains(#""frames": 3"#), "\(replay)")
                #expect(
                    try await system.run("/usr/bin/python3", [Self.script, "values", "square", "1", "3", "1"]).status
                        == 0)
                try await eventually("it sends again") { try await recorded(system) == [1, 1] }
            }
        }
    }
}
