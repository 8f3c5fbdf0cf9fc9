internal import Broker
internal import Logging
internal import Sensors
internal import Store
internal import Telemetry

/// Sees who is not there any more: lost for two keep-alives, or silent.
///
/// Silence counts only while somebody listens. A broker under a memory or disk alarm takes no publishes, and drops clients
/// for it; so before anybody is called offline the broker is asked to take one.
struct WatchPresence {
    /// How often it looks.
    static let interval: Duration = .seconds(5)
    /// How long the broker may take for one publish.
    static let patience: Duration = .seconds(2)

    let context: ServiceContext
    let store: StoreConnection

    /// Runs until the task is cancelled.
    func run() async throws {
        var listening = ContinuousClock.now
        while !Task.isCancelled {
            _ = try await context.retrying("watching presence", part: "presence") {
                // Whoever was away has heard nothing meanwhile.
                listening = .now
                let broker = try await context.openBroker("presence", part: "presence")
                do {
                    while !Task.isCancelled {
                        if try await !takesPublishes(broker) { listening = .now }
                        try await look(listeningSince: listening)
                        try? await Task.sleep(for: Self.interval)
                    }
                } catch {
                    if !(error is Control.NotConfirmed) { await broker.close() }
                    throw error
                }
                await broker.close()
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
        do { _ = try await Control.publish([probe], over: broker, within: Self.patience) } catch is Control.NotConfirmed
        {
            // Its answer comes when the broker takes publishes again; one that says nothing at all is left.
            guard await broker.blockedReason != nil else { throw Control.NotConfirmed(description: "no answer") }
            return false
        }
        return true
    }
}
