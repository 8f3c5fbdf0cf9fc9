internal import AMQP
internal import Broker
internal import Model
internal import Service
internal import Wire

/// AMQP: a few connections that the sensors share; a command queue for each sensor, or one for all sensors of a
/// gateway.
///
/// The broker handles the messages of a connection in one process, which is the limit: about 14,000 messages per second
/// over one connection on the development machine, 28,000 over two.
actor AMQPLink: SensorLink {
    private let lanes: [AMQPLane]
    private var events: [LinkEvent] = []
    private var reader: CheckedContinuation<Void, Never>?
    private var closed = false

    /// A link for these sensors: sensor i uses connection i modulo `connections`. A gateway has one connection.
    init(_ context: Runtime, serials: [SerialNumber], connections: Int, gateway: Gateway? = nil) {
        lanes = (0..<connections).map { lane in
            AMQPLane(
                context, number: lane, serials: serials,
                sensors: Array(stride(from: lane, to: serials.count, by: connections)), gateway: gateway
            )
        }
    }

    func start(wills: [Announcement]) async {
        for lane in lanes { await lane.start { [weak self] in await self?.post($0) } }
    }

    /// Does nothing: AMQP has no Last Will.
    func setWills(_ wills: [(sensor: Int, will: Announcement)]) {}

    func send(_ messages: [LinkMessage]) async {
        if lanes.count == 1 { return await lanes[0].send(messages) }
        var ofLanes = lanes.map { _ in [LinkMessage]() }
        for message in messages { ofLanes[message.sensor % lanes.count].append(message) }
        for (lane, messages) in zip(lanes, ofLanes) where !messages.isEmpty { await lane.send(messages) }
    }

    func nextEvents() async -> [LinkEvent]? {
        while events.isEmpty, !closed { await withCheckedContinuation { reader = $0 } }
        defer { events = [] }
        return events.isEmpty ? nil : events
    }

    func close() async {
        for lane in lanes { await lane.close() }
        closed = true
        post([])
    }

    private func post(_ new: [LinkEvent]) {
        events += new
        reader?.resume()
        reader = nil
    }
}

/// One connection with its sensors; it reconnects whenever the connection is lost.
actor AMQPLane {
    /// The maximum number of sensors with their own command queues: each queue needs a channel of the connection.
    static let sensorsMax = 1000
    /// The maximum number of messages passed to the connection at once.
    private static let batchMax = 256

    private let context: Runtime
    private let number: Int
    private let serials: [SerialNumber]
    private let sensors: [Int]
    private let gateway: Gateway?
    private var post: @Sendable ([LinkEvent]) async -> Void = { _ in }
    private let dataKeys: [Int: String]
    private var pending: ArraySlice<LinkMessage> = []
    private var sender: CheckedContinuation<Void, Never>?
    private var running: Task<Void, Never>?
    private var connection: BrokerConnection?
    private var closed = false

    /// - Parameter sensors: the indexes in `serials` of the sensors that use this connection.
    init(
        _ context: Runtime, number: Int, serials: [SerialNumber], sensors: [Int], gateway: Gateway?
    ) {
        self.context = context
        self.number = number
        self.serials = serials
        self.sensors = sensors
        self.gateway = gateway
        dataKeys = Dictionary(uniqueKeysWithValues: sensors.map { ($0, Routing.key(serials[$0], .data)) })
    }

    /// Connects; events are passed to `post`.
    func start(_ post: @escaping @Sendable ([LinkEvent]) async -> Void) {
        self.post = post
        running = Task { await self.run() }
    }

    func send(_ messages: [LinkMessage]) {
        pending += messages
        wakeSender()
    }

    func close() async {
        closed = true
        running?.cancel()
        wakeSender()
        // Outstanding confirms are not awaited: a broker that blocks publishers may never send them.
        await connection?.close()
        await running?.value
    }

    private func run() async {
        while !closed {
            do {
                let broker = try await context.retrying("connecting", part: "broker") {
                    try await context.openBroker(gateway == nil ? "sensors" : "gateway")
                }
                guard let broker else { return }
                connection = broker
                try await serve(broker)
                await broker.close()
            } catch {
                if closed { return }
                await post([.disconnected(lane: number, reason: "\(error)")])
                try? await Task.sleep(for: .milliseconds(200))
            }
        }
    }

    /// Sends and receives until the connection is lost or the link is closed.
    private func serve(_ broker: BrokerConnection) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            if let gateway {
                let consumer = try await gateway.consume(broker)
                group.addTask { try await self.receive(broker, consumer) { gateway.recipient(of: $0) } }
            } else {
                for sensor in sensors {
                    let serial = serials[sensor]
                    let queue = Topology.Queue(name: Routing.commandQueue(serial), kind: .classic)
                    let bindings = [Routing.key(serial, .command("#")), Routing.alarmsPattern(serial)].map {
                        Topology.Binding(source: Routing.exchange, destination: .queue(queue.name), key: $0)
                    }
                    try await broker.declare(Topology(exchanges: [], queues: [queue], bindings: bindings))
                    let consumer = try await broker.consume(ConsumerOptions(queue: queue.name, prefetch: 20))
                    group.addTask {
                        try await self.receive(broker, consumer) { key in
                            (try? Routing.parse(key: key)).map { (sensor, $0.subject) }
                        }
                    }
                }
            }
            pending = []
            await post([.connected(lane: number)])
            group.addTask { try await self.sendAll(broker) }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private func receive(
        _ broker: BrokerConnection, _ consumer: BrokerConnection.Consumer,
        _ recipient: @Sendable (_ key: String) -> (sensor: Int, subject: Routing.Subject)?
    ) async throws {
        while !Task.isCancelled {
            let batch = try await broker.nextBatch(consumer, upTo: 200)
            guard let last = batch.last else { return }
            await post(
                batch.compactMap { delivery in
                    recipient(delivery.key).flatMap {
                        LinkEvent(sensor: $0.sensor, subject: $0.subject, payload: delivery.body)
                    }
                })
            try await broker.acknowledge(consumer, upTo: last)
        }
    }

    /// Publishes in order; further messages are sent while confirms are outstanding.
    private func sendAll(_ broker: BrokerConnection) async throws {
        let (sent, continuation) = AsyncStream.makeStream(of: (BrokerConnection.Receipt, [UInt64]).self)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for await (receipt, tokens) in sent {
                    await self.settle(tokens, try await broker.outcomes(of: receipt))
                }
            }
            group.addTask {
                defer { continuation.finish() }
                while let batch = await self.nextBatch() {
                    continuation.yield((try await broker.send(batch.messages), batch.tokens))
                }
            }
            try await group.waitForAll()
        }
    }

    /// The next messages to send, at most `batchMax`; nil once the link is closed or the task is cancelled.
    private func nextBatch() async -> (messages: [OutgoingMessage], tokens: [UInt64])? {
        while pending.isEmpty, !closed, !Task.isCancelled {
            await withTaskCancellationHandler {
                await withCheckedContinuation { sender = $0 }
            } onCancel: {
                Task { await self.wakeSender() }
            }
        }
        guard !closed, !Task.isCancelled else { return nil }
        let batch = pending.prefix(Self.batchMax)
        pending = pending.dropFirst(batch.count)
        let messages = batch.map { message in
            OutgoingMessage(exchange: Routing.exchange, key: key(message), body: message.payload)
        }
        return (messages, batch.map(\.token))
    }

    private func key(_ message: LinkMessage) -> String {
        let known = message.subject == .data ? dataKeys[message.sensor] : nil
        return known ?? Routing.key(serials[message.sensor], message.subject)
    }

    private func settle(_ tokens: [UInt64], _ outcomes: [PublishOutcome]) async {
        await post(
            zip(tokens, outcomes).map { token, outcome in
                switch outcome {
                case .confirmed: .confirmed(token: token)
                case .refused: .notTaken(token: token, reason: "refused")
                case .unroutable: .notTaken(token: token, reason: "no queue")
                case .tooLarge: .refused(token: token)
                }
            })
    }

    private func wakeSender() {
        sender?.resume()
        sender = nil
    }
}
