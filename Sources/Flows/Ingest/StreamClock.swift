internal import Broker
internal import Logging
internal import Rules
internal import Service
internal import Synchronization

/// Publishes a tick a second into each stream that this replica evaluates by rules, and one at once when the rules change.
final class StreamClock: Sendable {
    /// From one tick to the next.
    static let period: Duration = .seconds(1)
    /// How often it looks for new rules.
    private static let interval: Duration = .milliseconds(100)

    private let context: Runtime
    private let alarms: AlarmPublisher
    private let revisions: RevisionWatch
    private let state = Mutex(State())

    private struct State {
        var evaluators: [String: Evaluator] = [:]
        var mayTick = false
    }

    init(_ context: Runtime, _ alarms: AlarmPublisher, _ revisions: RevisionWatch) {
        self.context = context
        self.alarms = alarms
        self.revisions = revisions
    }

    /// From now on the evaluator's stream has ticks.
    func begin(_ evaluator: Evaluator) { state.withLock { $0.evaluators[evaluator.stream] = evaluator } }

    /// From now on it has none, unless another evaluator of this replica began.
    func end(_ evaluator: Evaluator) {
        state.withLock { state in
            if state.evaluators[evaluator.stream] === evaluator { state.evaluators[evaluator.stream] = nil }
        }
    }

    /// Whether all replicas know ticks. An older release would put a tick a second into the quarantine after it has taken a
    /// partition; new rules are published even so, because they are few.
    func mayTick(_ may: Bool) { state.withLock { $0.mayTick = may } }

    /// Runs until the task is cancelled.
    func run() async {
        var next = ContinuousClock.now
        var announced: Int64?
        var lastText = ""
        while !Task.isCancelled {
            let (newest, now) = (revisions.newest?.number, ContinuousClock.now)
            if now >= next || newest != announced {
                do {
                    try await tick(isDue: now >= next)
                    announced = newest
                    lastText = ""
                } catch {
                    if "\(error)" != lastText { context.logger.warning("no tick is published: \(error)") }
                    lastText = "\(error)"
                }
                // Ticks that could not be published are not made up for.
                if now >= next { next = max(next + Self.period, .now) }
            }
            try? await Task.sleep(for: Self.interval)
        }
    }

    private func tick(isDue: Bool) async throws {
        let (evaluators, mayTick) = state.withLock { ($0.evaluators.values.map { $0 }, $0.mayTick) }
        var messages: [OutgoingMessage] = []
        for evaluator in evaluators {
            if let message = await evaluator.tick(isDue: isDue && mayTick) { messages.append(message) }
        }
        if messages.isEmpty { return }
        try await alarms.publish(messages)
        context.metrics.count("iot_ingest_ticks_total", "Ticks published.", by: messages.count)
    }
}
