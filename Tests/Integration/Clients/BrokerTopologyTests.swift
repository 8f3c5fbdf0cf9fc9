import AMQP
import Broker
import Foundation
import Messaging
import Service
import TestSupport
import Testing

extension Integration {
    @Suite struct TheTopology {
        private struct Binding: Decodable, Hashable {
            var source: String
            var destination: String
            var key: String

            enum CodingKeys: String, CodingKey {
                case source
                case destination
                case key = "routing_key"
            }
        }

        private func get<Answer: Decodable>(_ path: String) async throws -> Answer {
            try JSONDecoder().decode(Answer.self, from: try await TestServers.management("GET", path))
        }

        @Test func isTheSameWhenDeclaredAgain() async throws {
            try await TestSystem.with { system in
                try await system.withBroker { broker in
                    try await broker.declare(.sensorStreaming(partitions: 4))
                    let once: [Binding] = try await get("/api/bindings/\(system.name)")
                    try await system.withBroker("again") { try await $0.declare(.sensorStreaming(partitions: 4)) }
                    try await broker.declare(.sensorStreaming(partitions: 4))
                    let twice: [Binding] = try await get("/api/bindings/\(system.name)")
                    #expect(Set(twice) == Set(once) && twice.count == once.count)
                }
            }
        }

        /// What a queue's policy says in the end, asked of the broker itself: the management API is seconds behind.
        private struct Rules: Equatable {
            var policy: String
            var deliveryLimit: Int?
            var deadLetterExchange: String?
            var overflow: String?
            var lengthMax: Int?
            var segmentBytes: Int?
        }

        private func rules(_ system: TestSystem) async throws -> [String: Rules] {
            let instance = try #require(TestServers.instance)
            let result = try await Program.run(
                TestServers.root.appending(path: "scripts/servers").path,
                [
                    "rabbitmqctl", instance, "list_queues", "-q", "-p", system.name, "--formatter", "json",
                    "name", "policy", "effective_policy_definition",
                ])
            let rows = try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [[String: Any]]
            var rules: [String: Rules] = [:]
            for row in rows ?? [] {
                // RabbitMQ 4.0 gives a list of pairs, 4.3 an object.
                let definition = row["effective_policy_definition"]
                let pairs = (definition as? [[Any]] ?? []).map { ($0[0] as? String ?? "", $0[1]) }
                let limits = definition as? [String: Any] ?? Dictionary(uniqueKeysWithValues: pairs)
                rules[row["name"] as? String ?? ""] = Rules(
                    policy: row["policy"] as? String ?? "", deliveryLimit: limits["delivery-limit"] as? Int,
                    deadLetterExchange: limits["dead-letter-exchange"] as? String,
                    overflow: limits["overflow"] as? String, lengthMax: limits["max-length"] as? Int,
                    segmentBytes: limits["stream-max-segment-size-bytes"] as? Int)
            }
            return rules
        }

        /// The default limit of 20 deliveries would dead-letter the innocent.
        @Test func everyQueueIsUnderItsPolicy() async throws {
            try await TestSystem.with { system in
                try await system.withBroker { broker in
                    try await broker.declare(.sensorStreaming(partitions: 2))
                    _ = try await broker.declare(Topology.Queue(name: "sensor_a", kind: .classic))
                    _ = try await broker.declare(Topology.Queue(name: "gateway_a", kind: .classic))
                    let dead = "sensor_streaming.dead"
                    let stream = Rules(policy: "measurements", segmentBytes: 64 << 20)
                    let ours = Rules(
                        policy: "registry-logs", deliveryLimit: 1000, deadLetterExchange: dead, overflow: "drop-head")
                    let last = Rules(
                        policy: "unrouted-dead-letters", deliveryLimit: -1, overflow: "drop-head", lengthMax: 100_000)
                    let expected = [
                        "measurements.0": stream, "measurements.1": stream, "registry": ours, "logs": ours,
                        "alarms": Rules(
                            policy: "alarms", deliveryLimit: 1000, deadLetterExchange: dead,
                            overflow: "reject-publish"),
                        "alarms.stream": Rules(policy: "alarm-stream", segmentBytes: 16 << 20),
                        "unrouted": last, "dead_letters": last,
                        "sensor_a": Rules(policy: "commands", lengthMax: 100),
                        "gateway_a": Rules(policy: "gateways", lengthMax: 100_000),
                    ]
                    let found = try await rules(system)
                    for (queue, rules) in expected { #expect(found[queue] == rules, "\(queue)") }
                    #expect(found.count == expected.count)
                }
            }
        }

        /// Every kind of message, and what is none of them, to the queue that docs/contract.md names.
        @Test func everyKeyReachesItsQueue() async throws {
            let routes = [
                ("sensor_a.data", "measurements.0"), ("sensor_a.registry", "registry"), ("sensor_a.acks", "registry"),
                ("sensor_a.commands.sleep", "registry"), ("sensor_a.logs", "logs"),
                ("sensor_a.alarms.trigger", "alarms"), ("sensor_a.alarms.clear", "alarms"),
                ("sensor_a.dta", "unrouted"), ("sensor_a.b.data", "unrouted"), ("", "unrouted"),
            ]
            try await TestSystem.with { system in
                try await system.withBroker { broker in
                    try await broker.declare(.sensorStreaming(partitions: 1))
                    let outcomes = try await broker.publish(
                        routes.map { OutgoingMessage(exchange: "sensor_streaming", key: $0.0, body: [1]) })
                    #expect(outcomes == Array(repeating: .confirmed, count: routes.count))
                    for queue in ["measurements.0", "registry", "logs", "alarms", "unrouted"] {
                        let keys = routes.filter { $0.1 == queue }.map(\.0)
                        let consumer = try await broker.consume(
                            ConsumerOptions(
                                queue: queue, prefetch: 10, offset: queue == "measurements.0" ? .first : nil))
                        #expect(try await broker.receive(keys.count, consumer).map(\.key) == keys, "\(queue)")
                        #expect(
                            try await broker.nextBatch(consumer, upTo: 9, timeout: .milliseconds(50)).isEmpty,
                            "\(queue)")
                    }
                }
            }
        }

        @Test func whatContradictsItIsRejectedAndTheConnectionLives() async throws {
            try await TestSystem.with { system in
                try await system.withBroker { broker in
                    try await broker.declare(.sensorStreaming(partitions: 1))
                    func code(_ body: () async throws -> Void) async throws -> Int {
                        let error = try await #require(throws: BrokerError.self) { try await body() }
                        guard case .rejected(_, let code, _) = error else { throw error }
                        return code
                    }
                    let logs = try await broker.consume(ConsumerOptions(queue: "logs", prefetch: 10))
                    #expect(
                        try await code {
                            _ = try await broker.declare(Topology.Queue(name: "logs", kind: .classic))
                        } == 406)
                    #expect(
                        try await code {
                            _ = try await broker.declare(
                                Topology.Queue(name: "registry", kind: .quorum, singleActiveConsumer: false))
                        } == 406)
                    #expect(
                        try await code {
                            try await broker.declare(
                                Topology(
                                    exchanges: [.init(name: "sensor_streaming", type: "fanout")], queues: [],
                                    bindings: []))
                        } == 406)
                    #expect(
                        try await code {
                            _ = try await broker.consume(ConsumerOptions(queue: "no such queue", prefetch: 1))
                        } == 404)
                    #expect(
                        try await broker.messageCount(of: Topology.Queue(name: "no such queue", kind: .quorum)) == nil)
                    // The consumer and the publisher of the same connection noticed nothing.
                    try await broker.send(numbered(0..<1), to: "logs")
                    #expect(try await broker.receive(1, logs).numbers == [0])
                }
            }
        }
    }
}
