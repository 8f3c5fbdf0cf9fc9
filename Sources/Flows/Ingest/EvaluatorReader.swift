internal import AMQP
internal import Broker
internal import Logging
internal import Model
internal import Service
internal import Store

/// The evaluator's own reader of its stream, over a connection of its own. It reads only while `Evaluator.mustRead` says so,
/// stores nothing, and leaves it to the worker to find out that a stream was recreated.
struct EvaluatorReader {
    /// How often it looks whether to read.
    private static let interval: Duration = .milliseconds(50)
    private static let prefetch: UInt16 = 1000
    private static let inboxBytesMax = 1 << 20

    private let context: Runtime
    private let evaluator: Evaluator

    init(_ context: Runtime, _ evaluator: Evaluator) {
        self.context = context
        self.evaluator = evaluator
    }

    /// Another message stands at the place of the last one that was evaluated.
    private struct Replaced: Error {}

    /// Runs until the task is cancelled.
    func run() async {
        // A message that the broker cannot deliver breaks the connection, with all messages that are on their way.
        var isCareful = false
        while !Task.isCancelled {
            guard await evaluator.mustRead else {
                try? await Task.sleep(for: Self.interval)
                continue
            }
            do {
                try await read(isCareful: isCareful)
                isCareful = false
            } catch {
                if case BrokerError.undeliverable = error { isCareful = true }
                if !Task.isCancelled { context.logger.debug("reading ahead of the database: \(error)") }
                try? await Task.sleep(for: .milliseconds(500))
            }
        }
    }

    private func read(isCareful: Bool) async throws {
        guard let place = await evaluator.beginReading() else { return }
        do {
            let broker = try await context.connectBroker("rules of \(evaluator.stream)")
            do { try await read(from: broker, behind: place, isCareful) } catch {
                await broker.close()
                throw error
            }
            await broker.close()
        } catch {
            await evaluator.endReading()
            if error is Replaced { await evaluator.noteReplaced() }
            throw error
        }
        await evaluator.endReading()
    }

    private func read(from broker: BrokerConnection, behind place: Evaluator.Place, _ isCareful: Bool) async throws {
        var cursor = StreamCursor(committed: place.offset, fingerprint: place.fingerprint)
        // A message without a known fingerprint is not read again: it may be one that cannot be delivered.
        var start = place.offset
        if let offset = place.offset, place.fingerprint == nil {
            start = offset + 1
            cursor.pass(offset)
        }
        let consumer = try await broker.consume(
            ConsumerOptions(
                queue: evaluator.stream, prefetch: isCareful ? 1 : Self.prefetch,
                offset: start.map { .offset($0) } ?? .first, inboxBytesMax: Self.inboxBytesMax))
        var before = place.offset
        while !Task.isCancelled, await evaluator.mustRead {
            let deliveries = try await broker.nextBatch(consumer, upTo: Int(Self.prefetch), timeout: Self.interval)
            guard let last = deliveries.last else { continue }
            var fresh: [Delivery] = []
            for delivery in deliveries {
                switch cursor.note(offset: delivery.streamOffset ?? 0, fingerprint: { delivery.fingerprint }) {
                case .take, .takeAfterHole: fresh.append(delivery)
                case .skip: break
                case .reset: throw Replaced()
                }
            }
            if !fresh.isEmpty {
                let batch = FrameBatch(fresh[...], of: evaluator.stream)
                var outcome = await evaluator.judge(read: batch, after: before, place.generation)
                while case .needs(let revision) = outcome {
                    try await evaluator.load(revision: revision)
                    outcome = await evaluator.judge(read: batch, after: before, place.generation)
                }
                // The stream was recreated, or messages are to be evaluated again.
                guard outcome == .done else { return }
                before = batch.deliveries.last?.streamOffset
            }
            try await broker.acknowledge(consumer, upTo: last)
        }
    }
}
