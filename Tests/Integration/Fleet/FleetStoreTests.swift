import AMQP
import Broker
import Control
import Foundation
import Messaging
import Model
import Postgres
import Store
import TestSupport
import Testing
import Wire

extension Integration {
    /// What people change of many sensors at a time.
    @Suite struct Fleets {
        private func withSensors(_ count: Int, _ body: (TestSystem, [String]) async throws -> Void) async throws {
            try await TestSystem.with { system in
                try await Migrations.apply(to: system.store)
                try await system.store.run(
                    """
                    INSERT INTO sensor (serial, tags, reported) SELECT 's' || n, '{"hall": "3"}', '{"rate_hz": 1000}'
                    FROM generate_series(1, \(count)::int) n
                    """)
                try await body(system, try await system.store.serials(matching: .all))
            }
        }

        @Test func whatIsWantedChangesForAll() async throws {
            try await withSensors(3) { system, serials in
                let store = system.store
                try await store.run("UPDATE sensor SET desired = '{\"old\": true}' WHERE serial = 's2'")
                let twins = try await store.changeDesired(of: serials + ["nobody"]) { old in
                    old == "{}" ? "{\"rate_hz\": 500}" : "{\"old\": true, \"rate_hz\": 500}"
                }
                #expect(twins.map(\.desired.serial) == ["s1", "s2", "s3"])
                #expect(twins.map(\.desired.json)[1] == "{\"old\": true, \"rate_hz\": 500}")
                #expect(twins.allSatisfy { $0.desired.version == 1 && $0.reportedJSON == "{\"rate_hz\": 1000}" })
                #expect(twins.allSatisfy { $0.desired.changedAt != nil })
                #expect(try await store.twins(of: ["s3", "s1", "nobody"]) == [twins[0], twins[2]])
                // What the change throws changes nothing.
                struct No: Error {}
                await #expect(throws: No.self) { try await store.changeDesired(of: serials) { _ in throw No() } }
                #expect(try await system.number("SELECT max(desired_version) FROM sensor") == 1)
            }
        }

        @Test func tagsChangeForAll() async throws {
            try await withSensors(3) { system, serials in
                let store = system.store
                let change: @Sendable (String) -> String = { _ in "{\"hall\": \"4\"}" }
                try await store.run("UPDATE sensor SET tags = '{\"hall\": \"4\"}' WHERE serial = 's2'")
                let planned = try await store.changeTags(of: serials, dryRun: true, change)
                #expect(planned.map(\.isChanged) == [true, false, true])
                #expect(try await store.serials(matching: try SensorSelector("hall=4")) == ["s2"])
                #expect(try await store.changeTags(of: serials, change) == planned)
                #expect(try await store.serials(matching: try SensorSelector("hall=4")) == serials)
                #expect(try await store.changeTags(of: serials, change).allSatisfy { !$0.isChanged })
            }
        }

        @Test func machinesComeAndGo() async throws {
            try await withSensors(3) { system, _ in
                let store = system.store
                let isNew = try await store.addTarget("press", description: "left")
                #expect(isNew)
                #expect(try await store.addTarget("press", description: "right") == false)
                #expect(try await store.addTarget("lathe", description: ""))
                #expect(try await store.targetNames() == ["lathe", "press"])
                #expect(try await store.assign(["s1"], toTarget: "nothing") == nil)
                #expect(try await store.assign(["s1", "s2"], toTarget: "press", dryRun: true) == ["s1", "s2"])
                #expect(try await store.sensorCount(onTarget: "press") == 0)
                #expect(try await store.assign(["s1", "s2"], toTarget: "press") == ["s1", "s2"])
                #expect(try await store.assign(["s2", "s3"], toTarget: "press") == ["s3"])
                #expect(try await store.sensorCount(onTarget: "press") == 3)
                #expect(try await store.assign(["s3"], toTarget: nil) == ["s3"])
                #expect(try await store.assign(["s3"], toTarget: nil) == [])
                #expect(try await store.serials(matching: try SensorSelector("target=press")) == ["s1", "s2"])
                #expect(try await store.removeTarget("press") == 2)
                #expect(try await store.removeTarget("press") == nil)
                #expect(try await store.sensorCount(onTarget: "press") == nil)
                #expect(try await store.serials(matching: try SensorSelector("!target")) == ["s1", "s2", "s3"])
            }
        }

        /// Whoever holds a row that the change wants, and then wants one that the change holds: the change gives way, and
        /// is done all the same.
        @Test func aDeadlockIsTriedAgain() async throws {
            try await withSensors(2) { system, serials in
                let (other, third) = (try system.anotherStore(), try system.anotherStore("third"))
                let crossing = Task {
                    do {
                        try await other.transaction { session in
                            try session.run("UPDATE sensor SET tags = tags WHERE serial = 's2'")
                            var waiting: Int64?
                            while waiting == 0 || waiting == nil {
                                waiting = try session.fetchOne(
                                    "SELECT count(*) AS n, pg_sleep(0.02) FROM pg_locks WHERE NOT granted"
                                ).integer("n")
                            }
                            try session.run("UPDATE sensor SET tags = tags WHERE serial = 's1'")
                        }
                    } catch let error as StoreError where error.sqlState == "40P01" {
                        // PostgreSQL may choose this side to give way.
                    }
                }
                try await eventually("the other holds its row") {
                    try await third.fetch("SELECT 1 FROM sensor FOR UPDATE SKIP LOCKED").count == 1
                }
                _ = try await system.store.changeTags(of: serials) { _ in "{\"hall\": \"5\"}" }
                try await crossing.value
                #expect(try await system.store.serials(matching: try SensorSelector("hall=5")) == serials)
                await other.close()
                await third.close()
            }
        }

        // MARK: commands

        /// Answers what comes to `sensor_<serial>.commands.#` as a sensor would; s3 and s4 refuse.
        private func answering(_ system: TestSystem, _ body: (BrokerConnection) async throws -> Void) async throws {
            try await Migrations.apply(to: system.store)
            try await system.withBroker("sensors") { sensors in
                try await sensors.declare(.sensorStreaming(partitions: 1))
                let queue = try await sensors.declare(Topology.Queue(name: "", kind: .classic, exclusive: true))
                try await sensors.declare(
                    Topology(
                        exchanges: [], queues: [],
                        bindings: [
                            Topology.Binding(
                                source: Routing.exchange, destination: .queue(queue), key: "*.commands.#")
                        ]))
                let consumer = try await sensors.consume(ConsumerOptions(queue: queue, prefetch: 1000, noAck: true))
                let answers = Task {
                    while !Task.isCancelled {
                        for delivery in try await sensors.nextBatch(consumer, upTo: 100) {
                            let (serial, _) = try Routing.parse(key: delivery.key)
                            let command = unsafe try CommandCodec.decode(delivery.body.span.bytes)
                            let refuses = ["s3", "s4"].contains(serial.text)
                            let last = Ack(
                                id: command.id, outcome: refuses ? .rejected : .succeeded,
                                reason: refuses ? "worn out" : "", at: nil)
                            let acks = [Ack(id: command.id, outcome: .received, at: nil), last]
                            _ = try await sensors.publish(
                                acks.map {
                                    OutgoingMessage(
                                        exchange: Routing.exchange, key: Routing.key(serial, .acks),
                                        body: AckCodec.encode($0))
                                })
                        }
                    }
                }
                defer { answers.cancel() }
                try await system.withBroker("control", body)
            }
        }

        @Test func aFleetIsAskedAndAnswers() async throws {
            try await TestSystem.with { system in
                try await answering(system) { broker in
                    let sensors = (1...1500).compactMap { SerialNumber("s\($0)") }
                    var turns: [Int] = []
                    let report = try await Control.send(
                        CommandRequest(name: "sleep", issuer: "test"), to: sensors, over: broker,
                        recordedIn: system.store, rules: RolloutRules(timeout: .seconds(30))
                    ) { turns.append($0.ended) }
                    #expect(report.results.map(\.sensor) == sensors && report.halt == nil)
                    #expect(report.results.filter { $0.outcome == .succeeded }.count == 1498)
                    let refused = report.results.filter { $0.outcome == .rejected }
                    #expect(refused.map(\.sensor.text) == ["s3", "s4"] && refused[0].reason == "worn out")
                    #expect(Set(report.results.compactMap(\.id)).count == 1500)
                    #expect(turns.last == 1500 && turns == turns.sorted())
                    #expect(
                        try await system.number("SELECT count(*) FROM command WHERE name = 'sleep'") == 1500,
                        "no registry runs: who gave them recorded them")
                }
            }
        }

        /// What the database does not record is not published; what the broker does not take is not left open.
        @Test func noCommandIsSentWithoutItsRecord() async throws {
            try await TestSystem.with { system in
                try await answering(system) { broker in
                    let sensors = (10...12).compactMap { SerialNumber("s\($0)") }
                    func send() async throws -> RolloutReport {
                        try await Control.send(
                            CommandRequest(name: "sleep", issuer: "test"), to: sensors, over: broker,
                            recordedIn: system.store, rules: RolloutRules(waitFor: .none, timeout: .seconds(30)))
                    }
                    try await system.store.run("ALTER TABLE command RENAME TO elsewhere")
                    await #expect(throws: StoreError.self) { try await send() }
                    try await system.store.run("ALTER TABLE elsewhere RENAME TO command")
                    #expect(try await broker.messageCount(of: registryQueue) == 0)

                    // A queue that is full and refuses makes the broker refuse.
                    try await TestServers.management(
                        "PUT", "/api/policies/\(system.name)/full",
                        body: """
                            {"pattern": "^registry$", "priority": 9, "apply-to": "queues",
                             "definition": {"max-length": 1, "overflow": "reject-publish"}}
                            """)
                    try await eventually("the broker refuses") {
                        try await send().results.allSatisfy { $0.outcome == .failed }
                    }
                    // The report does not wait for the record.
                    try await eventually("the refused commands are cancelled") {
                        try await system.number(
                            """
                            SELECT count(*) FROM command
                             WHERE state = 'cancelled' AND reason LIKE 'not sent%' AND finished_at IS NOT NULL
                            """) >= 3
                    }
                }
            }
        }

        private let registryQueue = Topology.Queue(
            name: Routing.registryQueue, kind: .quorum, singleActiveConsumer: true)

        @Test func aFleetThatRefusesIsLeftAlone() async throws {
            try await TestSystem.with { system in
                try await answering(system) { broker in
                    let sensors =
                        ["s3", "s4"].compactMap { SerialNumber($0) } + (5...600).compactMap { SerialNumber("s\($0)") }
                    let report = try await Control.send(
                        CommandRequest(name: "sleep", issuer: "test"), to: sensors, over: broker,
                        recordedIn: system.store,
                        rules: RolloutRules(timeout: .seconds(30), perMinuteMax: 1200, abortion: .count(2)))
                    guard case .stopped = report.halt else { throw TestServers.Failure("not stopped: \(report)") }
                    #expect(report.sent < 600 && report.results.count == 598)
                    #expect(report.results.filter { $0.outcome == .skipped }.count == 598 - report.sent)
                    #expect(report.results.last?.outcome == .skipped)
                }
            }
        }

        @Test func whoeverCancelsLearnsHowFarItCame() async throws {
            try await TestSystem.with { system in
                try await answering(system) { broker in
                    let sensors = (10...60).compactMap { SerialNumber("s\($0)") }
                    let (progress, continuation) = AsyncStream<Int>.makeStream()
                    let task = Task {
                        try await Control.send(
                            CommandRequest(name: "sleep", issuer: "test"), to: sensors, over: broker,
                            recordedIn: system.store, rules: RolloutRules(timeout: .seconds(30), perMinuteMax: 60)
                        ) { continuation.yield($0.ended) }
                    }
                    for await ended in progress where ended >= 1 { break }
                    task.cancel()
                    let report = try await task.value
                    guard case .interrupted = report.halt else { throw TestServers.Failure("\(report)") }
                    #expect((1..<50).contains(report.sent) && report.results.count == 51)
                    #expect(report.results[0].outcome == .succeeded)
                    #expect(report.results[50].outcome == .skipped)
                }
            }
        }
    }
}
