import AMQP
import Broker
import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite struct Publishing {
        private let queue = Topology.Queue(name: "q", kind: .quorum)

        /// More than may be in flight at once.
        @Test func thousandsAreConfirmedAndStayInOrder() async throws {
            let count = 2 * BrokerConnection.inFlightMax + 1000
            try await TestSystem.with { system in
                try await system.withBroker { broker in
                    _ = try await broker.declare(queue)
                    try await broker.send(numbered(0..<count), to: "q")
                    let consumer = try await broker.consume(ConsumerOptions(queue: "q", prefetch: 2000))
                    let received = try await broker.receive(count, consumer, acknowledging: true)
                    #expect(received.numbers == Array(0..<count))
                    #expect(try await broker.publish([]) == [])
                }
            }
        }

        @Test func concurrentPublishesKeepTheirOwnOrderAndOutcomes() async throws {
            try await TestSystem.with { system in
                try await system.withBroker { broker in
                    _ = try await broker.declare(queue)
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        for publisher in 0..<8 {
                            group.addTask {
                                // Every tenth goes nowhere.
                                let outcomes = try await broker.publish(
                                    (0..<500).map { number in
                                        OutgoingMessage(
                                            exchange: "", key: number % 10 == publisher ? "nowhere" : "q",
                                            body: Array("\(publisher * 1000 + number)".utf8))
                                    })
                                #expect(
                                    outcomes
                                        == (0..<500).map { $0 % 10 == publisher ? .unroutable : .confirmed })
                            }
                        }
                        try await group.waitForAll()
                    }
                    let consumer = try await broker.consume(ConsumerOptions(queue: "q", prefetch: 2000))
                    let numbers = try await broker.receive(8 * 450, consumer, acknowledging: true).numbers
                    for publisher in 0..<8 {
                        #expect(
                            numbers.filter { $0 / 1000 == publisher }
                                == (0..<500).filter { $0 % 10 != publisher }.map { publisher * 1000 + $0 })
                    }
                }
            }
        }

        /// The alternate exchange takes what fits nowhere; without one the publisher is told.
        @Test func whatFitsNoQueueIsUnroutableUnlessThereIsAnAlternateExchange() async throws {
            try await TestSystem.with { system in
                try await system.withBroker { broker in
                    try await broker.declare(
                        Topology(
                            exchanges: [
                                .init(name: "spare", type: "fanout"), .init(name: "plain", type: "topic"),
                                .init(name: "backed", type: "topic", alternate: "spare"),
                            ],
                            queues: [queue, .init(name: "rest", kind: .quorum)],
                            bindings: [
                                .init(source: "plain", destination: .queue("q"), key: "*.data"),
                                .init(source: "backed", destination: .queue("q"), key: "*.data"),
                                .init(source: "spare", destination: .queue("rest"), key: ""),
                            ]))
                    func outcomes(_ exchange: String) async throws -> [PublishOutcome] {
                        try await broker.publish(
                            ["a.data", "a.b.data", "b.data", "dta"].map {
                                OutgoingMessage(exchange: exchange, key: $0, body: Array(exchange.utf8))
                            })
                    }
                    #expect(try await outcomes("plain") == [.confirmed, .unroutable, .confirmed, .unroutable])
                    #expect(try await outcomes("backed") == [.confirmed, .confirmed, .confirmed, .confirmed])
                    let rest = try await broker.consume(ConsumerOptions(queue: "rest", prefetch: 10))
                    let stray = try await broker.receive(2, rest)
                    #expect(stray.map(\.key) == ["a.b.data", "dta"])
                    #expect(stray.allSatisfy { $0.body == Array("backed".utf8) })
                }
            }
        }

        @Test func tooLargeMessagesAreRefusedHereAndTheConnectionLives() async throws {
            try await TestSystem.with { system in
                try await system.withBroker { broker in
                    _ = try await broker.declare(queue)
                    let largest = [UInt8](repeating: 7, count: OutgoingMessage.bodyBytesMax)
                    let outcomes = try await broker.publish([
                        OutgoingMessage(exchange: "", key: "q", body: largest),
                        OutgoingMessage(exchange: "", key: "q", body: largest + [7]),
                        OutgoingMessage(exchange: "", key: String(repeating: "k", count: 256), body: [1]),
                        OutgoingMessage(exchange: "", key: String(repeating: "k", count: 255), body: [1]),
                        OutgoingMessage(exchange: "", key: "q", body: []),
                    ])
                    #expect(outcomes == [.confirmed, .tooLarge, .tooLarge, .unroutable, .confirmed])
                    let consumer = try await broker.consume(ConsumerOptions(queue: "q", prefetch: 10))
                    #expect(try await broker.receive(2, consumer).map(\.body.count) == [largest.count, 0])
                    // The broker's own limit is the same: our 1 MiB is not above it.
                    #expect(OutgoingMessage.bodyBytesMax == 1_048_576)
                }
            }
        }

        @Test func aFullQueueRefuses() async throws {
            try await TestSystem.with { system in
                try await TestServers.management(
                    "PUT", "/api/policies/\(system.name)/full",
                    body: #"{"pattern": "^full$", "definition": {"max-length": 5, "overflow": "reject-publish"}}"#)
                try await system.withBroker { broker in
                    let full = Topology.Queue(name: "full", kind: .classic)
                    _ = try await broker.declare(full)
                    var outcomes: [PublishOutcome] = []
                    for body in numbered(0..<20) {
                        outcomes += try await broker.publish([OutgoingMessage(exchange: "", key: "full", body: body)])
                    }
                    let accepted = outcomes.count { $0 == .confirmed }
                    #expect(accepted >= 5 && outcomes.count { $0 == .refused } == 20 - accepted && accepted < 20)
                    #expect(try await broker.messageCount(of: full) == accepted)
                    #expect(outcomes.last == .refused)
                }
            }
        }

        @Test func anExpiredMessageIsGone() async throws {
            try await TestSystem.with { system in
                try await system.withBroker { broker in
                    _ = try await broker.declare(queue)
                    let outcomes = try await broker.publish([
                        OutgoingMessage(exchange: "", key: "q", body: [1], expirationMilliseconds: 1),
                        OutgoingMessage(exchange: "", key: "q", body: [2], expirationMilliseconds: -5),
                        OutgoingMessage(exchange: "", key: "q", body: [3], expirationMilliseconds: 600_000),
                    ])
                    #expect(outcomes == [.confirmed, .confirmed, .confirmed])
                    try await eventually("one message is left", within: .seconds(10)) {
                        try await broker.messageCount(of: queue) == 1
                    }
                    let consumer = try await broker.consume(ConsumerOptions(queue: "q", prefetch: 10))
                    #expect(try await broker.receive(1, consumer).map(\.body) == [[3]])
                }
            }
        }
    }
}
