internal import AMQP
internal import Broker
internal import Foundation
internal import Logging
internal import Model
internal import Service
internal import Store
internal import Time
internal import Wire

/// Sends the time to sensors that ask for it in their announcements.
///
/// An answer that can't be published is not retried: the sensor asks again with its next announcement, and by then the
/// time would be wrong.
actor TimeResponder {
    private let context: Runtime
    private var broker: BrokerConnection?
    private var isAnswering = false

    init(_ context: Runtime) { self.context = context }

    /// Answers the recent announcements that ask for the time, each sensor once. It does not wait for the broker,
    /// because a broker that blocks publishers must not stop the recording of announcements. While one answer is
    /// pending no other is sent.
    func answer(_ messages: [RegistryMessage]) {
        var asking: Set<SerialNumber> = []
        for case .announcement(let heard) in messages where heard.content.wantsTime {
            let age = Timestamp.now.seconds(since: heard.received)
            if age < Double(Command.timeValiditySeconds) { asking.insert(heard.serial) }
        }
        if asking.isEmpty || isAnswering { return }
        isAnswering = true
        Task {
            await tell(asking)
            isAnswering = false
        }
    }

    private func tell(_ asking: Set<SerialNumber>) async {
        do {
            let broker = try await connection()
            let now = Timestamp.now
            let outcomes = try await broker.publish(
                asking.map { serial in
                    OutgoingMessage(
                        exchange: Routing.exchange, key: Routing.key(serial, .command(Command.Name.time)),
                        body: CommandCodec.encode(.time(now, id: UUID().uuidString)),
                        expirationMilliseconds: Command.timeValiditySeconds * 1000)
                })
            let answered = outcomes.count { $0 == .confirmed }
            context.metrics.count("iot_registry_times_told_total", "Sensors that were sent the time.", by: answered)
        } catch {
            context.logger.warning("sending the time to sensors: \(error)")
            await close()
        }
    }

    private func connection() async throws -> BrokerConnection {
        if let broker { return broker }
        let opened = try await context.connectBroker("time")
        broker = opened
        return opened
    }

    /// Closes the connection.
    func close() async {
        let closing = broker
        broker = nil
        await closing?.close()
    }
}
