internal import AMQP
public import Broker
internal import Logging
public import Model
internal import Postgres
public import Service
public import Store
public import Time

/// Reads a queue until the task is cancelled: a batch is acknowledged after it is stored, and only then.
///
/// - A message that `decode` refuses is rejected, and the broker dead-letters it: it is never requeued.
/// - A batch that the database can't store now is retried indefinitely.
/// - A batch whose content the database refuses is stored message by message; the message at fault is rejected.
/// - A message that the broker can't deliver breaks the connection each time it is due: it is removed from the queue, and
///   gets a row in `quarantine`.
public struct QueueReader<Message: Sendable>: Sendable {
    let context: Runtime
    let queue: String
    /// The most messages without an acknowledgement, and in a batch.
    let prefetch: UInt16
    let decode: @Sendable (Delivery) throws(Rejection) -> Message
    /// Writes a batch in one transaction.
    let store: @Sendable ([Message]) async throws -> Void
    /// Writes messages that are stored nowhere else.
    let quarantine: @Sendable ([QuarantinedPayload]) async throws -> Void

    /// A reader of `queue`.
    /// - Parameters:
    ///   - prefetch: the most messages without an acknowledgement, and in a batch.
    ///   - decode: reads a message, or refuses it.
    ///   - store: writes a batch in one transaction.
    ///   - quarantine: writes a row for a message that the broker cannot deliver.
    public init(
        context: Runtime, queue: String, prefetch: UInt16 = 500,
        decode: @escaping @Sendable (Delivery) throws(Rejection) -> Message,
        store: @escaping @Sendable ([Message]) async throws -> Void,
        quarantine: @escaping @Sendable ([QuarantinedPayload]) async throws -> Void
    ) {
        self.context = context
        self.queue = queue
        self.prefetch = prefetch
        self.decode = decode
        self.store = store
        self.quarantine = quarantine
    }

    /// Runs until the task is cancelled.
    public func run() async throws {
        var head = QueueHead(full: prefetch)
        while !Task.isCancelled {
            _ = try await context.retrying("reading \(queue)", part: "broker") {
                do {
                    try await context.withBroker(queue) { try await read(from: $0, &head) }
                } catch BrokerError.undeliverable(let why) {
                    guard head.noteDeath() == .takeOut else { throw BrokerError.undeliverable(why) }
                    try await takeOut(why)
                }
            }
        }
    }

    private func read(from broker: BrokerConnection, _ head: inout QueueHead) async throws {
        let consumer = try await broker.consume(ConsumerOptions(queue: queue, prefetch: head.ahead))
        while !Task.isCancelled {
            let batch = try await broker.nextBatch(consumer, upTo: Int(prefetch), linger: .milliseconds(2))
            guard !batch.isEmpty, let poison = try await storeAll(batch) else { continue }
            for delivery in poison { try await broker.reject(consumer, delivery) }
            // The acknowledgement must not name one that was rejected: the broker would close the channel.
            let rejected = Set(poison.map(\.tag))
            if let last = batch.last(where: { !rejected.contains($0.tag) }) {
                try await broker.acknowledge(consumer, upTo: last)
            }
            count(batch.count, poison.count)
            if head.noteStored(batch.count) { return }
        }
    }

    // MARK: messages that can't be delivered

    /// Removes the message at the head of the queue, which the broker can't deliver: by a consumer without
    /// acknowledgements, one message at a time, because the broker deletes such a message before it fails to deliver it
    /// (decision 0007, 12).
    private func takeOut(_ why: String) async throws {
        context.logger.error("\(queue): the broker can't deliver the message at its head, it is taken out: \(why)")
        do {
            try await context.withBroker(queue) { broker in
                let consumer = try await broker.consume(ConsumerOptions(queue: queue, prefetch: 1, noAck: true))
                // Nothing comes if another reader has the message, or has been faster.
                let first = try await broker.nextBatch(consumer, upTo: 1, timeout: .seconds(5))
                if first.isEmpty { return }
                // The broker could deliver the message after all; it has deleted all that it has sent.
                let (rest, failure) = await rest(of: consumer, broker)
                await keep(first + rest)
                if let failure { throw failure }
            }
        } catch BrokerError.undeliverable(let why) {
            let rejection = Rejection(.undeliverable, "taken out of the queue unread: \(why)")
            await keep(QuarantinedPayload(rejection: rejection, key: "", source: queue, received: .now, body: []))
        }
    }

    /// Ends a consumer, whether or not this task is cancelled meanwhile.
    /// - Returns: the messages that were in transit, and the error that broke the connection.
    private func rest(
        of consumer: BrokerConnection.Consumer, _ broker: BrokerConnection
    ) async -> (rest: [Delivery], failure: (any Error)?) {
        await Task {
            var rest: [Delivery] = []
            do {
                try await broker.cancel(consumer)
                while true {
                    let more = try await broker.nextBatch(
                        consumer, upTo: Int(prefetch), timeout: .milliseconds(200))
                    if more.isEmpty { return (rest, nil) }
                    rest += more
                }
            } catch { return (rest, error) }
        }.value
    }

    /// Stores messages that the broker has deleted, whether or not this task is cancelled meanwhile.
    private func keep(_ taken: [Delivery]) async {
        await Task {
            for delivery in (try? await storeAll(taken)) ?? taken {
                let rejection = Rejection(.deadLetter, "rejected from \(queue)")
                await keep(QuarantinedPayload(delivery, rejection, source: queue))
            }
        }.value
    }

    private func keep(_ payload: QuarantinedPayload) async {
        await Task {
            _ = try? await context.retrying("quarantine of \(queue)", part: "database") {
                try await quarantine([payload])
            }
            context.metrics.noteQuarantined(payload.rejection.reason, count: 1)
        }.value
    }

    /// Stores a batch.
    /// - Returns: the deliveries to reject; nil if the task was cancelled before the batch was stored.
    private func storeAll(_ batch: [Delivery]) async throws -> [Delivery]? {
        var messages: [(delivery: Delivery, message: Message)] = []
        var poison: [Delivery] = []
        for delivery in batch {
            do throws(Rejection) { messages.append((delivery, try decode(delivery))) } catch {
                context.logger.warning("\(queue): rejected \(delivery.key): \(error)")
                poison.append(delivery)
            }
        }
        do {
            guard try await storeRetrying(messages.map(\.message)) else { return nil }
        } catch let error as StoreError {
            context.logger.warning("\(queue): storing one by one: \(error)")
            for (delivery, message) in messages {
                do {
                    guard try await storeRetrying([message]) else { return nil }
                } catch let error as StoreError {
                    context.logger.warning("\(queue): rejected \(delivery.key): \(error)")
                    poison.append(delivery)
                }
            }
        }
        return poison
    }

    /// - Returns: false if the task was cancelled before.
    private func storeRetrying(_ messages: [Message]) async throws -> Bool {
        if messages.isEmpty { return true }
        let done: Void? = try await context.retrying(
            "storing from \(queue)", part: "database", while: { ($0 as? StoreError)?.advice == .retry }
        ) { try await store(messages) }
        return done != nil
    }

    private func count(_ all: Int, _ poison: Int) {
        let labels = "queue=\"\(queue)\""
        context.metrics.count("iot_queue_messages_total", "Messages read from a queue.", by: all, labels: labels)
        context.metrics.count("iot_queue_rejected_total", "Messages given up.", by: poison, labels: labels)
    }
}

extension Delivery {
    /// The time of arrival at the broker; the current time if the broker adds no timestamp.
    ///
    /// A timestamp outside 1970…2100 is the publisher's: a broker without the interceptor passes it on.
    public var received: Timestamp {
        guard let milliseconds = receivedUnixMilliseconds, (0...4_102_444_800_000).contains(milliseconds) else {
            return .now
        }
        return Timestamp(unixMilliseconds: milliseconds)
    }
}
