internal import ClientThread
public import Endpoint

/// Many MQTT clients of one broker in one process, on one thread and one epoll set, with a connection for each client.
///
/// - Clients connect by themselves, a bounded number at a time, and reconnect after each disconnect (`ConnectPlan`).
/// - Calls pass values in batches: `publish` takes many messages, `nextEvents` returns all events since the last call.
/// - The fleet queues nothing: it refuses a message that it cannot send now, and it forgets the messages in flight when
///   a connection breaks. The caller keeps messages until they are confirmed.
/// - If the caller does not take the events, the fleet stops reading the sockets at a limit (`FleetLimits`).
///
/// Call `close` at the end: the broker publishes the Last Wills of clients that do not send a DISCONNECT.
public actor MQTTFleet {
    private struct Client {
        var configuration: ClientConfiguration
        var handle: MosquittoHandle?
        var connection = 0
        var isAccepted = false
        var isOnline = false
        var wantsWrite = true
        var subscribing: [Int32: String] = [:]
        var inFlight: [Int32: UInt64] = [:]
    }

    private enum Phase: Equatable {
        case open
        case draining(until: ContinuousClock.Instant)
        case leaving(until: ContinuousClock.Instant)
        case closed
    }

    /// The thread of all clients, on which all code of this actor runs.
    public nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe thread.asUnownedSerialExecutor() }

    private static let turnInterval = Duration.milliseconds(50)
    private static let upkeepInterval = Duration.milliseconds(500)
    private static let leavingTimeout = Duration.seconds(2)
    private static let addressesValid = Duration.seconds(10)

    private let server: Endpoint.Host
    private let limits: FleetLimits
    private let thread: ClientThread
    private let sockets: EpollSet
    private let resolver = HostResolver()
    private var clients: [Client] = []
    private var plan: ConnectPlan
    private var phase = Phase.open
    private var inFlight = 0
    private var unconfirmedAtEnd = 0
    private var events: [FleetEvent] = []
    private var eventBytes = 0
    private var isPaused = false
    private var consumer: CheckedContinuation<[FleetEvent]?, Never>?
    private var closers: [CheckedContinuation<Void, Never>] = []
    private var addresses: [String] = []
    private var addressesSince: ContinuousClock.Instant?
    private var isResolving = false
    private var upkeepDue = ContinuousClock.now

    /// A fleet without clients for the broker at `endpoint`. Starts the fleet's thread. Each client has its own login.
    /// - Throws: `EndpointError` if the endpoint asks for TLS; another error if the process has no descriptor left.
    public init(_ endpoint: Endpoint, limits: FleetLimits = FleetLimits()) throws {
        try endpoint.requirePlain()
        sockets = try EpollSet()
        server = endpoint.host
        self.limits = limits
        plan = ConnectPlan(limits: limits)
        thread = ClientThread(name: "mqtt")
        let descriptor = sockets.descriptor
        thread.watch(descriptor: descriptor, every: Self.turnInterval) { [weak self] in
            self?.assumeIsolated { $0.turn() }
        }
    }

    deinit { thread.stop() }

    // MARK: clients

    /// Adds clients, which connect by themselves as soon as it is their turn.
    /// - Returns: the clients' numbers.
    public func add(_ configurations: [ClientConfiguration]) -> Range<Int> {
        let first = clients.count
        let now = ContinuousClock.now
        for configuration in configurations {
            clients.append(Client(configuration: configuration))
            plan.add(at: now)
        }
        startConnecting(now)
        return first..<clients.count
    }

    /// Changes the Last Wills of clients, with effect from their next connections.
    public func setWills(_ wills: [(client: Int, will: Will)]) {
        for (client, will) in wills { clients[client].configuration.will = will }
    }

    /// The current counts.
    public var counts: FleetCounts {
        var counts = FleetCounts()
        counts.clients = clients.count
        counts.online = clients.count { $0.isOnline }
        counts.connecting = plan.connecting
        counts.inFlight = inFlight
        counts.eventsWaiting = events.count
        return counts
    }

    // MARK: messages

    /// Sends messages through their clients, in order. For each message that is sent, a `confirmed`, a `returned` or a
    /// `disconnected` of its client follows.
    /// - Returns: the messages that were not sent, with the reasons.
    public func publish(_ batch: [Outgoing]) -> [Refusal] {
        var refusals: [Refusal] = []
        for message in batch {
            if let cause = send(message) { refusals.append(Refusal(token: message.token, cause: cause)) }
        }
        deliver()
        return refusals
    }

    /// All events since the last call; waits until there is one. Must be called by one task only.
    ///
    /// - Returns: nil once the fleet is closed and all events have been taken, and if the task is cancelled.
    public func nextEvents() async -> [FleetEvent]? {
        if !events.isEmpty { return takeEvents() }
        if phase == .closed || Task.isCancelled { return nil }
        precondition(consumer == nil, "two tasks take the events of one fleet")
        return await withTaskCancellationHandler {
            await withCheckedContinuation { consumer = $0 }
        } onCancel: {
            Task { await self.dismissConsumer() }
        }
    }

    /// All events since the last call of this method or of `nextEvents`; does not wait.
    public func eventsSoFar() -> [FleetEvent] { takeEvents() }

    /// Waits for the outstanding confirms, at most for `timeout`, then sends a DISCONNECT for each client (so that the
    /// broker publishes no Last Will) and ends the thread. Later publishes are refused; `nextEvents` returns the
    /// remaining events, then nil.
    /// - Returns: the number of messages that were still unconfirmed.
    public func close(confirmsWithin timeout: Duration = .seconds(5)) async -> Int {
        if phase == .closed { return unconfirmedAtEnd }
        if phase == .open { phase = .draining(until: .now + timeout) }
        await withCheckedContinuation { closer in
            closers.append(closer)
            turn()
        }
        return unconfirmedAtEnd
    }

    private func send(_ message: Outgoing) -> Refusal.Cause? {
        let client = message.client
        let overhead = 10 + message.topic.utf8.count  // header, length of the topic, message id, no properties
        guard message.payload.count + overhead <= FleetLimits.packetBytesMax else { return .tooLarge }
        guard MosquittoHandle.isTopic(message.topic) else { return .badTopic }
        guard phase == .open, clients[client].isOnline, clients[client].connection == message.connection,
            let handle = clients[client].handle
        else { return .notConnected }
        guard clients[client].inFlight.count < limits.inFlightMax else { return .windowFull }
        do throws(HandleError) {
            let id = try handle.publish(topic: message.topic, payload: message.payload)
            clients[client].inFlight[id] = message.token
            inFlight += 1
            try watchForWriting(client)
            return nil
        } catch {
            end(client, error.text)
            return .notConnected
        }
    }

    // MARK: the loop

    /// Runs on the thread when a socket is ready, and at least every 50 ms.
    private func turn() {
        let now = ContinuousClock.now
        if !isPaused { serveSockets() }
        if now >= upkeepDue {
            upkeepDue = now + Self.upkeepInterval
            upkeep(now)
        }
        startConnecting(now)
        advanceClosing(now)
        deliver()
    }

    private func serveSockets() {
        for _ in 0..<8 {
            let ready = sockets.ready()
            for readiness in ready { serve(readiness) }
            if ready.count < EpollSet.readyMax || isOverfull { return }
        }
    }

    private func serve(_ readiness: EpollSet.Readiness) {
        let client = Int(readiness.tag >> 32)
        // A connection that ended earlier in this round may still be among the ready sockets.
        guard UInt32(truncatingIfNeeded: clients[client].connection) == UInt32(truncatingIfNeeded: readiness.tag),
            let handle = clients[client].handle
        else { return }
        var failure: HandleError?
        do throws(HandleError) {
            if readiness.failed, let socket = handle.socket, let error = EpollSet.error(of: socket) {
                throw HandleError(error)
            }
            if readiness.writable { try handle.write() }
            if readiness.readable || readiness.failed { try handle.read() }
        } catch { failure = error }
        do throws(HandleError) {
            try absorb(client)  // also after a failure: confirms received before it count
            if failure == nil { try watchForWriting(client) }
        } catch { failure = error }
        if let failure { end(client, failure.text) }
    }

    /// Handles the events that libmosquitto's callbacks have recorded.
    private func absorb(_ client: Int) throws(HandleError) {
        guard let handle = clients[client].handle else { return }
        for event in handle.takeEvents() {
            switch event {
            case .accepted:
                clients[client].isAccepted = true
                for topic in clients[client].configuration.subscriptions {
                    clients[client].subscribing[try handle.subscribe(topic)] = topic
                }
                goOnlineIfReady(client)
            case .refused(let text): throw HandleError(text)
            case .subscribed(let id, let isGranted):
                let topic = clients[client].subscribing.removeValue(forKey: id)
                if let topic, !isGranted { note(.subscriptionRefused(client: client, topic: topic)) }
                goOnlineIfReady(client)
            case .confirmed(let id):
                guard let token = clients[client].inFlight.removeValue(forKey: id) else { continue }
                inFlight -= 1
                note(.confirmed(client: client, token: token))
            case .returned(let id, let reason):
                guard let token = clients[client].inFlight.removeValue(forKey: id) else { continue }
                inFlight -= 1
                note(.returned(client: client, token: token, reason: reason))
            case .dismissed(let reason): throw HandleError("the broker closed the connection: \(reason)")
            case .message(let topic, let payload):
                eventBytes += payload.count
                note(.message(client: client, topic: topic, payload: payload))
            }
        }
    }

    private func goOnlineIfReady(_ client: Int) {
        guard !clients[client].isOnline, clients[client].isAccepted, clients[client].subscribing.isEmpty else { return }
        clients[client].isOnline = true
        plan.succeeded(client, at: .now)
        note(.connected(client: client, connection: clients[client].connection))
    }

    private func watchForWriting(_ client: Int) throws(HandleError) {
        guard let handle = clients[client].handle, let socket = handle.socket,
            handle.wantsWrite != clients[client].wantsWrite
        else { return }
        clients[client].wantsWrite.toggle()
        try sockets.watch(
            socket: socket, tag: tag(of: client), isNew: false, wantsWrite: clients[client].wantsWrite)
    }

    private func tag(of client: Int) -> UInt64 {
        UInt64(client) << 32 | UInt64(UInt32(truncatingIfNeeded: clients[client].connection))
    }

    /// Sends keep-alives and ends connection attempts that exceed the time limit.
    private func upkeep(_ now: ContinuousClock.Instant) {
        for client in plan.overdue(at: now) { end(client, "no answer within \(limits.connectTimeout)") }
        for client in clients.indices {
            guard let handle = clients[client].handle else { continue }
            do throws(HandleError) {
                try handle.keepAlive()
                try watchForWriting(client)
            } catch { end(client, error.text) }
        }
    }

    // MARK: connecting

    private func startConnecting(_ now: ContinuousClock.Instant) {
        guard phase == .open, plan.waiting > 0, !isResolving else { return }
        guard let since = addressesSince, now - since < Self.addressesValid else {
            isResolving = true
            Task { await resolve() }
            return
        }
        for client in plan.start(at: now) { connect(client) }
    }

    private func resolve() async {
        do throws(HandleError) {
            addresses = try await resolver.addresses(of: server.name)
            addressesSince = .now
        } catch {
            for client in plan.start(at: .now) { end(client, error.text) }
            try? await Task.sleep(for: limits.backoffFirst)
        }
        isResolving = false
        startConnecting(.now)
        deliver()
    }

    private func connect(_ client: Int) {
        clients[client].connection += 1
        clients[client].wantsWrite = true
        let address = addresses[clients[client].connection % addresses.count]
        do throws(HandleError) {
            let configuration = clients[client].configuration
            let handle = try MosquittoHandle(configuration: configuration, inFlightMax: limits.inFlightMax)
            clients[client].handle = handle
            try handle.connect(
                address: address, port: server.port, keepAliveSeconds: configuration.keepAliveSeconds)
            guard let socket = handle.socket else { throw HandleError("no socket") }
            try sockets.watch(socket: socket, tag: tag(of: client), isNew: true, wantsWrite: true)
        } catch { end(client, error.text) }
    }

    /// Ends a connection or a connection attempt for that reason.
    private func end(_ client: Int, _ reason: String) {
        let configuration = clients[client].configuration
        let what = clients[client].isAccepted ? "connection to \(server) lost" : "cannot connect to \(server)"
        clients[client].handle = nil
        clients[client].isAccepted = false
        clients[client].isOnline = false
        clients[client].subscribing.removeAll()
        inFlight -= clients[client].inFlight.count
        clients[client].inFlight.removeAll(keepingCapacity: true)
        plan.failed(client, at: .now)
        let who = "client \(configuration.clientID), user \(configuration.user)"
        note(.disconnected(client: client, reason: "\(what) (\(who)): \(reason)"))
    }

    // MARK: events

    private var isOverfull: Bool { events.count >= limits.eventsMax || eventBytes >= limits.eventBytesMax }

    private func note(_ event: FleetEvent) { events.append(event) }

    private func takeEvents() -> [FleetEvent] {
        let taken = events
        events.removeAll()
        eventBytes = 0
        pauseIfOverfull()
        return taken
    }

    /// Resumes the waiting consumer with the events.
    private func deliver() {
        if let waiting = consumer, !events.isEmpty || phase == .closed {
            consumer = nil
            waiting.resume(returning: events.isEmpty ? nil : takeEvents())
        }
        pauseIfOverfull()
    }

    private func dismissConsumer() {
        consumer?.resume(returning: nil)
        consumer = nil
    }

    /// Stops reading the sockets while too many events wait, and resumes when the consumer has taken them.
    private func pauseIfOverfull() {
        guard isPaused != isOverfull, phase != .closed else { return }
        isPaused.toggle()
        let descriptor = isPaused ? -1 : sockets.descriptor
        thread.watch(descriptor: descriptor, every: Self.turnInterval) { [weak self] in
            self?.assumeIsolated { $0.turn() }
        }
    }

    // MARK: closing

    private func advanceClosing(_ now: ContinuousClock.Instant) {
        if case .draining(let until) = phase, inFlight == 0 || now >= until {
            unconfirmedAtEnd = inFlight
            phase = .leaving(until: now + Self.leavingTimeout)
            for client in clients.indices { leave(client) }
        }
        guard case .leaving(let until) = phase else { return }
        for client in clients.indices {
            guard let handle = clients[client].handle else { continue }
            if handle.socket == nil || !handle.wantsWrite || now >= until { clients[client].handle = nil }
        }
        if clients.contains(where: { $0.handle != nil }) { return }
        for client in clients.indices { clients[client].isOnline = false }
        inFlight = 0
        phase = .closed
        thread.unwatch()
        deliver()
        for closer in closers { closer.resume() }
        closers.removeAll()
        thread.stop()
    }

    /// Sends a DISCONNECT. Received bytes are read first: unread bytes would turn the close into a TCP reset, after
    /// which the broker would publish the Last Will.
    private func leave(_ client: Int) {
        guard clients[client].isOnline, let handle = clients[client].handle else {
            clients[client].handle = nil
            return
        }
        try? handle.read()
        handle.disconnect()
        try? watchForWriting(client)
    }
}
