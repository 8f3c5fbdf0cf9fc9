import Endpoint
import MQTT
import Testing

@Suite(.timeLimit(.minutes(1))) struct MQTTFleetTests {
    /// Quick to try again.
    private var limits: FleetLimits {
        var limits = FleetLimits()
        limits.backoffFirst = .milliseconds(20)
        limits.backoffLongest = .milliseconds(50)
        return limits
    }

    private func fleet(_ broker: ScriptedBroker, limits: FleetLimits? = nil) throws -> MQTTFleet {
        try MQTTFleet(Endpoint(.mqtt, host: "127.0.0.1", port: broker.port), limits: limits ?? self.limits)
    }

    private func client(_ name: String = "c", subscriptions: [String] = []) -> ClientConfiguration {
        let will = Will(topic: "sensor_\(name)/registry", payload: Array("gone".utf8))
        return ClientConfiguration(
            clientID: name, user: "iot", password: "hunter2", subscriptions: subscriptions, will: will)
    }

    /// Takes events until one makes `end` true; gives them all.
    private func events(_ fleet: MQTTFleet, until end: (FleetEvent) -> Bool) async -> [FleetEvent] {
        var all: [FleetEvent] = []
        while let events = await fleet.nextEvents() {
            all += events
            if events.contains(where: end) { return all }
        }
        return all
    }

    private func connection(_ fleet: MQTTFleet) async throws -> Int {
        let events = await events(fleet) { if case .connected = $0 { true } else { false } }
        guard case .connected(_, let connection) = try #require(events.last) else { return 0 }
        return connection
    }

    private func outgoing(_ token: UInt64, connection: Int, topic: String = "sensor_c/data", bytes: Int = 3) -> Outgoing
    {
        Outgoing(
            client: 0, connection: connection, topic: topic, payload: Array(repeating: 9, count: bytes), token: token)
    }

    @Test func connectsPublishesAndClosesGracefully() async throws {
        let broker = try ScriptedBroker()
        let fleet = try fleet(broker)
        #expect(await fleet.add([client(subscriptions: ["sensor_c/commands/#"])]) == 0..<1)
        let connection = try await connection(fleet)
        #expect(await fleet.publish((0..<3).map { outgoing($0, connection: connection) }).isEmpty)
        let confirmed = await events(fleet) { $0 == .confirmed(client: 0, token: 2) }
        #expect(confirmed == (0..<3).map { .confirmed(client: 0, token: $0) })
        let counts = await fleet.counts
        #expect(counts.clients == 1 && counts.online == 1 && counts.inFlight == 0 && counts.eventsWaiting == 0)
        #expect(await fleet.close() == 0)
        #expect(await fleet.nextEvents() == nil)
        #expect(await fleet.publish([outgoing(9, connection: connection)]).map(\.cause) == [.notConnected])
        while broker.seen.ends == 0 { try await Task.sleep(for: .milliseconds(5)) }
        let seen = broker.seen
        #expect(seen.goodByes == 1 && seen.publishes.count == 3)
        let connect = try #require(seen.connects.first)
        #expect(connect.starts(with: [0, 4] + Array("MQTT".utf8) + [5]))
        #expect(connect[7] == 0b1100_1100, "user, password, will at QoS 1 not retained, no clean session")
        #expect(connect[11..<16] == [17, 255, 255, 255, 255], "the session is kept for as long as the broker allows")
    }

    @Test func messagesComeIn() async throws {
        let broker = try ScriptedBroker(.init(greeting: ("sensor_c/commands/sleep", [1, 2, 0, 3])))
        let fleet = try fleet(broker)
        _ = await fleet.add([client(subscriptions: ["sensor_c/commands/#"])])
        let message = FleetEvent.message(client: 0, topic: "sensor_c/commands/sleep", payload: [1, 2, 0, 3])
        #expect(await events(fleet) { $0 == message }.first == .connected(client: 0, connection: 1))
        _ = await fleet.close()
    }

    @Test func refusalsAreExplainedWithoutThePassword() async throws {
        for (code, text) in [
            (UInt8(0x84), "protocol version"), (0x85, "client id"), (0x86, "bad user name or password"),
            (0x87, "not authorised"), (0x88, "not available"), (0x97, "Quota exceeded (151)"),
        ] {
            let broker = try ScriptedBroker(.init(connack: code))
            let fleet = try fleet(broker)
            _ = await fleet.add([client()])
            let event = try #require(await fleet.nextEvents()?.first)
            guard case .disconnected(0, let reason) = event else {
                Issue.record("\(event)")
                continue
            }
            #expect(reason.contains(text) && reason.contains("127.0.0.1:\(broker.port)") && reason.contains("user iot"))
            #expect(!reason.contains("hunter2"))
            _ = await fleet.close()
        }
    }

    @Test func unreachableBrokersAreNamed() async throws {
        var fleet = try MQTTFleet(Endpoint(.mqtt, host: "127.0.0.1", port: 1), limits: limits)
        _ = await fleet.add([client()])
        guard case .disconnected(_, let refused) = try #require(await fleet.nextEvents()?.first) else { return }
        #expect(refused == "cannot connect to 127.0.0.1:1 (client c, user iot): connection refused")
        _ = await fleet.close()
        fleet = try MQTTFleet(Endpoint(.mqtt, host: "no.such.host.invalid"), limits: limits)
        _ = await fleet.add([client()])
        guard case .disconnected(_, let unknown) = try #require(await fleet.nextEvents()?.first) else { return }
        #expect(unknown.contains("no.such.host.invalid:1883") && unknown.contains("host not found"))
        _ = await fleet.close()
    }

    @Test func silentBrokersTimeOut() async throws {
        var limits = limits
        limits.connectTimeout = .milliseconds(100)
        let fleet = try fleet(ScriptedBroker(.init(connack: nil)), limits: limits)
        _ = await fleet.add([client()])
        guard case .disconnected(_, let reason) = try #require(await fleet.nextEvents()?.first) else { return }
        #expect(reason.contains("no answer within 0.1 seconds"))
        _ = await fleet.close()
    }

    @Test func refusedSubscriptionsAreReported() async throws {
        let fleet = try fleet(ScriptedBroker(.init(suback: 0x80)))
        _ = await fleet.add([client(subscriptions: ["not/mine"])])
        let events = await events(fleet) { if case .connected = $0 { true } else { false } }
        #expect(events.first == .subscriptionRefused(client: 0, topic: "not/mine"))
        _ = await fleet.close()
    }

    @Test func aLostConnectionIsForgottenAndAnotherOneMade() async throws {
        let broker = try ScriptedBroker(.init(puback: nil, forbidden: "sensor_other/data"))
        let fleet = try fleet(broker)
        _ = await fleet.add([client()])
        let first = try await connection(fleet)
        let batch = [
            outgoing(1, connection: first), outgoing(2, connection: first, topic: "sensor_other/data"),
        ]
        #expect(await fleet.publish(batch).isEmpty)
        while broker.seen.publishes.count < 2 { try await Task.sleep(for: .milliseconds(1)) }
        broker.change(.init())
        let events = await events(fleet) { if case .connected = $0 { true } else { false } }
        guard case .disconnected(0, let reason) = events[0], case .connected(0, let second) = events[1] else {
            Issue.record("\(events)")
            return
        }
        #expect(reason.contains("connection to 127.0.0.1:\(broker.port) lost"))
        #expect(second == first + 1)
        #expect(await fleet.publish([outgoing(3, connection: first)]) == [.init(token: 3, cause: .notConnected)])
        #expect(await fleet.publish([outgoing(4, connection: second)]).isEmpty)
        #expect(await self.events(fleet) { _ in true } == [.confirmed(client: 0, token: 4)])
        #expect(broker.seen.publishes.map(\.isDuplicate) == [false, false, false], "the library repeats nothing")
        _ = await fleet.close()
    }

    @Test func whatTheBrokerHasNoPlaceForIsNotConfirmed() async throws {
        let broker = try ScriptedBroker()
        let fleet = try fleet(broker)
        _ = await fleet.add([client()])
        let connection = try await connection(fleet)
        for (code, reason) in [
            (UInt8(0x10), "No matching subscribers (16)"), (0x83, "Implementation specific error (131)"),
            (0x97, "Quota exceeded (151)"),
        ] {
            broker.change(.init(puback: code))
            #expect(await fleet.publish([outgoing(7, connection: connection)]).isEmpty)
            #expect(await events(fleet) { _ in true } == [.returned(client: 0, token: 7, reason: reason)])
        }
        #expect(await fleet.counts.inFlight == 0)
        broker.change(.init())
        #expect(await fleet.publish([outgoing(7, connection: connection)]).isEmpty, "still connected")
        #expect(await events(fleet) { _ in true } == [.confirmed(client: 0, token: 7)])
        #expect(broker.seen.publishes.count == 4, "the library repeats nothing")
        #expect(await fleet.close() == 0)
    }

    @Test func theBrokersReasonForADisconnectIsTold() async throws {
        let broker = try ScriptedBroker(.init(forbidden: "sensor_other/data", farewell: 0x8B))
        let fleet = try fleet(broker)
        _ = await fleet.add([client()])
        let first = try await connection(fleet)
        _ = await fleet.publish([outgoing(1, connection: first, topic: "sensor_other/data")])
        let events = await events(fleet) { if case .connected = $0 { true } else { false } }
        guard case .disconnected(0, let reason) = events[0] else {
            Issue.record("\(events)")
            return
        }
        #expect(reason.hasSuffix("the broker closed the connection: Server shutting down (139)"), "\(reason)")
        _ = await fleet.close()
    }

    @Test func confirmsBeforeADisconnectCount() async throws {
        let fleet = try fleet(ScriptedBroker(.init(forbidden: "sensor_other/data")))
        _ = await fleet.add([client()])
        let connection = try await connection(fleet)
        let batch = (0..<20).map { outgoing($0, connection: connection) }
        let last = outgoing(20, connection: connection, topic: "sensor_other/data")
        #expect(await fleet.publish(batch + [last]).isEmpty)
        let events = await events(fleet) { if case .disconnected = $0 { true } else { false } }
        // The fleet reconnects, so that a slow consumer finds more than one disconnect.
        let confirmed = events.prefix { if case .confirmed = $0 { true } else { false } }
        #expect(Array(confirmed) == (0..<20).map { .confirmed(client: 0, token: $0) })
        _ = await fleet.close()
    }

    @Test func willsOfTheNextConnection() async throws {
        let broker = try ScriptedBroker(.init(forbidden: "sensor_other/data"))
        let fleet = try fleet(broker)
        _ = await fleet.add([client()])
        let first = try await connection(fleet)
        await fleet.setWills([(client: 0, will: Will(topic: "sensor_c/registry", payload: Array("second".utf8)))])
        _ = await fleet.publish([outgoing(1, connection: first, topic: "sensor_other/data")])
        _ = try await connection(fleet)
        let connects = broker.seen.connects.map { String(decoding: $0, as: UTF8.self) }
        #expect(connects.count == 2 && connects[0].contains("gone") && connects[1].contains("second"))
        _ = await fleet.close()
    }

    @Test func theWindowIsOurs() async throws {
        var limits = limits
        limits.inFlightMax = 2
        let broker = try ScriptedBroker(.init(puback: nil))
        let fleet = try fleet(broker, limits: limits)
        _ = await fleet.add([client()])
        let connection = try await connection(fleet)
        let refusals = await fleet.publish((0..<4).map { outgoing($0, connection: connection) })
        #expect(refusals == [.init(token: 2, cause: .windowFull), .init(token: 3, cause: .windowFull)])
        #expect(await fleet.counts.inFlight == 2)
        #expect(await fleet.close(confirmsWithin: .milliseconds(50)) == 2)
    }

    @Test func whatCanNeverBeSentIsRefused() async throws {
        let fleet = try fleet(ScriptedBroker())
        _ = await fleet.add([client()])
        let connection = try await connection(fleet)
        let batch = [
            outgoing(1, connection: connection, bytes: 1 << 20), outgoing(2, connection: connection, topic: "a/#"),
            outgoing(3, connection: connection, topic: ""), outgoing(4, connection: connection, bytes: (1 << 20) - 23),
        ]
        let refusals = await fleet.publish(batch)
        #expect(refusals.map(\.cause) == [.tooLarge, .badTopic, .badTopic])
        #expect(await events(fleet) { _ in true } == [.confirmed(client: 0, token: 4)])
        _ = await fleet.close()
    }

    @Test func manyClientsShareOneThread() async throws {
        let broker = try ScriptedBroker()
        var limits = limits
        limits.connectingMax = 20
        let fleet = try fleet(broker, limits: limits)
        _ = await fleet.add((0..<100).map { client("c\($0)", subscriptions: ["sensor_c\($0)/commands/#"]) })
        var connections = Array(repeating: 0, count: 100)
        var online = 0
        while online < 100, let events = await fleet.nextEvents() {
            for case .connected(let client, let connection) in events {
                connections[client] = connection
                online += 1
            }
        }
        let batch = (0..<100).flatMap { client in
            (0..<10).map { number in
                Outgoing(
                    client: client, connection: connections[client], topic: "sensor_c\(client)/data", payload: [1],
                    token: UInt64(client * 10 + number))
            }
        }
        #expect(await fleet.publish(batch).isEmpty)
        var tokens: [UInt64] = []
        while tokens.count < 1000, let events = await fleet.nextEvents() {
            for case .confirmed(_, let token) in events { tokens.append(token) }
        }
        #expect(tokens.sorted() == Array(0..<1000))
        #expect(await fleet.close() == 0)
        while broker.seen.ends < 100 { try await Task.sleep(for: .milliseconds(5)) }
        #expect(broker.seen.goodByes == 100)
    }

    @Test func unreadEventsStopTheReading() async throws {
        var limits = limits
        limits.eventsMax = 10
        limits.inFlightMax = 2000
        let fleet = try fleet(ScriptedBroker(), limits: limits)
        _ = await fleet.add([client()])
        let connection = try await connection(fleet)
        #expect(await fleet.publish((0..<1000).map { outgoing($0, connection: connection) }).isEmpty)
        // The library may read all that is there at once; but not again.
        while await fleet.counts.eventsWaiting < 10 { try await Task.sleep(for: .milliseconds(5)) }
        let waiting = await fleet.counts.eventsWaiting
        #expect(await fleet.publish((1000..<2000).map { outgoing($0, connection: connection) }).isEmpty)
        try await Task.sleep(for: .milliseconds(200))
        #expect(await fleet.counts.eventsWaiting == waiting)
        _ = await events(fleet) { $0 == .confirmed(client: 0, token: 1999) }
        #expect(await fleet.close() == 0)
    }

    @Test func aCancelledConsumerGetsNil() async throws {
        let fleet = try fleet(ScriptedBroker(.init(connack: nil)))
        let consumer = Task { await fleet.nextEvents() }
        try await Task.sleep(for: .milliseconds(20))
        consumer.cancel()
        #expect(await consumer.value == nil)
        #expect(await fleet.close() == 0)
        #expect(await fleet.close() == 0)
    }
}
