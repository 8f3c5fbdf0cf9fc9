public import Broker
internal import Logging
public import Sensors
internal import Store
internal import Telemetry

/// Reads a queue until the task is cancelled: a batch is acknowledged after it is stored, and only then.
///
/// - What `decode` refuses is rejected, and the broker dead-letters it: poison is never requeued.
/// - What the database can't take now is tried again for as long as it takes.
/// - A batch that the database refuses for its content is stored message by message; the one at fault is rejected.
struct QueueReader<Message: Sendable> {
    let context: ServiceContext
    let queue: String
    /// Messages ahead of acknowledgements, and most of them in a batch.
    var prefetch: UInt16 = 500
    let decode: @Sendable (Delivery) throws(Rejection) -> Message
    /// Writes a batch in one transaction.
    let store: @Sendable ([Message]) async throws -> Void

    func run() async throws {
        while !Task.isCancelled {
            _ = try await context.retrying("reading \(queue)", part: "broker") {
                let broker = try await context.openBroker(queue)
                do { try await read(from: broker) } catch {
                    await broker.close()
                    throw error
                }
                await broker.close()
            }
        }
    }

    private func read(from broker: BrokerConnection) async throws {
        let consumer = try await broker.consume(ConsumerOptions(queue: queue, prefetch: prefetch))
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
        }
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
    /// When it arrived at the broker; where the broker does not stamp, the time now.
    ///
    /// A stamp outside 1970…2100 is not the broker's: one without the interceptor passes on what the publisher wrote.
    public var received: Timestamp {
        guard let milliseconds = receivedUnixMilliseconds, (0...4_102_444_800_000).contains(milliseconds) else {
            return .now
        }
        return Timestamp(unixMilliseconds: milliseconds)
    }
}
