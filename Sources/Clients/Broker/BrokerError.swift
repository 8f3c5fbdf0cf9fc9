/// An error of the broker or of the connection to it. Each case stands for the caller's next step.
public enum BrokerError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The broker does not answer: try again later. The text names host and port.
    case unreachable(String)
    /// Authentication failed, or the user has no access to the virtual host: retrying does not help until an operator acts.
    case refused(String)
    /// The connection broke: open another one. Messages without a confirm may or may not have arrived.
    case lost(String)
    /// The broker closed the connection with an internal error (541), or sent bytes that are not AMQP. The cause may be the
    /// message that it was about to deliver: reading on over another connection may end the same way.
    case undeliverable(String)
    /// The broker closed the channel because of one operation: the operation is wrong. The code is AMQP 0-9-1's: 404, 406 …
    case rejected(operation: String, code: Int, text: String)
    /// The broker cancelled the consumer, because its queue was deleted or moved.
    case cancelled(queue: String)

    /// The error in one line, without secrets.
    public var description: String {
        switch self {
        case .unreachable(let text), .refused(let text), .lost(let text), .undeliverable(let text): text
        case .rejected(let operation, let code, let text): "\(operation): \(code) \(text)"
        case .cancelled(let queue): "the broker cancelled the consumer of \(queue)"
        }
    }

    /// Whether the connection cannot be used any more.
    public var endsConnection: Bool {
        switch self {
        case .lost, .undeliverable: true
        case .unreachable, .refused, .rejected, .cancelled: false
        }
    }

    /// The error for a connection that the broker closed with that code and text. RabbitMQ sends 541 when one of its
    /// processes has crashed, for example on writing a message whose routing key is longer than 255 bytes.
    public static func closed(code: Int, _ text: String) -> BrokerError {
        code == 541 ? .undeliverable(text) : .lost(text)
    }

    /// The error of a broken connection, with the broker's address in front of its text; other errors are unchanged.
    public func naming(_ address: String) -> BrokerError {
        switch self {
        case .lost(let text): .lost("\(address): \(text)")
        case .undeliverable(let text): .undeliverable("\(address): \(text)")
        case .unreachable, .refused, .rejected, .cancelled: self
        }
    }
}
