import AMQP
import Broker
import Foundation
import Messaging
import Service
import TestSupport
import Testing

extension Integration {
    @Suite struct Streams {
        private let stream = Topology.Queue(name: "s", kind: .stream)

        private func read(
            _ broker: BrokerConnection, from offset: StreamOffset, count: Int, prefetch: UInt16 = 100
        ) async throws -> [Delivery] {
            let consumer = try await broker.consume(
                ConsumerOptions(queue: "s", prefetch: prefetch, offset: offset))
            let deliveries = try await broker.receive(count, consumer, acknowledging: true)
            try await broker.stopConsuming(consumer)
            return deliveries
        }

        @Test func everyMessageHasTheNextOffsetAndTheBrokersStamp() async throws {
            try await TestSystem.with { system in
                try await system.withBroker { broker in
                    _ = try await broker.declare(stream)
                    let before = Int64(Date().timeIntervalSince1970 * 1000)
                    try await broker.send(numbered(0..<3000), to: "s")
                    let after = Int64(Date().timeIntervalSince1970 * 1000)
                    let all = try await read(broker, from: .first, count: 3000)
                    #expect(all.numbers == Array(0..<3000))
                    #expect(all.map(\.streamOffset) == (0..<3000).map { Int64($0) })
                    let stamps = all.compactMap(\.receivedUnixMilliseconds)
                    #expect(stamps.count == 3000)
                    #expect(stamps.allSatisfy { (before...after).contains($0) })
                }
            }
        }

        /// decisions/0007, 8: each segment but the first begins with an offset that is no message.
        @Test func anOffsetIsMissingWhereASegmentBegins() async throws {
            try await TestSystem.with { system in
                try await TestServers.management(
                    "PUT", "/api/policies/\(system.name)/small",
                    body: """
                        {"pattern": "^s$", "apply-to": "streams", "priority": 99,
                         "definition": {"stream-max-segment-size-bytes": 100000}}
                        """)
                try await system.withBroker { broker in
                    _ = try await broker.declare(stream)
                    let body = [UInt8](repeating: 7, count: 2000)
                    for _ in 0..<40 { try await broker.send(Array(repeating: body, count: 10), to: "s") }
                    let offsets = try await read(broker, from: .first, count: 400, prefetch: 500).compactMap(
                        \.streamOffset)
                    let steps = zip(offsets, offsets.dropFirst()).map { $1 - $0 }
                    #expect(offsets.first == 0 && Set(steps) == [1, 2])
                    #expect((4...10).contains(steps.count { $0 == 2 }), "\(steps)")
                }
            }
        }

        @Test func readsFromFirstFromAnOffsetFromTheLastChunkAndFromNow() async throws {
            try await TestSystem.with { system in
                try await system.withBroker { broker in
                    _ = try await broker.declare(stream)
                    try await broker.send(numbered(0..<60), to: "s")
                    try await broker.send(numbered(60..<100), to: "s")
                    for offset in [0, 1, 59, 99] {
                        let found = try await read(broker, from: .offset(Int64(offset)), count: 100 - offset)
                        #expect(found.numbers == Array(offset..<100))
                        #expect(found.first?.streamOffset == Int64(offset))
                    }
                    // One round trip after the other: the second is a chunk of its own.
                    let newest = try await broker.consume(ConsumerOptions(queue: "s", prefetch: 200, offset: .last))
                    var tail: [Int] = []
                    while tail.last != 99 {
                        let batch = try await broker.nextBatch(newest, upTo: 100, timeout: .seconds(10))
                        tail += batch.numbers
                        try #require(!batch.isEmpty)
                    }
                    #expect(try tail == Array(#require(tail.first)...99))
                    #expect(tail.count <= 40)
                    try await broker.stopConsuming(newest)

                    let fresh = try await broker.consume(ConsumerOptions(queue: "s", prefetch: 200, offset: .next))
                    try await broker.send(numbered(100..<110), to: "s")
                    let new = try await broker.receive(10, fresh)
                    #expect(new.numbers == Array(100..<110))
                    #expect(new.first?.streamOffset == 100)
                }
            }
        }

        /// A stream has no dead letters: reject only makes room.
        @Test func rejectActsLikeAck() async throws {
            try await TestSystem.with { system in
                try await system.withBroker { broker in
                    _ = try await broker.declare(stream)
                    try await broker.send(numbered(0..<5), to: "s")
                    let consumer = try await broker.consume(
                        ConsumerOptions(queue: "s", prefetch: 1, offset: .first))
                    for number in 0..<5 {
                        let delivery = try #require(try await broker.receive(1, consumer).first)
                        #expect([delivery].numbers == [number])
                        try await broker.reject(consumer, delivery)
                    }
                    #expect(try await read(broker, from: .first, count: 5).numbers == Array(0..<5))
                }
            }
        }

        /// Ledger and alarm state don't rest on it, but batches are better for it.
        @Test func aSensorsFramesAllGoToOneStreamAndSensorsToAll() async throws {
            try await TestSystem.with { system in
                try await system.withBroker { broker in
                    let topology = Topology.sensorStreaming(partitions: 4)
                    try await broker.declare(topology)
                    let keys = (0..<400).map { "sensor_\($0).data" }
                    for _ in 1...3 {
                        let outcomes = try await broker.publish(
                            keys.map { OutgoingMessage(exchange: "sensor_streaming", key: $0, body: Array($0.utf8)) })
                        #expect(outcomes == Array(repeating: .confirmed, count: 400))
                        try await broker.declare(topology)
                    }
                    var streams: [String: [String]] = [:]
                    var used: [Int] = []
                    for (partition, found) in try await broker.readPartitions(4, count: 1200).enumerated() {
                        for delivery in found { streams[delivery.key, default: []].append("\(partition)") }
                        used.append(found.count)
                        #expect(found.map(\.streamOffset) == (0..<found.count).map { Int64($0) })
                    }
                    #expect(used.reduce(0, +) == 1200)
                    #expect(used.allSatisfy { $0 > 1200 / 8 }, "\(used)")
                    #expect(Set(streams.keys) == Set(keys))
                    #expect(streams.values.allSatisfy { $0.count == 3 && Set($0).count == 1 })
                }
            }
        }
    }
}
