internal import Broker
internal import Messaging
internal import Model
internal import Store
internal import Time
internal import Wire

/// A message of the queue dead_letters: a payload for `quarantine`, or a command that the registry has not recorded
/// yet.
struct DeadLetter: Sendable {
    /// The payload, as `quarantine` stores it.
    let payload: QuarantinedPayload
    /// The command, if it left the queue `registry` unread because it had expired or the queue was full. The sensor may
    /// have received it nevertheless. Nil for all other messages, also for a command that the registry refused.
    let command: Received<Command>?

    /// Reads a delivery of that queue.
    init(_ delivery: Delivery) {
        let reason = delivery.deathReason ?? "no reason given"
        payload = QuarantinedPayload(delivery, Rejection(.deadLetter, reason), source: Routing.deadQueue)
        let unread = ["expired", "maxlen", "delivery_limit"].map { "\($0) from \(Routing.registryQueue)" }
        if unread.contains(reason), let (serial, subject) = try? Routing.parse(key: delivery.key),
            case .command = subject, let command = unsafe try? CommandCodec.decode(delivery.body.span.bytes)
        {
            self.command = Received(serial: serial, received: delivery.received, content: command)
        } else {
            command = nil
        }
    }
}
