internal import AMQP
internal import Broker
internal import Logging
internal import Messaging
internal import Model
internal import Service
internal import Wire

/// Publishes the alarms and ticks of a replica, over a connection that is opened for the first of them.
actor AlarmPublisher {
    private let context: Runtime
    private var opening: Task<BrokerConnection, any Error>?

    init(_ context: Runtime) { self.context = context }

    /// Publishes alarms and waits for the confirms.
    /// - Throws: `BrokerError`; then they must be published again.
    func publish(_ events: [AlarmEvent]) async throws {
        if events.isEmpty { return }
        try await publish(
            events.map { event in
                OutgoingMessage(
                    exchange: Routing.exchange, key: Routing.key(event.serial, .alarm(event.edge)),
                    body: AlarmCodec.encode(event.alarm))
            })
        for event in events {
            context.metrics.count(
                "iot_ingest_alarms_published_total", "Alarms published.", labels: "edge=\"\(event.edge.rawValue)\"")
            context.logger.info("alarm \(event.edge.rawValue): \(event.alarm.text)")
        }
    }

    /// Publishes messages and waits for the confirms.
    /// - Throws: `BrokerError`; some may have arrived.
    func publish(_ messages: [OutgoingMessage]) async throws {
        let opening = opening ?? Task { [context] in try await context.connectBroker("alarms") }
        self.opening = opening
        let outcomes: [PublishOutcome]
        do { outcomes = try await opening.value.publish(messages) } catch {
            if self.opening == opening { self.opening = nil }
            try? await opening.value.close()
            throw error
        }
        guard outcomes.allSatisfy({ $0 == .confirmed }) else { throw Refused() }
    }

    /// The broker did not take all of the messages.
    private struct Refused: Error, CustomStringConvertible {
        let description = "the broker refused an alarm or a tick"
    }

    func close() async {
        try? await opening?.value.close()
        opening = nil
    }
}

/// An alarm to publish.
struct AlarmEvent: Sendable, Equatable {
    var serial: SerialNumber
    var edge: Alarm.Edge
    var alarm: Alarm
    /// The offset of the message that decided.
    var offset: Int64
}
