internal import Broker
internal import Foundation
internal import Logging
internal import Sensors
internal import Store
internal import Telemetry
internal import Wire

/// Tells the time to sensors that ask for it in their announcements.
///
/// An answer that can't be published is not tried again: the sensor asks again with its next announcement, and the time
/// would be another by then.
actor AnswerTime {
    private let context: ServiceContext
    private var broker: BrokerConnection?
    private var isAnswering = false

    init(_ context: ServiceContext) { self.context = context }

    /// Answers those of the announcements that ask and are fresh, each sensor once; without waiting for it, because a
    /// broker that blocks publishers must not stop whoever records announcements. While one answer waits no other is given.
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
            context.metrics.count("iot_registry_times_told_total", "Sensors that were told the time.", by: answered)
        } catch {
            context.logger.warning("telling the time: \(error)")
            await close()
        }
    }

    private func connection() async throws -> BrokerConnection {
        if let broker { return broker }
        let opened = try await context.connectBroker("time")
        broker = opened
        return opened
    }

    /// Ends the connection.
    func close() async {
        let closing = broker
        broker = nil
        await closing?.close()
    }
}
