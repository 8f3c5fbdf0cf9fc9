internal import AMQP
internal import Broker
internal import Logging
internal import Messaging
internal import Model
internal import Postgres
internal import Service
internal import Store

/// Marks sensors as offline: sensors that have been lost for two keep-alives, and silent ones.
///
/// Silence counts only while the registry listens and the broker accepts publishes. A broker under a memory or disk alarm
/// accepts none, and drops clients; a publish shows that it does.
struct WatchPresence {
    /// The time between two checks.
    static let interval: Duration = .seconds(5)
    /// The time limit of a publish.
    static let timeout: Duration = .seconds(2)

    let context: Runtime
    let store: StoreConnection

    /// Runs until the task is cancelled.
    func run() async throws {
        var listening = ContinuousClock.now
        while !Task.isCancelled {
            _ = try await context.retrying("watching presence", part: "presence") {
                // A registry without a connection has received nothing.
                listening = .now
                try await context.withBroker("presence", part: "presence") { broker in
                    while !Task.isCancelled {
                        if try await !takesPublishes(broker) { listening = .now }
                        try await look(listeningSince: listening)
                        try? await Task.sleep(for: Self.interval)
                    }
                }
            }
        }
    }

    private func look(listeningSince listening: ContinuousClock.Instant) async throws {
        let seconds = listening.duration(to: .now).components.seconds
        let changed = try await store.judgePresence(listeningSeconds: seconds)
        if changed > 0 { context.logger.info("presence of \(changed) sensors changed") }
        let counts = try await store.presenceCounts()
        for word in Presence.Word.allCases {
            context.metrics.set(
                "iot_registry_sensors", "Sensors of each presence.", to: Double(counts[word]?.sensors ?? 0),
                labels: "presence=\"\(word.rawValue)\"")
        }
        context.metrics.set(
            "iot_registry_sensors_awake", "Sensors that are online and sample.", to: Double(counts[.online]?.awake ?? 0)
        )
    }

    /// Publishes a message that fits no queue, unless the broker has said that it takes none.
    private func takesPublishes(_ broker: BrokerConnection) async throws -> Bool {
        guard await broker.blockedReason == nil else { return false }
        let probe = OutgoingMessage(exchange: "", key: "iot.presence.probe", body: [])
        do { _ = try await broker.publish([probe], within: Self.timeout) } catch is NotConfirmed {
            // Its answer comes when the broker takes publishes again; one that says nothing at all is left.
            guard await broker.blockedReason != nil else {
                throw NotConfirmed(within: Self.timeout, blocked: nil)
            }
            return false
        }
        return true
    }
}
