import AMQP
import Broker
import Endpoint
import Foundation
import MQTT
import Messaging
import Service
import TestSupport
import Testing

extension Integration {
    /// The MQTT client on RabbitMQ: what Tests/DeviceTests can't show with a scripted broker.
    @Suite struct Devices {
        private func withFleet(
            _ system: TestSystem, user: String? = nil, _ body: (MQTTFleet, Login) async throws -> Void
        ) async throws {
            let server = try system.settings.mqtt
            let fleet = try MQTTFleet(server)
            do {
                try await body(
                    fleet,
                    user.map { Login(user: "\(system.name):\($0)", password: $0) }
                        ?? Login(user: server.user, password: server.password.text))
            } catch {
                _ = await fleet.close()
                throw error
            }
            _ = await fleet.close()
        }

        private struct Login {
            var user: String
            var password: String

            func client(_ id: String, subscriptions: [String] = [], will: [UInt8]? = nil) -> ClientConfiguration {
                ClientConfiguration(
                    clientID: id, user: user, password: password, subscriptions: subscriptions,
                    will: will.map { Will(topic: "sensor_\(id)/registry", payload: $0) })
            }
        }

        /// Takes events until `count` of them are `wanted`; gives all.
        @discardableResult
        private func events(
            _ fleet: MQTTFleet, _ count: Int, _ wanted: (FleetEvent) -> Bool
        ) async throws -> [FleetEvent] {
            var all: [FleetEvent] = []
            while all.count(where: wanted) < count {
                guard let more = await fleet.nextEvents() else { throw TestServers.Failure("closed: \(all)") }
                all += more
            }
            return all
        }

        private func isConnected(_ event: FleetEvent) -> Bool {
            if case .connected = event { true } else { false }
        }

        private func isConfirmed(_ event: FleetEvent) -> Bool {
            if case .confirmed = event { true } else { false }
        }

        private func isMessage(_ event: FleetEvent) -> Bool {
            if case .message = event { true } else { false }
        }

        @Test func aTopicIsAKeyAndReachesTheStreamInOrder() async throws {
            try await TestSystem.with { system in
                try await system.withBroker { broker in
                    try await broker.declare(.sensorStreaming(partitions: 1))
                    try await withFleet(system) { fleet, server in
                        _ = await fleet.add([server.client("\(system.name)-x")])
                        try await events(fleet, 1, isConnected)
                        for first in stride(from: 0, to: 90, by: 30) {
                            let refusals = await fleet.publish(
                                (first..<first + 30).map {
                                    Outgoing(
                                        client: 0, connection: 1, topic: "sensor_x/data", payload: Array("\($0)".utf8),
                                        token: UInt64($0))
                                })
                            #expect(refusals == [])
                            try await events(fleet, 30, isConfirmed)
                        }
                    }
                    let consumer = try await broker.consume(
                        ConsumerOptions(queue: "measurements.0", prefetch: 1000, offset: .first))
                    let deliveries = try await broker.receive(90, consumer)
                    #expect(deliveries.numbers == Array(0..<90))
                    #expect(deliveries.allSatisfy { $0.key == "sensor_x.data" && $0.receivedUnixMilliseconds != nil })
                    #expect(deliveries.map(\.streamOffset) == (0..<90).map { Int64($0) })
                }
            }
        }

        /// The session outlives the connection, so a sensor that was away gets what was sent meanwhile.
        @Test func commandsWaitForASensorThatIsAway() async throws {
            try await TestSystem.with { system in
                try await system.withBroker { broker in
                    try await broker.declare(.sensorStreaming(partitions: 1))
                    func comeAndGo(_ messages: Int) async throws -> [FleetEvent] {
                        var found: [FleetEvent] = []
                        try await withFleet(system) { fleet, server in
                            _ = await fleet.add([
                                server.client("\(system.name)-y", subscriptions: ["sensor_y/commands/#"])
                            ])
                            found = try await events(fleet, messages + 1) { isMessage($0) || isConnected($0) }
                        }
                        return found.filter(isMessage)
                    }
                    #expect(try await comeAndGo(0) == [])
                    let sent = try await broker.publish(
                        ["sleep", "awake"].map {
                            OutgoingMessage(
                                exchange: "sensor_streaming", key: "sensor_y.commands.\($0)", body: Array($0.utf8))
                        })
                    #expect(sent == [.confirmed, .confirmed])
                    #expect(
                        try await comeAndGo(2)
                            == ["sleep", "awake"].map {
                                .message(client: 0, topic: "sensor_y/commands/\($0)", payload: Array($0.utf8))
                            })
                    #expect(try await comeAndGo(0) == [], "each comes once")
                }
            }
        }

        @Test func theLastWillComesAfterACutAndNotAfterAGracefulEnd() async throws {
            try await TestSystem.with { system in
                try await system.withUser { doomed in
                    try await system.withBroker { broker in
                        try await broker.declare(.sensorStreaming(partitions: 1))
                        let registry = try await broker.consume(ConsumerOptions(queue: "registry", prefetch: 10))
                        try await withFleet(system, user: doomed.user) { fleet, server in
                            _ = await fleet.add([
                                server.client("\(system.name)-w", will: [1])
                            ])
                            try await events(fleet, 1, isConnected)
                            await fleet.setWills([
                                (client: 0, will: Will(topic: "sensor_w/registry", payload: [2]))
                            ])
                            #expect(try await broker.nextBatch(registry, upTo: 9, timeout: .milliseconds(100)).isEmpty)
                            try await system.cut(doomed.user)
                            let will = try await broker.receive(1, registry, acknowledging: true)
                            #expect(will.map(\.key) == ["sensor_\(system.name)-w.registry"])
                            #expect(will.map(\.body) == [[1]])
                            // It comes back by itself, with the newer will, which its graceful end takes back.
                            try await events(fleet, 1) { $0 == .connected(client: 0, connection: 2) }
                        }
                        let mark = try await broker.publish([
                            OutgoingMessage(exchange: "sensor_streaming", key: "sensor_z.registry", body: [3])
                        ])
                        #expect(mark == [.confirmed])
                        #expect(try await broker.receive(1, registry).map(\.body) == [[3]])
                        #expect(try await broker.nextBatch(registry, upTo: 9, timeout: .milliseconds(300)).isEmpty)
                    }
                }
            }
        }

        /// A client id of its own for each, so that no client disconnects another.
        @Test func threeHundredConnectAndPublish() async throws {
            let count = 300
            try await TestSystem.with { system in
                try await system.withBroker { broker in
                    try await broker.declare(.sensorStreaming(partitions: 4))
                    try await withFleet(system) { fleet, server in
                        _ = await fleet.add((0..<count).map { server.client("\(system.name)-\($0)") })
                        let connected = try await events(fleet, count, isConnected)
                        #expect(connected.count == count, "no client was disconnected")
                        for round in 0..<2 {
                            let refusals = await fleet.publish(
                                (0..<count).map {
                                    Outgoing(
                                        client: $0, connection: 1, topic: "sensor_\($0)/data", payload: [UInt8(round)],
                                        token: UInt64(round))
                                })
                            #expect(refusals == [])
                            #expect(try await events(fleet, count, isConfirmed).count == count)
                        }
                    }
                    var keys: [String: [[UInt8]]] = [:]
                    for delivery in try await broker.readPartitions(4, count: 2 * count).joined() {
                        keys[delivery.key, default: []].append(delivery.body)
                    }
                    #expect(Set(keys.keys) == Set((0..<count).map { "sensor_\($0).data" }))
                    #expect(keys.values.allSatisfy { $0 == [[0], [1]] })
                }
            }
        }
    }
}
