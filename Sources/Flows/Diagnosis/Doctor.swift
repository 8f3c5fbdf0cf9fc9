internal import AMQP
internal import Broker
internal import Dispatch
internal import Endpoint
internal import Glibc
internal import Management
internal import Messaging
internal import Model
internal import Postgres
public import Service
internal import Store
internal import Support
internal import Time
internal import Wire

/// Examines broker and database as they are now, and changes nothing there.
public enum Doctor {
    /// How long a stream that has messages may take to deliver one.
    private static let readingTime: Duration = .milliseconds(1500)

    /// Examines everything.
    /// - Parameters:
    ///   - unset: the variables of `settings` that were not set, and so have their defaults.
    ///   - limit: how long each question may take; an overdue answer is a finding.
    public static func examine(
        _ settings: Settings, unset: Set<String>, within limit: Duration
    ) async -> Diagnosis {
        var facts = DoctorFacts()
        facts.unset = unset
        facts.brokerPlace = settings.broker.description
        facts.user = settings.broker.user
        facts.virtualHost = settings.broker.path
        facts.databasePlace = settings.database.description
        let blank = facts
        async let database = askDatabase(settings, blank, limit)
        async let management = askManagement(settings, blank, limit)
        async let mqtt = askMQTT(settings, unset, limit)
        let connection: BrokerConnection?
        (facts, connection) = await askBroker(settings, facts, limit)
        facts.take(database: await database)
        var asking = Asking(limit: limit)
        if let connection {
            await askStreams(connection, &facts, &asking)
            // Not awaited: a broker that does not answer does not answer the close either.
            Task { await connection.close() }
        }
        facts.take(management: await management)
        facts.mqtt = await mqtt
        return facts.diagnosis
    }

    /// Asks one server one question after the other. After an overdue answer no more are asked: they would wait behind
    /// it.
    private struct Asking {
        let limit: Duration
        /// The check whose question was not answered in time; nil: all were.
        var overdue: String?

        init(limit: Duration) { self.limit = limit }

        /// - Parameter check: the check that the answer is for.
        mutating func ask<Value: Sendable>(
            _ check: String, _ work: @escaping @Sendable () async throws -> Value
        ) async -> Fact<Value> {
            if let overdue { return .notAsked(because: overdue) }
            do { return .known(try await within(limit, work)) } catch let late as TimedOut {
                overdue = check
                return .tooSlow(late.limit)
            } catch { return .failed("\(error)") }
        }
    }

    // MARK: broker

    private static func askBroker(
        _ settings: Settings, _ facts: DoctorFacts, _ limit: Duration
    ) async -> (DoctorFacts, BrokerConnection?) {
        var facts = facts
        var asking = Asking(limit: limit)
        let address = settings.broker
        do {
            let connection = try await within(limit) { try await BrokerConnection.open(address, name: "iotctl doctor") }
            facts.broker = .known(await connection.product ?? "a broker")
            facts.access = await asking.ask("access") {
                try await connection.requireAccess(toExchange: Routing.exchange)
                return true
            }
            let topology = Topology.sensorStreaming(partitions: 0)
            for exchange in topology.exchanges {
                facts.exchanges.append(
                    (exchange.name, await asking.ask("exchanges") { try await look(at: exchange, connection) }))
            }
            for queue in topology.queues {
                facts.queues.append(
                    (queue.name, await asking.ask("queues") { try await look(at: queue, connection) }))
            }
            facts.echo = await asking.ask("publishes") { try await echo(connection, limit) }
            return (facts, connection)
        } catch let error as BrokerError {
            if case .refused(let text) = error { facts.brokerRefusal = BrokerRefusal(text) }
            facts.broker = .failed(error.description.replacing("\(address): ", with: ""))
        } catch let late as TimedOut { facts.broker = .tooSlow(late.limit) } catch {
            facts.broker = .failed("\(error)")
        }
        return (facts, nil)
    }

    /// An existing exchange or queue is declared again: the broker compares the arguments, and changes nothing.
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

    /// A user without the right to declare can't compare either.
    private static func compare(_ declare: () async throws -> Void) async throws -> DoctorFacts.Presence {
        do {
            try await declare()
            return .there
        } catch BrokerError.rejected(_, 406, let text) {
            return .different(text)
        } catch BrokerError.rejected(_, 403, _) { return .there }
    }

    /// Publishes to a temporary queue and reads the message: shows whether publishers are blocked, and the broker's
    /// timestamp.
    private static func echo(_ connection: BrokerConnection, _ limit: Duration) async throws -> DoctorFacts.Echo {
        let queue = try await connection.declare(Topology.Queue(name: "", kind: .classic, exclusive: true))
        let consumer = try await connection.consume(ConsumerOptions(queue: queue, prefetch: 1, noAck: true))
        let begun = Timestamp.now
        let message = OutgoingMessage(exchange: "", key: queue, body: [])
        do {
            // Less than the whole question may take, which leaves time to receive the reason.
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
            // The timestamp is truncated to milliseconds.
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
            facts.streams.append(
                (stream.name, await asking.ask("streams") { try await look(at: stream, connection) }))
        }
        facts.isStreamTooMany = await asking.ask("streams") {
            try await connection.figures(of: Topology.Queue(name: Routing.stream(count), kind: .stream)) != nil
        }
        let there = facts.streams.filter { $0.fact.value?.presence == .there }.map(\.name)
        let partitions = (facts.partitions.value ?? []).filter { there.contains($0.stream) }
        let readings = await asking.ask("lag") { try await read(partitions, connection) }
        for partition in partitions {
            switch readings {
            case .known(let readings): facts.readings[partition.stream] = .known(readings[partition.stream] ?? .init())
            case .failed(let why): facts.readings[partition.stream] = .failed(why)
            case .tooSlow(let limit): facts.readings[partition.stream] = .tooSlow(limit)
            case .notAsked(let cause): facts.readings[partition.stream] = .notAsked(because: cause)
            }
        }
    }

    /// The oldest message of each stream and its oldest unstored message, all concurrently: a stream without unread
    /// messages delivers nothing until the time limit.
    private static func read(
        _ partitions: [PartitionRecord], _ connection: BrokerConnection
    ) async throws -> [String: DoctorFacts.Stream] {
        var consumers: [(stream: String, first: BrokerConnection.Consumer, next: BrokerConnection.Consumer)] = []
        for partition in partitions {
            let next = partition.committedOffset.map { StreamOffset.offset($0 + 1) } ?? .first
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
        let store = StoreConnection(settings.database, applicationName: "iotctl doctor")
        var asking = Asking(limit: limit)
        do {
            let (server, offset) = try await within(limit) {
                () async throws -> (ServerRecord, DoctorFacts.ClockOffset) in
                // The first call connects, so that the second one measures a short round trip.
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
            if case StoreError.refused(let text) = error { facts.databaseRefusal = DatabaseRefusal(text) }
            return facts
        }
        facts.schema = await asking.ask("migrations") { try await Migrations.state(of: store) }
        // Missing tables are reported once, as the schema's finding.
        if facts.schema.value?.missing.isEmpty == false {
            facts.leaveTables(because: "migrations")
            return facts
        }
        facts.partitionCount = await asking.ask("streams") { try await store.partitionCount() }
        facts.partitions = await asking.ask("partitions") { try await store.partitions() }
        facts.replicas = await asking.ask("ingesters") { try await store.livingReplicas() }
        facts.quarantined = await asking.ask("quarantine") { try await store.quarantineCount() }
        facts.upkeep = await asking.ask("rollups") { try await store.upkeep() }
        facts.undeliverable = await asking.ask("undeliverable") { try await store.undeliverable() }
        facts.receivers = await asking.ask("notify") { try await store.notificationReceivers() }
        return facts
    }

    // MARK: MQTT

    /// Whether the MQTT listener accepts connections, if MQTT_URL says where it is.
    private static func askMQTT(_ settings: Settings, _ unset: Set<String>, _ limit: Duration) async -> Fact<Bool> {
        if unset.contains("MQTT_URL") { return .notAsked(because: "management") }
        let server = settings.mqtt.host
        let failure: String? = await withCheckedContinuation { continuation in
            // Connecting blocks its thread.
            DispatchQueue.global().async {
                do throws(TCPSocket.Failure) {
                    close(try TCPSocket.connect(host: server.name, port: Int(server.port), within: limit))
                    continuation.resume(returning: nil)
                } catch { continuation.resume(returning: error.description) }
            }
        }
        return failure.map { .failed("\(server.name):\(server.port): \($0)") } ?? .known(true)
    }

    // MARK: management API

    private static func askManagement(
        _ settings: Settings, _ facts: DoctorFacts, _ limit: Duration
    ) async -> DoctorFacts {
        var facts = facts
        let user = settings.broker.user
        guard let endpoint = settings.management else { return facts }
        let api: ManagementAPI
        do { api = try ManagementAPI(endpoint, virtualHost: settings.broker.path) } catch {
            facts.protocols = .failed("\(error)")
            return facts
        }
        facts.managementPlace = api.description
        var asking = Asking(limit: limit)
        do {
            let overview = try await within(limit) { try await api.overview() }
            facts.protocols = .known(overview.listeners.map { $0.map(\.protocolName) })
        } catch {
            if let late = error as? TimedOut {
                facts.protocols = .tooSlow(late.limit)
            } else {
                facts.protocols = .failed("\(error)")
            }
            facts.isManagementRefused = (error as? ManagementAPI.RequestError)?.status == 401
            return facts
        }
        facts.down = await asking.ask("mqtt") { try await api.queuesThatAreDown() }
        facts.disks = await asking.ask("disk") { try await disks(api, limit) }
        facts.policies = await asking.ask("policies") { try await api.queuesWithPolicies() }
        let queues = Topology.sensorStreaming(partitions: 0).queues.map(\.name)
        facts.bindings = await asking.ask("bindings") {
            var all = Set(try await api.bindings(from: Routing.partitionsExchange))
            all.formUnion(try await api.bindings(to: Routing.partitionsExchange))
            for queue in queues { all.formUnion(try await api.bindings(toQueue: queue)) }
            return all
        }
        facts.permission = await asking.ask("permissions") { try await api.permission(of: user) }
        facts.cutBytes = await asking.ask("disk") {
            try await api.operatorPolicy(StreamQuota.policyName)?.definition["max-length-bytes"]
        }
        return facts
    }
}

extension Doctor {
    /// How long RabbitMQ takes after its start until it reports the disks: its interval of statistics is 5 s.
    private static let statisticsDelay: Duration = .seconds(7)
    private static let statisticsPause: Duration = .milliseconds(250)

    /// The nodes' disks; waits for them if RabbitMQ has just been started, but leaves a part of `limit` for its answer.
    private static func disks(_ api: ManagementAPI, _ limit: Duration) async throws -> [DoctorFacts.Disk] {
        let end = ContinuousClock.now + min(statisticsDelay, limit * 0.8)
        while true {
            let disks = try await api.nodes().compactMap { node in
                node.diskFree.flatMap { free in
                    node.diskFreeLimit.map { DoctorFacts.Disk(node: node.name, free: free, limit: $0) }
                }
            }
            if !disks.isEmpty || ContinuousClock.now >= end { return disks }
            try await Task.sleep(for: statisticsPause)
        }
    }
}

extension DoctorFacts.ClockOffset {
    /// How far a clock is ahead that showed `time` between two readings of this machine's clock.
    init(of time: Timestamp, between begun: Timestamp, and ended: Timestamp, resolution: Double) {
        let way = ended.seconds(since: begun)
        seconds = time.seconds(since: begun) - way / 2 + resolution / 2
        uncertainty = max(0, way / 2) + resolution / 2
    }
}

extension DoctorFacts {
    /// Adopts the database's answers.
    fileprivate mutating func take(database facts: DoctorFacts) {
        server = facts.server
        databaseRefusal = facts.databaseRefusal
        databaseOffset = facts.databaseOffset
        schema = facts.schema
        partitionCount = facts.partitionCount
        partitions = facts.partitions
        replicas = facts.replicas
        quarantined = facts.quarantined
        upkeep = facts.upkeep
        undeliverable = facts.undeliverable
        receivers = facts.receivers
    }

    /// Adopts the management API's answers.
    fileprivate mutating func take(management facts: DoctorFacts) {
        managementPlace = facts.managementPlace
        isManagementRefused = facts.isManagementRefused
        protocols = facts.protocols
        down = facts.down
        disks = facts.disks
        policies = facts.policies
        bindings = facts.bindings
        permission = facts.permission
        cutBytes = facts.cutBytes
    }

    fileprivate mutating func leaveTables(because cause: String) {
        partitionCount = .notAsked(because: cause)
        partitions = .notAsked(because: cause)
        replicas = .notAsked(because: cause)
        quarantined = .notAsked(because: cause)
        upkeep = .notAsked(because: cause)
        undeliverable = .notAsked(because: cause)
        receivers = .notAsked(because: cause)
    }
}
