internal import AMQP
internal import Broker
internal import Logging
internal import Messaging
internal import Model
internal import Service
internal import Time
internal import Wire

/// Reads the alarm stream for one client from its place on. The database has no part in it.
///
/// What is read and not yet taken by the client is bounded by the prefetch and by the inbox: a client that reads slowly slows
/// down its own reader, and nothing else.
struct AlarmReader {
    /// The most messages that the broker delivers ahead.
    static let prefetch: UInt16 = 200
    /// The most bytes that wait in this process for one client.
    static let inboxBytesMax = 1 << 20
    /// How long nothing is sent before the place is told again: it says that the stream is alive, and moves on the token of a
    /// client whose selection fits little.
    static let idle: Duration = .seconds(15)
    /// How long the broker may take to deliver the message that a token names.
    static let anchorTimeout: Duration = .seconds(5)
    /// How long a stream that has messages may take to deliver one; nothing comes from an empty one.
    static let endTimeout: Duration = .seconds(1)
    /// Tries to get past a message that the broker can't deliver, before the client is sent away.
    static let triesMax = 20

    private let context: Runtime
    private let selection: AlarmSelection
    private var token: AlarmToken
    /// Whether the next message may have any offset: the client did not say what it has seen last.
    private var isOpen: Bool
    private var startsNow: Bool
    private var stepOver = StepOver(full: AlarmReader.prefetch)

    /// A reader for one client.
    /// - Throws: `ControlError.invalid` for a token that is none.
    init(_ context: Runtime, _ start: WatchAlarmsRequest.Start, _ selection: AlarmSelection) throws(ControlError) {
        self.context = context
        self.selection = selection
        startsNow = start == .now
        switch start {
        case .now, .beginning:
            token = .beginning
            isOpen = true
        case .after(let text):
            guard let token = AlarmToken(text) else { throw .invalid("after: '\(text.prefix(64))' is no token") }
            self.token = token
            isOpen = token == .beginning
        }
    }

    /// Reads until the task is cancelled, and gives each batch to `send` before it reads on. The first response has no alarm:
    /// it tells the place, and that every alarm from now on will come.
    /// - Throws: `ControlError`: `outOfRange` if alarms between the client's place and the oldest in the stream are gone,
    ///   `unavailable`; `BrokerError`; and the error that `send` throws.
    mutating func run(_ send: ([WatchAlarmsResponse]) async throws -> Void) async throws {
        var tries = 0
        while !Task.isCancelled {
            do {
                try await context.withBroker("watch", part: nil) { broker in try await read(from: broker, send) }
            } catch BrokerError.undeliverable(let why) {
                tries += 1
                guard tries < Self.triesMax else { throw BrokerError.undeliverable(why) }
                context.logger.info("\(Routing.alarmStream): \(why); reading with care")
                if !stepOver.noteDeath(next: (offset ?? -1) + 1) { try await Task.sleep(for: .milliseconds(500)) }
            }
        }
    }

    private var offset: Int64? {
        if case .behind(let offset, _) = token { offset } else { nil }
    }

    private mutating func read(
        from broker: BrokerConnection, _ send: ([WatchAlarmsResponse]) async throws -> Void
    ) async throws {
        stepOver.begin(isAnchored: false)
        if startsNow { token = try await end(of: broker) }
        let start = stepOver.start
        let consumer = try await broker.consume(
            ConsumerOptions(
                queue: Routing.alarmStream, prefetch: stepOver.ahead,
                offset: startsNow ? .next : (start ?? offset).map(StreamOffset.offset) ?? .first,
                inboxBytesMax: Self.inboxBytesMax))
        var cursor = startsNow ? StreamCursor(committed: nil, fingerprint: nil) : self.cursor
        var isFound = startsNow || offset == nil || start != nil
        startsNow = false
        // Only a place that is there may be told.
        if isFound { try await send([WatchAlarmsResponse(token: token.text)]) }
        while !Task.isCancelled {
            let deliveries = try await broker.nextBatch(
                consumer, upTo: Int(Self.prefetch), timeout: isFound ? Self.idle : Self.anchorTimeout)
            if Task.isCancelled { return }
            guard let last = deliveries.last else {
                if !isFound { try await find(cursor, broker) }
                guard noteAlive(at: nil) else { return }
                try await send([WatchAlarmsResponse(token: token.text)])
                continue
            }
            var fresh: [Delivery] = []
            for delivery in deliveries {
                let offset = delivery.streamOffset ?? 0
                if let start, offset >= start { cursor.pass(start - 1) }
                if try take(delivery, offset, &cursor) { fresh.append(delivery) }
            }
            if !isFound {
                isFound = true
                stepOver.begin(isAnchored: true)
                try await send([WatchAlarmsResponse(token: token.text)])
            }
            if let first = fresh.first {
                guard noteAlive(at: first.streamOffset) else { return }
                try await send(responses(fresh))
                if stepOver.noteStored(fresh.count) { return }
            }
            try await broker.acknowledge(consumer, upTo: last)
        }
    }

    private var cursor: StreamCursor {
        switch token {
        case .beginning: StreamCursor(committed: nil, fingerprint: nil)
        case .behind(let offset, let fingerprint): StreamCursor(committed: offset, fingerprint: fingerprint)
        }
    }

    /// Whether a message is new to the client.
    private mutating func take(
        _ delivery: Delivery, _ offset: Int64, _ cursor: inout StreamCursor
    ) throws(ControlError) -> Bool {
        switch cursor.note(offset: offset, fingerprint: { Fingerprint.message(key: delivery.key, body: delivery.body) })
        {
        case .skip: return false
        case .take: break
        case .takeAfterHole(let gone):
            // At the head of a segment one offset is no message.
            guard isOpen || gone.count == 1 else {
                throw .outOfRange(
                    "the alarm stream has dropped its messages \(gone.lowerBound) to \(gone.upperBound), which this client has "
                        + "not seen; get alarms from the database, and watch from the beginning or from now on")
            }
        case .reset: throw Self.otherStream
        }
        isOpen = false
        return true
    }

    private static let otherStream = ControlError.outOfRange(
        "the alarm stream was created again since this token; watch from the beginning")

    /// The broker has not delivered the message that the token names.
    /// - Throws: `outOfRange` if the stream ends before it, `unavailable` if it should be there.
    private func find(_ cursor: StreamCursor, _ broker: BrokerConnection) async throws {
        let newest = try await broker.message(of: Routing.alarmStream, at: .last, timeout: Self.anchorTimeout)
        if Task.isCancelled { return }
        guard let newest else { throw Self.otherStream }
        // The newest chunk begins with this message; what the token names may stand further back in it.
        if cursor.isReset(tail: newest.streamOffset) { throw Self.otherStream }
        throw ControlError.unavailable("the broker did not deliver from the alarm stream")
    }

    /// The place of the newest chunk: what is published after this comes behind it.
    private func end(of broker: BrokerConnection) async throws -> AlarmToken {
        let stream = Topology.Queue(name: Routing.alarmStream, kind: .stream)
        guard try await broker.messageCount(of: stream) != nil else {
            throw ControlError.unavailable("the broker has no stream \(Routing.alarmStream) yet")
        }
        guard let newest = try await broker.message(of: Routing.alarmStream, at: .last, timeout: Self.endTimeout),
            let offset = newest.streamOffset
        else { return .beginning }
        return .behind(offset: offset, fingerprint: Fingerprint.message(key: newest.key, body: newest.body))
    }

    /// Records that the stream can be read at the reader's offset, or ends there.
    /// - Returns: false if reading must continue at another offset.
    private mutating func noteAlive(at offset: Int64?) -> Bool {
        switch stepOver.noteAlive(at: offset) {
        case .readOn: return true
        case .readElsewhere: return false
        case .stepped(let offsets):
            context.logger.error(
                "\(Routing.alarmStream): the broker can't deliver \(offsets.lowerBound) to \(offsets.upperBound); skipped"
            )
            APIMetrics.noteUnreadable(offsets.count, in: context.metrics)
            return true
        }
    }

    /// The responses for new messages, and the place behind them.
    private mutating func responses(_ fresh: [Delivery]) -> [WatchAlarmsResponse] {
        var responses: [WatchAlarmsResponse] = []
        for delivery in fresh {
            token = .behind(
                offset: delivery.streamOffset ?? 0,
                fingerprint: Fingerprint.message(key: delivery.key, body: delivery.body))
            if let event = event(delivery) { responses.append(WatchAlarmsResponse(token: token.text, event: event)) }
        }
        return responses
    }

    /// The alarm of a message; nil if the client does not want it, or if it is none.
    private func event(_ delivery: Delivery) -> WatchAlarmsResponse.Event? {
        do {
            let (sensor, subject) = try Routing.parse(key: delivery.key)
            guard case .alarm(let edge) = subject else {
                throw Rejection(.badSerial, "not an alarm: \(delivery.key)")
            }
            let alarm = unsafe try AlarmCodec.decode(delivery.body.span.bytes)
            guard selection.contains(alarm, edge: edge, of: sensor) else { return nil }
            return WatchAlarmsResponse.Event(
                body: delivery.body, sensor: sensor, edge: edge, received: delivery.received,
                offset: delivery.streamOffset ?? 0)
        } catch {
            // The registry rejects the same message from its queue, and says so.
            context.logger.debug("\(Routing.alarmStream): \(error)")
            APIMetrics.noteUnreadable(1, in: context.metrics)
            return nil
        }
    }
}
