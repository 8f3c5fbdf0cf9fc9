import AMQP
import Broker
import Foundation
import Messaging
import Service
import TestSupport
import Testing

extension Integration {
    @Suite struct Consuming {
        private let queue = Topology.Queue(name: "q", kind: .quorum)

        /// What can't be decoded is rejected, and the broker keeps it apart with the reason.
        @Test func acknowledgedIsGoneAndRejectedIsDeadLettered() async throws {
            try await TestSystem.with { system in
                try await system.withBroker { broker in
                    try await broker.declare(.sensorStreaming(partitions: 1))
                    try await broker.send(numbered(0..<6), to: "logs")
                    let consumer = try await broker.consume(ConsumerOptions(queue: "logs", prefetch: 100))
                    let deliveries = try await broker.receive(6, consumer)
                    #expect(deliveries.allSatisfy { $0.deathReason == nil && $0.streamOffset == nil })
                    try await broker.reject(consumer, deliveries[1])
                    try await broker.reject(consumer, deliveries[3])
                    try await broker.acknowledge(consumer, upTo: deliveries[4])
                    let dead = try await broker.consume(ConsumerOptions(queue: "dead_letters", prefetch: 10))
                    let letters = try await broker.receive(2, dead, acknowledging: true)
                    #expect(letters.numbers == [1, 3])
                    #expect(letters.map(\.key) == ["logs", "logs"])
                    #expect(letters.map(\.deathReason) == ["rejected from logs", "rejected from logs"])
                    // The last one was not acknowledged: it goes back to its queue, and only that one.
                    try await broker.stopConsuming(consumer)
                    let again = try await broker.consume(ConsumerOptions(queue: "logs", prefetch: 100))
                    #expect(try await broker.receive(1, again).numbers == [5])
                    #expect(try await broker.nextBatch(again, upTo: 9, timeout: .milliseconds(100)).isEmpty)
                }
            }
        }

        @Test(arguments: [Topology.Queue.Kind.quorum, .classic, .stream])
        func theBrokerNeverSendsMoreThanThePrefetch(_ kind: Topology.Queue.Kind) async throws {
            try await TestSystem.with { system in
                try await system.withBroker { broker in
                    _ = try await broker.declare(Topology.Queue(name: "p", kind: kind))
                    try await broker.send(numbered(0..<50), to: "p")
                    let consumer = try await broker.consume(
                        ConsumerOptions(queue: "p", prefetch: 10, offset: kind == .stream ? .first : nil))
                    let first = try await broker.receive(10, consumer)
                    #expect(try await broker.nextBatch(consumer, upTo: 50, timeout: .milliseconds(100)).isEmpty)
                    try await broker.acknowledge(consumer, upTo: first[3])
                    let more = try await broker.receive(4, consumer)
                    #expect((first + more).numbers == Array(0..<14))
                    #expect(try await broker.nextBatch(consumer, upTo: 50, timeout: .milliseconds(100)).isEmpty)
                }
            }
        }

        /// Messages are counted by the prefetch, bytes only by this client.
        @Test func aSlowReaderHoldsNoMoreThanItsByteBudget() async throws {
            let size = 256 << 10
            try await TestSystem.with { system in
                try await system.withBroker { broker in
                    _ = try await broker.declare(queue)
                    try await broker.send(
                        (0..<80).map { [UInt8($0)] + [UInt8](repeating: 0, count: size - 1) }, to: "q")
                    let budget = 4 * size
                    let consumer = try await broker.consume(
                        ConsumerOptions(queue: "q", prefetch: 1000, inboxBytesMax: budget))
                    var numbers: [UInt8] = []
                    var largest = 0
                    while numbers.count < 80 {
                        // Long enough for all to come, were they read.
                        let batch = try await broker.nextBatch(
                            consumer, upTo: 1000, linger: .milliseconds(20), timeout: .seconds(10))
                        let last = try #require(batch.last)
                        largest = max(largest, batch.reduce(0) { $0 + $1.body.count })
                        numbers += batch.compactMap(\.body.first)
                        try await broker.acknowledge(consumer, upTo: last)
                    }
                    #expect(largest <= budget + size, "the message that crosses the border is the last one")
                    #expect(largest >= budget)
                    #expect(numbers == Array(0..<80))
                    try await eventually("all are acknowledged") { try await broker.messageCount(of: queue) == 0 }
                }
            }
        }

        @Test func nextBatchWaitsForTheFirstMessageAndThenForCompany() async throws {
            try await TestSystem.with { system in
                try await system.withBroker { broker in
                    _ = try await broker.declare(queue)
                    let consumer = try await broker.consume(ConsumerOptions(queue: "q", prefetch: 100))
                    let began = ContinuousClock.now
                    #expect(try await broker.nextBatch(consumer, upTo: 9, timeout: .milliseconds(150)).isEmpty)
                    #expect((.milliseconds(150) ..< .seconds(5)).contains(began.duration(to: .now)))

                    async let batch = broker.nextBatch(
                        consumer, upTo: 9, linger: .milliseconds(700), timeout: .seconds(20))
                    // Two round trips, the second one within the linger of the first.
                    try await broker.send(numbered(0..<1), to: "q")
                    try await broker.send(numbered(1..<2), to: "q")
                    #expect(try await batch.numbers == [0, 1])

                    try await broker.send(numbered(2..<7), to: "q")
                    #expect(try await broker.receive(1, consumer).numbers == [2])
                    #expect(try await broker.nextBatch(consumer, upTo: 2, timeout: .seconds(5)).numbers.first == 3)
                }
            }
        }

        @Test func aCancelledTaskGetsNothingAndTakesNothing() async throws {
            try await TestSystem.with { system in
                try await system.withBroker { broker in
                    _ = try await broker.declare(queue)
                    let consumer = try await broker.consume(ConsumerOptions(queue: "q", prefetch: 100))
                    for _ in 1...20 {
                        let waiting = Task { try await broker.nextBatch(consumer, upTo: 9) }
                        waiting.cancel()
                        #expect(try await waiting.value.isEmpty)
                    }
                    // One that waits for sure: nothing else wakes it within its minute.
                    let waiting = Task { try await broker.nextBatch(consumer, upTo: 9, timeout: .seconds(60)) }
                    for _ in 1...5 { _ = try await broker.messageCount(of: queue) }
                    let began = ContinuousClock.now
                    waiting.cancel()
                    #expect(try await waiting.value.isEmpty)
                    #expect(began.duration(to: .now) < .seconds(2))
                    try await broker.send(numbered(0..<1), to: "q")
                    #expect(try await broker.receive(1, consumer).numbers == [0])
                }
            }
        }

        @Test(arguments: [Topology.Queue.Kind.quorum, .classic, .stream])
        func aDeletedQueueCancelsItsConsumerAndNothingElse(_ kind: Topology.Queue.Kind) async throws {
            try await TestSystem.with { system in
                try await system.withBroker { broker in
                    let doomed = Topology.Queue(name: "doomed", kind: kind)
                    _ = try await broker.declare(doomed)
                    _ = try await broker.declare(queue)
                    let consumer = try await broker.consume(
                        ConsumerOptions(queue: "doomed", prefetch: 10, offset: kind == .stream ? .first : nil))
                    let other = try await broker.consume(ConsumerOptions(queue: "q", prefetch: 10))
                    try await broker.send(numbered(0..<2), to: "doomed")
                    #expect(try await broker.receive(2, consumer).numbers == [0, 1])
                    try await TestServers.management("DELETE", "/api/queues/\(system.name)/doomed")
                    await #expect(throws: BrokerError.cancelled(queue: "doomed")) {
                        try await broker.nextBatch(consumer, upTo: 10, timeout: .seconds(20))
                    }
                    #expect(try await broker.messageCount(of: doomed) == nil)
                    try await broker.send(numbered(7..<8), to: "q")
                    #expect(try await broker.receive(1, other).numbers == [7])
                }
            }
        }

        @Test func whatCameBeforeTheEndIsGivenFirst() async throws {
            try await TestSystem.with { system in
                try await system.withBroker { broker in
                    _ = try await broker.declare(queue)
                    try await broker.send(numbered(0..<3), to: "q")
                    let consumer = try await broker.consume(ConsumerOptions(queue: "q", prefetch: 10))
                    #expect(try await broker.nextBatch(consumer, upTo: 1, timeout: .seconds(5)).numbers == [0])
                    await broker.close()
                    var rest: [Int] = []
                    await #expect(throws: BrokerError.lost("closed by this program")) {
                        while true { rest += try await broker.nextBatch(consumer, upTo: 1).numbers }
                    }
                    #expect(rest == Array([1, 2].prefix(rest.count)))
                    await #expect(throws: BrokerError.lost("closed by this program")) {
                        try await broker.publish([OutgoingMessage(exchange: "", key: "q", body: [])])
                    }
                }
            }
        }

        /// `iotctl tail`: a queue without a name, ours alone, gone with us.
        @Test func anExclusiveQueueIsOursAlone() async throws {
            try await TestSystem.with { system in
                try await system.withBroker("other") { other in
                    try await system.withBroker { broker in
                        try await broker.declare(.sensorStreaming(partitions: 1))
                        let name = try await broker.declare(Topology.Queue(name: "", kind: .classic, exclusive: true))
                        #expect(name.hasPrefix("amq.gen-"))
                        try await broker.declare(
                            Topology(
                                exchanges: [], queues: [],
                                bindings: [.init(source: "sensor_streaming", destination: .queue(name), key: "#")]))
                        let consumer = try await broker.consume(
                            ConsumerOptions(queue: name, prefetch: 10, noAck: true))
                        let outcomes = try await broker.publish([
                            OutgoingMessage(exchange: "sensor_streaming", key: "sensor_a.data", body: [5])
                        ])
                        #expect(outcomes == [.confirmed])
                        #expect(try await broker.receive(1, consumer).map(\.key) == ["sensor_a.data"])
                        let error = try await #require(throws: BrokerError.self) {
                            try await other.consume(ConsumerOptions(queue: name, prefetch: 1))
                        }
                        guard case .rejected(_, 405, _) = error else {
                            Issue.record("\(error)")
                            return
                        }
                        await broker.close()
                        try await eventually("the queue is gone with its connection") {
                            try await other.messageCount(of: Topology.Queue(name: name, kind: .classic)) == nil
                        }
                    }
                }
            }
        }

        @Test func aSingleActiveConsumerHandsOver() async throws {
            try await TestSystem.with { system in
                try await system.withBroker("publisher") { publisher in
                    try await publisher.declare(.sensorStreaming(partitions: 1))
                    try await system.withBroker("second") { second in
                        var reserve: BrokerConnection.Consumer?
                        try await system.withBroker("first") { first in
                            let active = try await first.consume(ConsumerOptions(queue: "registry", prefetch: 10))
                            reserve = try await second.consume(ConsumerOptions(queue: "registry", prefetch: 10))
                            try await publisher.send(numbered(0..<5), to: "registry")
                            let received = try await first.receive(5, active)
                            #expect(received.numbers == Array(0..<5))
                            let idle = try await second.nextBatch(
                                try #require(reserve), upTo: 9, timeout: .milliseconds(200))
                            #expect(idle.isEmpty)
                            try await first.acknowledge(active, upTo: received[2])
                        }
                        // What the first one had not acknowledged comes to the second, before anything new.
                        try await publisher.send(numbered(5..<6), to: "registry")
                        #expect(try await second.receive(3, try #require(reserve)).numbers == [3, 4, 5])
                    }
                }
            }
        }
    }
}
