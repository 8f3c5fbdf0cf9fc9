internal import Broker
internal import Device
internal import Logging
internal import Sensors
internal import Simulation
internal import Wire

/// How virtual sensors reach the broker: MQTT with a connection for each, or AMQP with one for all.
protocol SensorLink: Sendable {
    /// Connects, now and again whenever the connection breaks.
    func start(wills: [Announcement]) async
    /// Sends messages that were taken from the outbox. What can't be sent now comes back as an event.
    func send(_ messages: [LinkMessage]) async
    /// Says what a sensor leaves with the broker at its next connection.
    func setWill(sensor: Int, _ will: Announcement) async
    /// Waits for events; nil once the link is closed.
    func nextEvents() async -> [LinkEvent]?
    /// Says good-bye.
    func close() async
}

/// A message of a sensor.
struct LinkMessage: Sendable {
    var sensor: Int
    var subject: Routing.Subject
    var payload: [UInt8]
    var token: UInt64
}

/// What happens on a link.
enum LinkEvent: Sendable {
    /// Messages of this lane can be sent.
    case connected(lane: Int)
    /// They can't; what was under way may or may not have arrived.
    case disconnected(lane: Int, reason: String)
    /// The broker has it.
    case confirmed(token: UInt64)
    /// It was not sent: send it again.
    case returned(token: UInt64)
    /// It can never be sent.
    case refused(token: UInt64)
    /// Somebody gives a command.
    case command(sensor: Int, payload: [UInt8])
}

/// MQTT: each sensor is a client of its own, and so a lane of its own.
actor MQTTLink: SensorLink {
    private let fleet: MQTTFleet
    private let address: Settings.MQTTAddress
    private let serials: [SerialNumber]
    private let logger: Logger
    private var connections: [Int]

    init(_ address: Settings.MQTTAddress, serials: [SerialNumber], logger: Logger) {
        self.address = address
        self.serials = serials
        self.logger = logger
        fleet = MQTTFleet(server: MQTTServer(host: address.host, port: UInt16(clamping: address.port)))
        connections = Array(repeating: 0, count: serials.count)
    }

    func start(wills: [Announcement]) async {
        let clients = zip(serials, wills).map { serial, will in
            ClientConfiguration(
                clientID: serial.text, user: address.user, password: address.password,
                subscriptions: Routing.topicFilters(serial), will: Self.will(serial, will))
        }
        _ = await fleet.add(clients)
    }

    func setWill(sensor: Int, _ will: Announcement) async {
        await fleet.setWills([(sensor, Self.will(serials[sensor], will))])
    }

    func send(_ messages: [LinkMessage]) async {
        let outgoing = messages.map { message in
            Outgoing(
                client: message.sensor, connection: connections[message.sensor],
                topic: Routing.topic(serials[message.sensor], message.subject), payload: message.payload,
                token: message.token)
        }
        for refusal in await fleet.publish(outgoing) {
            switch refusal.cause {
            case .notConnected, .windowFull: refused.append(.returned(token: refusal.token))
            case .tooLarge, .badTopic: refused.append(.refused(token: refusal.token))
            }
        }
    }

    private var refused: [LinkEvent] = []

    func takeRefused() -> [LinkEvent] {
        defer { refused = [] }
        return refused
    }

    func nextEvents() async -> [LinkEvent]? {
        if !refused.isEmpty { return takeRefused() }
        guard let events = await fleet.nextEvents() else { return nil }
        return takeRefused() + events.compactMap(event)
    }

    private func event(_ event: FleetEvent) -> LinkEvent? {
        switch event {
        case .connected(let client, let connection):
            connections[client] = connection
            return .connected(lane: client)
        case .disconnected(let client, let reason): return .disconnected(lane: client, reason: reason)
        case .confirmed(_, let token): return .confirmed(token: token)
        case .subscriptionRefused(let client, let topic):
            logger.warning("\(serials[client]): the broker refuses the subscription \(topic)")
            return nil
        case .message(let client, let topic, let payload):
            guard let (_, subject) = try? Routing.parse(topic: topic), case .command = subject else { return nil }
            return .command(sensor: client, payload: payload)
        }
    }

    func close() async { _ = await fleet.close() }

    private static func will(_ serial: SerialNumber, _ will: Announcement) -> Will {
        Will(topic: Routing.topic(serial, .registry), payload: AnnouncementCodec.encode(will))
    }
}

/// AMQP: one connection for all sensors, and so one lane; a command queue for each.
actor AMQPLink: SensorLink {
    /// Most sensors: each needs a channel of the connection for its command queue.
    static let sensorsMax = 1000

    private let context: ServiceContext
    private let serials: [SerialNumber]
    private var pending: [LinkMessage] = []
    private var events: [LinkEvent] = []
    private var reader: CheckedContinuation<Void, Never>?
    private var sender: CheckedContinuation<Void, Never>?
    private var running: Task<Void, Never>?
    private var closed = false

    init(_ context: ServiceContext, serials: [SerialNumber]) {
        self.context = context
        self.serials = serials
    }

    func start(wills: [Announcement]) { running = Task { await self.run() } }

    /// AMQP has no Last Will.
    func setWill(sensor: Int, _ will: Announcement) {}

    func send(_ messages: [LinkMessage]) {
        pending += messages
        sender?.resume()
        sender = nil
    }

    func nextEvents() async -> [LinkEvent]? {
        while events.isEmpty, !closed { await withCheckedContinuation { reader = $0 } }
        defer { events = [] }
        return events.isEmpty ? nil : events
    }

    func close() async {
        closed = true
        running?.cancel()
        sender?.resume()
        sender = nil
        await running?.value
        post([])
    }

    private func post(_ new: [LinkEvent]) {
        events += new
        reader?.resume()
        reader = nil
    }

    private func run() async {
        while !closed {
            do {
                let broker = try await context.retrying("connecting", part: "broker") {
                    try await context.openBroker("sensors")
                }
                guard let broker else { return }
                try await serve(broker)
                await broker.close()
            } catch {
                post([.disconnected(lane: 0, reason: "\(error)")])
                try? await Task.sleep(for: .milliseconds(200))
            }
        }
    }

    /// Sends and receives until the connection breaks or the link is closed.
    private func serve(_ broker: BrokerConnection) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (sensor, serial) in serials.enumerated() {
                let queue = Topology.Queue(name: Routing.commandQueue(serial), kind: .classic)
                let binding = Topology.Binding(
                    source: Routing.exchange, destination: .queue(queue.name), key: Routing.key(serial, .command("#")))
                try await broker.declare(Topology(exchanges: [], queues: [queue], bindings: [binding]))
                let consumer = try await broker.consume(ConsumerOptions(queue: queue.name, prefetch: 20))
                group.addTask { try await self.receive(broker, consumer, sensor) }
            }
            pending = []
            post([.connected(lane: 0)])
            group.addTask { try await self.sendAll(broker) }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private func receive(_ broker: BrokerConnection, _ consumer: BrokerConnection.Consumer, _ sensor: Int) async throws
    {
        while !Task.isCancelled {
            let batch = try await broker.nextBatch(consumer, upTo: 20)
            guard let last = batch.last else { return }
            post(batch.map { .command(sensor: sensor, payload: $0.body) })
            try await broker.acknowledge(consumer, upTo: last)
        }
    }

    /// Publishes in order; a batch is what gathered while the one before was confirmed.
    private func sendAll(_ broker: BrokerConnection) async throws {
        while !closed {
            if pending.isEmpty {
                await withCheckedContinuation { sender = $0 }
                continue
            }
            let batch = pending
            pending = []
            let outcomes = try await broker.publish(
                batch.map { message in
                    OutgoingMessage(
                        exchange: Routing.exchange, key: Routing.key(serials[message.sensor], message.subject),
                        body: message.payload)
                })
            post(
                zip(batch, outcomes).map { message, outcome in
                    switch outcome {
                    case .confirmed: .confirmed(token: message.token)
                    case .refused: .returned(token: message.token)
                    case .unroutable, .tooLarge: .refused(token: message.token)
                    }
                })
        }
    }
}
