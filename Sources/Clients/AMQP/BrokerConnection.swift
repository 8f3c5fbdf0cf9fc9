public import Broker
internal import ClientThread
public import Endpoint
internal import Model

/// A connection to the broker: publishes with confirms, consumes with prefetch, all on one thread of its own.
///
/// It does not reconnect. When the connection breaks, all calls that wait throw `BrokerError.lost`, and so do all later
/// calls: the owner opens another connection, because only the owner knows what to repeat.
/// Consume and publish over separate connections, so that a broker that blocks publishers does not block acknowledgements.
public actor BrokerConnection {
    /// A consumer of this connection.
    public struct Consumer: Sendable, Hashable {
        fileprivate let channel: UInt16
        /// The queue that the consumer reads.
        public let queue: String
    }

    /// A batch of messages that were sent and whose outcomes were not asked for yet.
    public struct Receipt: Sendable, Hashable {
        fileprivate let batch: Int
    }

    /// The most publishes that may wait for confirms; `publish` waits before it sends more.
    public static let inFlightMax = 4096
    /// The most bytes that may wait for confirms, unless one message is larger: the sockets' buffers hold as much even if
    /// the broker has stopped reading because of an alarm. A send that blocks would stop everything on this thread.
    public static let inFlightBytesMax = 1 << 20
    private static let heartbeatSeconds: Int32 = 20
    private static let publishChannel: UInt16 = 1
    /// The most frames that are handled before other jobs run.
    private static let framesPerTurnMax = 2000

    private struct Inbox {
        var options: ConsumerOptions
        var deliveries: [Delivery] = []
        var bytes = 0
        var waiter: CheckedContinuation<Void, Never>?
        var failure: BrokerError?

        mutating func take(_ delivery: Delivery) {
            bytes += delivery.body.count
            deliveries.append(delivery)
            wake()
        }

        mutating func wake() {
            waiter?.resume()
            waiter = nil
        }
    }

    private struct Batch {
        var outcomes: [PublishOutcome?]
        var sizes: [Int]
        var left: Int
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let endpoint: Endpoint
    private let name: String
    private let thread: ClientThread
    private var handle: AMQPHandle?
    private var failure: BrokerError?
    private var inboxes: [UInt16: Inbox] = [:]
    private var batches: [Int: Batch] = [:]
    private var confirms = ConfirmTable()
    private var confirmsSelected = false
    private var inFlightBytes = 0
    private var room: [CheckedContinuation<Void, Never>] = []
    private var nextChannel: UInt16 = 2
    private var nextBatchNumber = 0
    private var paused = false
    private var drainScheduled = false

    /// The broker's product and version, such as "RabbitMQ 4.0.5"; nil if the broker sent neither.
    public private(set) var product: String?

    /// Why the broker blocks publishers (a memory or disk alarm); nil while it accepts publishes.
    public private(set) var blockedReason: String?

    /// The connection's own thread.
    nonisolated public var unownedExecutor: UnownedSerialExecutor { unsafe thread.asUnownedSerialExecutor() }

    private init(_ endpoint: Endpoint, name: String) {
        self.endpoint = endpoint
        self.name = name
        thread = ClientThread(name: "amqp")
    }

    deinit { thread.stop() }

    /// Connects, within about 15 s.
    /// - Parameter name: the connection's name in the broker's own tools.
    /// - Throws: `BrokerError`: `unreachable` or `refused`.
    public static func open(_ endpoint: Endpoint, name: String) async throws -> BrokerConnection {
        let connection = BrokerConnection(endpoint, name: name)
        try await connection.connect()
        return connection
    }

    private func connect() throws(BrokerError) {
        let handle = try AMQPHandle()
        try handle.connect(endpoint, name: name, heartbeatSeconds: Self.heartbeatSeconds)
        try handle.openChannel(Self.publishChannel)
        product = handle.product
        self.handle = consume handle
        watch()
    }

    /// Closes the connection gracefully. Calls that still wait throw `lost`; wait for confirms before.
    public func close() {
        guard handle != nil else { return }
        handle?.close()
        end(.lost("closed by this program"))
    }

    // MARK: topology

    /// Creates the exchanges, queues and bindings that do not exist.
    /// - Throws: `BrokerError.rejected` if one exists with other arguments (406) or if permission is missing (403).
    public func declare(_ topology: Topology) throws {
        try onChannelOfItsOwn { handle, channel throws(BrokerError) in
            for queue in topology.queues { _ = try handle.declare(queue, channel) }
            // MQTT 3.1.1 confirms a publish to an exchange without bindings, and the message is lost. So each exchange gets
            // its bindings before the next one is declared; the one that devices publish to is the last.
            for exchange in topology.exchanges {
                try handle.declare(exchange, channel)
                for binding in topology.bindings where binding.source == exchange.name {
                    try handle.bind(binding, channel)
                }
            }
            let bound = topology.exchanges.map(\.name)
            for binding in topology.bindings where !bound.contains(binding.source) {
                try handle.bind(binding, channel)
            }
        }
    }

    /// Creates a queue unless it exists.
    /// - Returns: its name, which the broker chose if it was empty.
    public func declare(_ queue: Topology.Queue) throws -> String {
        try onChannelOfItsOwn { handle, channel throws(BrokerError) in try handle.declare(queue, channel).name }
    }

    /// The number of messages in a queue; nil if the queue does not exist.
    public func messageCount(of queue: Topology.Queue) throws -> Int? {
        do {
            return try onChannelOfItsOwn { handle, channel throws(BrokerError) in
                try handle.declare(queue, channel, passive: true).messages
            }
        } catch BrokerError.rejected(_, 404, _) {
            return nil
        }
    }

    /// Runs `body` on a new channel: the broker closes the channel after an error, which then affects nothing else.
    func onChannelOfItsOwn<Result>(
        _ body: (borrowing AMQPHandle, UInt16) throws(BrokerError) -> Result
    ) throws -> Result {
        let channel = allocateChannel()
        return try call { handle throws(BrokerError) in
            try handle.openChannel(channel)
            let result = try body(handle, channel)
            try handle.closeChannel(channel)
            return result
        }
    }

    // MARK: publishing

    /// Publishes messages in order and waits for the broker's confirm of each.
    ///
    /// While the broker blocks publishers or `inFlightMax` publishes wait, this waits too. Several calls may be active at
    /// once; each keeps its own order.
    /// - Returns: the outcome of each message.
    /// - Throws: `BrokerError.lost`: some messages may have arrived; publish those again that must not be lost.
    public func publish(_ messages: [OutgoingMessage]) async throws -> [PublishOutcome] {
        try await outcomes(of: await send(messages))
    }

    /// Sends messages in order, and waits only while too many wait for confirms: the next messages need not wait for the
    /// confirms of these. Only one task may call it, otherwise the order between calls is undefined.
    /// - Returns: the receipt to call `outcomes` with, which the caller must do.
    /// - Throws: as `publish`.
    public func send(_ messages: [OutgoingMessage]) async throws -> Receipt {
        if !confirmsSelected {
            try call { handle throws(BrokerError) in try handle.selectConfirms(Self.publishChannel) }
            confirmsSelected = true
        }
        let number = nextBatchNumber
        nextBatchNumber += 1
        batches[number] = Batch(
            outcomes: Array(repeating: nil, count: messages.count), sizes: Array(repeating: 0, count: messages.count),
            left: messages.count)
        do {
            for (position, message) in messages.enumerated() {
                if !hasRoom(bytes: message.body.count) { try await waitForRoom(bytes: message.body.count) }
                try send(message, ConfirmTable.Slot(batch: number, position: position))
            }
        } catch {
            batches[number] = nil
            throw error
        }
        return Receipt(batch: number)
    }

    /// Waits for the broker's confirm of each message of `receipt`; to be called once.
    /// - Returns: the outcome of each message, in order.
    /// - Throws: as `publish`.
    public func outcomes(of receipt: Receipt) async throws -> [PublishOutcome] {
        let number = receipt.batch
        defer { batches[number] = nil }
        while let batch = batches[number], batch.left > 0 {
            if let failure { throw failure }
            await withCheckedContinuation { batches[number]?.waiter = $0 }
        }
        return batches[number]?.outcomes.compactMap { $0 } ?? []
    }

    private func send(_ message: OutgoingMessage, _ place: ConfirmTable.Slot) throws {
        guard message.body.count <= OutgoingMessage.bodyBytesMax, message.key.utf8.count <= 255 else {
            settle(ConfirmTable.Settled(place: place, outcome: .tooLarge))
            return
        }
        let tag = confirms.add(place)
        batches[place.batch]?.sizes[place.position] = message.body.count
        inFlightBytes += message.body.count
        try call { handle throws(BrokerError) in try handle.publish(message, tag: tag, Self.publishChannel) }
    }

    private func hasRoom(bytes: Int) -> Bool {
        blockedReason == nil && confirms.count < Self.inFlightMax
            && (inFlightBytes == 0 || inFlightBytes + bytes <= Self.inFlightBytesMax)
    }

    private func waitForRoom(bytes: Int) async throws {
        while failure == nil, !hasRoom(bytes: bytes) {
            await withCheckedContinuation { room.append($0) }
        }
        if let failure { throw failure }
    }

    private func settle(_ settled: ConfirmTable.Settled) {
        let number = settled.place.batch
        inFlightBytes -= batches[number]?.sizes[settled.place.position] ?? 0
        batches[number]?.outcomes[settled.place.position] = settled.outcome
        batches[number]?.left -= 1
        guard batches[number]?.left == 0 else { return }
        batches[number]?.waiter?.resume()
        batches[number]?.waiter = nil
    }

    private func letIn() {
        let waiting = room
        room = []
        for waiter in waiting { waiter.resume() }
    }

    // MARK: consuming

    /// Starts a consumer of a queue.
    /// - Throws: `BrokerError.rejected` if the queue does not exist (404) or is another connection's exclusive queue (405).
    public func consume(_ options: ConsumerOptions) throws -> Consumer {
        let channel = allocateChannel()
        inboxes[channel] = Inbox(options: options)
        do {
            try call { handle throws(BrokerError) in
                try handle.openChannel(channel)
                try handle.consume(options, channel)
            }
        } catch {
            inboxes[channel] = nil
            throw error
        }
        return Consumer(channel: channel, queue: options.queue)
    }

    /// Waits for a message, then for `linger` so that more may join it, and returns them.
    /// - Parameters:
    ///   - linger: how long the first message waits for further ones.
    ///   - timeout: how long to wait for the first message; nil: indefinitely.
    /// - Returns: 1…`countMax` deliveries in order; none if the task was cancelled or the timeout passed.
    /// - Throws: `BrokerError.lost`, `undeliverable`, `cancelled` or `rejected`, once all earlier deliveries were returned.
    public func nextBatch(
        _ consumer: Consumer, upTo countMax: Int, linger: Duration = .zero, timeout: Duration? = nil
    ) async throws -> [Delivery] {
        let channel = consumer.channel
        try await waitForDelivery(channel, until: timeout.map { .now + $0 })
        if linger > .zero, let inbox = inboxes[channel], inbox.deliveries.count < countMax, inbox.failure == nil,
            inbox.bytes < inbox.options.inboxBytesMax
        {
            try? await Task.sleep(for: linger)
        }
        return take(countMax, from: channel)
    }

    private func waitForDelivery(_ channel: UInt16, until deadline: ContinuousClock.Instant?) async throws {
        let timer = deadline.map { deadline in
            Task {
                try await Task.sleep(until: deadline)
                self.wake(channel)
            }
        }
        defer { timer?.cancel() }
        while !Task.isCancelled, deadline.map({ .now < $0 }) != false {
            guard let inbox = inboxes[channel] else { throw failure ?? .lost("the consumer was stopped") }
            if !inbox.deliveries.isEmpty { return }
            if let failure = inbox.failure ?? failure { throw failure }
            await withTaskCancellationHandler {
                await withCheckedContinuation { waiter in
                    if Task.isCancelled { waiter.resume() } else { inboxes[channel]?.waiter = waiter }
                }
            } onCancel: {
                Task { await self.wake(channel) }
            }
        }
    }

    private func take(_ countMax: Int, from channel: UInt16) -> [Delivery] {
        guard var inbox = inboxes.removeValue(forKey: channel) else { return [] }
        var taken = inbox.deliveries
        if taken.count > countMax {
            inbox.deliveries = Array(taken[countMax...])
            taken.removeLast(taken.count - countMax)
        } else {
            inbox.deliveries = []
        }
        inbox.bytes = inbox.deliveries.reduce(0) { $0 + $1.body.count }
        inboxes[channel] = inbox
        if paused, !isOverBudget { resumeReading() }
        return taken
    }

    /// Acknowledges all deliveries of this consumer up to `delivery`.
    public func acknowledge(_ consumer: Consumer, upTo delivery: Delivery) throws {
        try call { handle throws(BrokerError) in try handle.acknowledge(upTo: delivery.tag, consumer.channel) }
    }

    /// Rejects a delivery: its queue sends it to the dead-letter exchange. (On a stream this is an acknowledgement.)
    public func reject(_ consumer: Consumer, _ delivery: Delivery) throws {
        try call { handle throws(BrokerError) in try handle.reject(delivery.tag, consumer.channel) }
    }

    /// Ends a consumer. `nextBatch` still returns the messages that are on their way; a consumer without acknowledgements
    /// must read them, because the broker has deleted them.
    public func cancel(_ consumer: Consumer) throws {
        try call { handle throws(BrokerError) in try handle.cancel(consumer.channel) }
    }

    /// Ends a consumer and its channel; messages that were not acknowledged return to the queue.
    public func stopConsuming(_ consumer: Consumer) throws {
        let inbox = inboxes.removeValue(forKey: consumer.channel)
        inbox?.waiter?.resume()
        try call { handle throws(BrokerError) in try handle.closeChannel(consumer.channel) }
        if paused, !isOverBudget { resumeReading() }
    }

    private func wake(_ channel: UInt16) { inboxes[channel]?.wake() }

    // MARK: the socket

    private var isOverBudget: Bool { inboxes.values.contains { $0.bytes >= $0.options.inboxBytesMax } }

    /// Watches the socket; while paused only the timer runs, because heartbeats must still be sent.
    private func watch() {
        guard let descriptor = handle?.descriptor else { return }
        thread.watch(descriptor: paused ? -1 : descriptor, every: .seconds(5)) { [weak self] in
            self?.assumeIsolated { $0.turn() }
        }
    }

    private func resumeReading() {
        paused = false
        watch()
        scheduleDrain()
    }

    private func turn() {
        guard paused else { return drain() }
        do throws(BrokerError) { try handle?.sendHeartbeat() } catch { fail(error) }
    }

    /// Handles received frames, up to `framesPerTurnMax` and each inbox's byte budget.
    private func drain() {
        drainScheduled = false
        for _ in 0..<Self.framesPerTurnMax {
            if isOverBudget {
                paused = true
                return watch()
            }
            do throws(BrokerError) {
                guard let incoming = try handle?.next() else { return }
                if case .nothing = incoming { return }
                handleIncoming(incoming)
            } catch {
                return fail(error)
            }
        }
        scheduleDrain()
    }

    /// Continues in a job of its own: poll(2) does not see data that the library has read already.
    private func scheduleDrain() {
        guard !drainScheduled, !paused else { return }
        drainScheduled = true
        Task { self.drain() }
    }

    private func handleIncoming(_ incoming: AMQPHandle.Incoming) {
        switch incoming {
        case .nothing, .other: break
        case .delivery(let channel, let delivery):
            guard let inbox = inboxes.index(forKey: channel) else { return }
            inboxes.values[inbox].take(delivery)
        case .confirm(let tag, let multiple, let ok):
            for settled in confirms.settle(tag, multiple: multiple, ok: ok) { settle(settled) }
            if confirms.count < Self.inFlightMax { letIn() }
        case .returned(let tag):
            if let tag { confirms.noteReturn(of: tag) }
        case .blocked(let reason): blockedReason = reason.isEmpty ? "no reason given" : reason
        case .unblocked:
            blockedReason = nil
            letIn()
        case .cancelled(let channel):
            let queue = inboxes[channel]?.options.queue ?? "?"
            inboxes[channel]?.failure = .cancelled(queue: queue)
            wake(channel)
        case .channelClosed(let channel, let code, let text):
            fail(.closed(code: code, "channel \(channel) closed by the broker: \(code) \(text)"))
        case .connectionClosed(let code, let text):
            fail(.closed(code: code, "connection closed by the broker: \(code) \(text)"))
        }
    }

    /// Ends the connection: all calls that wait, and all later ones, throw the error, with the broker's address.
    private func fail(_ error: BrokerError) { end(error.naming("\(endpoint)")) }

    private func end(_ error: BrokerError) {
        guard failure == nil else { return }
        failure = error
        thread.unwatch()
        handle = nil
        for channel in inboxes.keys { wake(channel) }
        for number in batches.keys {
            batches[number]?.waiter?.resume()
            batches[number]?.waiter = nil
        }
        letIn()
    }

    private func allocateChannel() -> UInt16 {
        defer { nextChannel = nextChannel == 2047 ? 2 : nextChannel + 1 }
        while inboxes[nextChannel] != nil { nextChannel = nextChannel == 2047 ? 2 : nextChannel + 1 }
        return nextChannel
    }

    /// Calls the library; an error that breaks the connection ends it for all calls.
    private func call<Result>(_ body: (borrowing AMQPHandle) throws(BrokerError) -> Result) throws -> Result {
        do throws(BrokerError) {
            guard let result = try handle?.perform(body) else { throw failure ?? .lost("not connected") }
            if handle?.hasBuffered == true { scheduleDrain() }
            return result
        } catch {
            guard error.endsConnection else { throw error }
            fail(error)
            throw failure ?? error
        }
    }
}
