/// What went wrong between us and the broker; each case is what the caller can do next.
public enum BrokerError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Nobody answers there: try again later. The text names host and port.
    case unreachable(String)
    /// The broker knows us not, or not for this virtual host: no use in trying again before somebody acts.
    case refused(String)
    /// The connection broke: open another. Whatever was not confirmed may or may not have arrived.
    case lost(String)
    /// The broker closed the channel over one operation: that operation is wrong. Code as in AMQP 0-9-1, e.g. 404, 406.
    case rejected(operation: String, code: Int, text: String)
    /// The broker cancelled our consumer, because its queue was deleted or moved.
    case cancelled(queue: String)

    /// What happened, without secrets.
    public var description: String {
        switch self {
        case .unreachable(let text), .refused(let text), .lost(let text): text
        case .rejected(let operation, let code, let text): "\(operation): \(code) \(text)"
        case .cancelled(let queue): "the broker cancelled the consumer of \(queue)"
        }
    }
}
