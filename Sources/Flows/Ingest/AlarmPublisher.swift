internal import AMQP
internal import Broker
internal import Logging
internal import Messaging
internal import Model
internal import Service
internal import Wire

/// Publishes alarms, over a connection that is opened when the first one is raised.
actor AlarmPublisher {
    private let context: Runtime
    private var broker: BrokerConnection?

    init(_ context: Runtime) { self.context = context }

    /// Publishes and waits for the confirms.
    /// - Throws: `BrokerError`; then the batch that raised the alarms must not be committed.
    func publish(_ events: [AlarmEvent]) async throws {
        if events.isEmpty { return }
        let broker = try await connection()
        let messages = events.map { event in
            OutgoingMessage(
                exchange: Routing.exchange, key: Routing.key(event.serial, .alarm(event.edge)),
                body: AlarmCodec.encode(event.alarm))
        }
        do {
            let outcomes = try await broker.publish(messages)
            guard outcomes.allSatisfy({ $0 == .confirmed }) else { throw BrokerError.lost("an alarm was refused") }
        } catch {
            self.broker = nil
            await broker.close()
            throw error
        }
        for event in events {
            context.metrics.count(
                "iot_ingest_alarms_published_total", "Alarms published.", labels: "edge=\"\(event.edge.rawValue)\"")
            context.logger.info("alarm \(event.edge.rawValue): \(event.alarm.text)")
        }
    }

    func close() async { await broker?.close() }

    private func connection() async throws -> BrokerConnection {
        if let broker { return broker }
        let opened = try await context.connectBroker("alarms")
        broker = opened
        return opened
    }
}

/// An alarm to publish.
struct AlarmEvent: Sendable {
    var serial: SerialNumber
    var edge: Alarm.Edge
    var alarm: Alarm
}
