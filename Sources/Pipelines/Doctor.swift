internal import Broker
internal import Sensors
internal import Store
internal import Wire

/// Looks at broker and database as they are now, and changes nothing there.
public enum Doctor {
    /// How long a stream may take to show a message that it has.
    private static let readingTime: Duration = .milliseconds(1500)

    /// Looks at everything.
    /// - Parameters:
    ///   - databasePlace: the database's URL without its password, for people.
    ///   - limit: how long each question may take; an answer that is overdue is a finding.
    public static func examine(
        _ settings: Settings, databasePlace: String, within limit: Duration
    ) async -> Diagnosis {
        var facts = DoctorFacts()
        facts.brokerPlace = settings.broker.description
        facts.user = settings.broker.user
        facts.virtualHost = settings.broker.virtualHost
        facts.databasePlace = databasePlace
        let blank = facts
        async let database = askDatabase(settings, blank, limit)
        async let management = askManagement(settings, blank, limit)
        let connection: BrokerConnection?
        (facts, connection) = await askBroker(settings, facts, limit)
        facts.take(database: await database)
        var asking = Asking(limit: limit, whom: "the broker")
        if let connection {
            await askStreams(connection, &facts, &asking)
            // Not waited for: a broker that does not answer does not say good-bye either.
            Task { await connection.close() }
        }
        facts.take(management: await management)
        return facts.diagnosis
    }

    /// Asks one server one thing after the other. Once an answer is overdue the rest is not asked: it would wait behind.
    private struct Asking {
        let limit: Duration
        let whom: String
        var isOverdue = false

        mutating func ask<Value: Sendable>(_ work: @escaping @Sendable () async throws -> Value) async -> Fact<Value> {
            if isOverdue { return .notAsked("\(whom) did not answer before") }
            do { return .known(try await within(limit, work)) } catch let late as TimedOut {
                isOverdue = true
                return .tooSlow(late.limit)
            } catch { return .failed("\(error)") }
        }
    }

    // MARK: broker

    private static func askBroker(
        _ settings: Settings, _ facts: DoctorFacts, _ limit: Duration
    ) async -> (DoctorFacts, BrokerConnection?) {
        var facts = facts
        var asking = Asking(limit: limit, whom: "the broker")
        let address = settings.broker
        do {
            let connection = try await within(limit) { try await BrokerConnection.open(address, name: "iotctl doctor") }
            facts.broker = .known(await connection.product ?? "a broker")
            facts.access = await asking.ask {
                try await connection.requireAccess(toExchange: Routing.exchange)
                return true
            }
            let topology = Topology.sensorStreaming(partitions: 0)
            for exchange in topology.exchanges {
                facts.exchanges.append((exchange.name, await asking.ask { try await look(at: exchange, connection) }))
            }
            for queue in topology.queues {
                facts.queues.append((queue.name, await asking.ask { try await look(at: queue, connection) }))
            }
            facts.echo = await asking.ask { try await echo(connection, limit) }
            return (facts, connection)
        } catch let error as BrokerError {
            if case .refused = error { facts.isBrokerRefused = true }
            facts.broker = .failed(error.description.replacing("\(address): ", with: ""))
        } catch let late as TimedOut { facts.broker = .tooSlow(late.limit) } catch {
            facts.broker = .failed("\(error)")
        }
        return (facts, nil)
    }

    /// What is there is declared once more: the broker compares, and changes nothing.
    private static func look(
        at exchange: Topology.Exchange, _ connection: BrokerConnection
    ) async throws -> DoctorFacts.Item {
        guard try await connection.isThere(exchange) else { return DoctorFacts.Item(presence: .missing) }
        let presence = try await compare {
            try await connection.declare(Topology(exchanges: [exchange], queues: [], bindings: []))
        }
        return DoctorFacts.Item(presence: presence)
    }

    private static func look(at queue: Topology.Queue, _ connection: BrokerConnection) async throws -> DoctorFacts.Item
    {
        guard let figures = try await connection.figures(of: queue) else { return DoctorFacts.Item(presence: .missing) }
        let presence = try await compare { _ = try await connection.declare(queue) }
        return DoctorFacts.Item(presence: presence, messages: figures.messages, consumers: figures.consumers)
    }

    /// Who may not declare can't compare either.
    private static func compare(_ declare: () async throws -> Void) async throws -> DoctorFacts.Presence {
        do {
            try await declare()
            return .there
        } catch BrokerError.rejected(_, 406, let text) {
            return .different(text)
        } catch BrokerError.rejected(_, 403, _) { return .there }
    }

    /// Publishes to a queue of our own and reads it: whether publishers are blocked, and the broker's stamp.
    private static func echo(_ connection: BrokerConnection, _ limit: Duration) async throws -> DoctorFacts.Echo {
        let queue = try await connection.declare(Topology.Queue(name: "", kind: .classic, exclusive: true))
        let consumer = try await connection.consume(ConsumerOptions(queue: queue, prefetch: 1, noAck: true))
        let begun = Timestamp.now
        let message = OutgoingMessage(exchange: "", key: queue, body: [])
        do {
            // Less than the whole question may take, so that there is time to hear why.
            _ = try await within(limit * 0.6) { try await connection.publish([message]) }
        } catch let late as TimedOut {
            guard let reason = await connection.blockedReason else { throw late }
            return DoctorFacts.Echo(blocked: reason)
        }
        let ended = Timestamp.now
        guard let delivery = try await connection.nextBatch(consumer, upTo: 1, timeout: limit * 0.3).first else {
            return DoctorFacts.Echo(isBack: false)
        }
        let offset = delivery.receivedUnixMilliseconds.map { stamp in
            // The stamp is cut to the millisecond.
            DoctorFacts.ClockOffset(
                of: Timestamp(unixMilliseconds: stamp), between: begun, and: ended, resolution: 0.001)
        }
        return DoctorFacts.Echo(offset: offset)
    }

    // MARK: streams

    private static func askStreams(
        _ connection: BrokerConnection, _ facts: inout DoctorFacts, _ asking: inout Asking
    ) async {
        guard case .known(let count?) = facts.partitionCount else { return }
        for index in 0..<count {
            let stream = Topology.Queue(name: Routing.stream(index), kind: .stream)
            facts.streams.append((stream.name, await asking.ask { try await look(at: stream, connection) }))
        }
        facts.isStreamTooMany = await asking.ask {
            try await connection.figures(of: Topology.Queue(name: Routing.stream(count), kind: .stream)) != nil
        }
        let there = facts.streams.filter { $0.fact.value?.presence == .there }.map(\.name)
        let partitions = (facts.partitions.value ?? []).filter { there.contains($0.stream) }
        let readings = await asking.ask { try await read(partitions, connection) }
        for partition in partitions {
            switch readings {
            case .known(let readings): facts.readings[partition.stream] = .known(readings[partition.stream] ?? .init())
            case .failed(let why): facts.readings[partition.stream] = .failed(why)
            case .tooSlow(let limit): facts.readings[partition.stream] = .tooSlow(limit)
            case .notAsked(let why): facts.readings[partition.stream] = .notAsked(why)
            }
        }
    }

    /// The oldest message of each stream and the oldest that is not stored, all at once: of a stream where nothing is
    /// unread nothing comes, and that takes its time.
    private static func read(
        _ partitions: [PartitionState], _ connection: BrokerConnection
    ) async throws -> [String: DoctorFacts.Stream] {
        var consumers: [(stream: String, first: BrokerConnection.Consumer, next: BrokerConnection.Consumer)] = []
        for partition in partitions {
            let next = partition.committed.map { StreamOffset.offset($0 + 1) } ?? .first
            consumers.append(
                (
                    partition.stream,
                    try await connection.consume(
                        ConsumerOptions(queue: partition.stream, prefetch: 1, offset: .first)),
                    try await connection.consume(ConsumerOptions(queue: partition.stream, prefetch: 1, offset: next))
                ))
        }
        let end = ContinuousClock.now + readingTime
        var readings: [String: DoctorFacts.Stream] = [:]
        for (stream, first, next) in consumers {
            func one(_ consumer: BrokerConnection.Consumer) async throws -> Delivery? {
                let left = max(.milliseconds(5), ContinuousClock.now.duration(to: end))
                return try await connection.nextBatch(consumer, upTo: 1, timeout: left).first
            }
            let unread = try await one(next)
            let oldest = try await one(first)
            let age = unread?.receivedUnixMilliseconds.map {
                max(0, Timestamp.now.seconds(since: Timestamp(unixMilliseconds: $0)))
            }
            readings[stream] = DoctorFacts.Stream(
                first: oldest?.streamOffset, oldestUnreadSeconds: unread == nil ? nil : age ?? 0,
                oldestUnread: unread?.streamOffset)
        }
        for (_, first, next) in consumers {
            try await connection.stopConsuming(first)
            try await connection.stopConsuming(next)
        }
        return readings
    }

    // MARK: database

    private static func askDatabase(
        _ settings: Settings, _ facts: DoctorFacts, _ limit: Duration
    ) async -> DoctorFacts {
        var facts = facts
        let store = StoreConnection(url: settings.databaseURL, applicationName: "iotctl doctor")
        var asking = Asking(limit: limit, whom: "the database")
        do {
            let (server, offset) = try await within(limit) {
                () async throws -> (ServerRecord, DoctorFacts.ClockOffset) in
                // The first call connects: the second one's way is short.
                _ = try await store.server()
                let begun = Timestamp.now
                let server = try await store.server()
                return (server, DoctorFacts.ClockOffset(of: server.now, between: begun, and: .now, resolution: 0))
            }
            facts.server = .known(server)
            facts.databaseOffset = offset
        } catch {
            if let late = error as? TimedOut {
                facts.server = .tooSlow(late.limit)
            } else {
                facts.server = .failed("\(error)")
            }
            if case StoreError.refused = error { facts.isDatabaseRefused = true }
            return facts
        }
        facts.schema = await asking.ask { try await Migrations.state(of: store) }
        // Tables that are not there yet are the schema's finding, not one each.
        if facts.schema.value?.missing.isEmpty == false {
            facts.leaveTables("the schema is not complete")
            return facts
        }
        facts.partitionCount = await asking.ask { try await store.partitionCount() }
        facts.partitions = await asking.ask { try await store.partitionStates() }
        facts.replicas = await asking.ask { try await store.livingReplicas() }
        facts.quarantined = await asking.ask { try await store.quarantineCount() }
        facts.upkeep = await asking.ask { try await store.upkeep() }
        return facts
    }

    // MARK: management API

    private static func askManagement(
        _ settings: Settings, _ facts: DoctorFacts, _ limit: Duration
    ) async -> DoctorFacts {
        var facts = facts
        let user = settings.broker.user
        guard
            let api = settings.managementURL.flatMap({
                ManagementAPI(url: $0, virtualHost: settings.broker.virtualHost)
            })
        else { return facts }
        var asking = Asking(limit: limit, whom: "the management API")
        facts.disks = await asking.ask {
            try await api.nodes().compactMap { node in
                node.diskFree.flatMap { free in
                    node.diskFreeLimit.map { DoctorFacts.Disk(node: node.name, free: free, limit: $0) }
                }
            }
        }
        facts.policies = await asking.ask { try await api.queuesWithPolicies() }
        let queues = Topology.sensorStreaming(partitions: 0).queues.map(\.name)
        facts.bindings = await asking.ask {
            var all = Set(try await api.bindings(from: Routing.partitionsExchange))
            all.formUnion(try await api.bindings(to: Routing.partitionsExchange))
            for queue in queues { all.formUnion(try await api.bindings(toQueue: queue)) }
            return all
        }
        facts.permission = await asking.ask { try await api.permission(of: user) }
        facts.cutBytes = await asking.ask {
            try await api.operatorPolicy(GuardStreams.policyName)?.definition["max-length-bytes"]
        }
        return facts
    }
}

extension DoctorFacts.ClockOffset {
    /// How far a clock is ahead that showed `time` at some moment between two of ours.
    init(of time: Timestamp, between begun: Timestamp, and ended: Timestamp, resolution: Double) {
        let way = ended.seconds(since: begun)
        seconds = time.seconds(since: begun) - way / 2 + resolution / 2
        uncertainty = max(0, way / 2) + resolution / 2
    }
}

extension DoctorFacts {
    /// What the database said.
    fileprivate mutating func take(database facts: DoctorFacts) {
        server = facts.server
        isDatabaseRefused = facts.isDatabaseRefused
        databaseOffset = facts.databaseOffset
        schema = facts.schema
        partitionCount = facts.partitionCount
        partitions = facts.partitions
        replicas = facts.replicas
        quarantined = facts.quarantined
        upkeep = facts.upkeep
    }

    /// What the management API said.
    fileprivate mutating func take(management facts: DoctorFacts) {
        disks = facts.disks
        policies = facts.policies
        bindings = facts.bindings
        permission = facts.permission
        cutBytes = facts.cutBytes
    }

    fileprivate mutating func leaveTables(_ why: String) {
        partitionCount = .notAsked(why)
        partitions = .notAsked(why)
        replicas = .notAsked(why)
        quarantined = .notAsked(why)
        upkeep = .notAsked(why)
    }
}
