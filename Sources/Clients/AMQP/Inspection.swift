public import Broker

extension BrokerConnection {
    /// The number of messages and of consumers of a queue.
    public struct QueueFigures: Sendable, Equatable {
        /// Messages in the queue. For a stream the figure is some seconds old.
        public var messages: Int
        /// Consumers, including the inactive ones of a queue with a single active consumer.
        public var consumers: Int
    }

    /// Inspects a queue without changing it; nil if the queue does not exist.
    /// - Throws: `BrokerError`.
    public func figures(of queue: Topology.Queue) throws -> QueueFigures? {
        try ifThere { handle, channel throws(BrokerError) in
            let answer = try handle.declare(queue, channel, passive: true)
            return QueueFigures(messages: answer.messages, consumers: answer.consumers)
        }
    }

    /// Whether an exchange of that name exists; the broker does not compare its type.
    /// - Throws: `BrokerError`.
    public func isThere(_ exchange: Topology.Exchange) throws -> Bool {
        try ifThere { handle, channel throws(BrokerError) in
            try handle.declare(exchange, channel, passive: true)
        } != nil
    }

    /// Checks that this user may publish to an exchange and read from it. Nothing changes: the check removes a binding
    /// that does not exist, for which the broker requires the same permissions.
    /// - Throws: `BrokerError.rejected` with 403 and the missing permission.
    public func requireAccess(toExchange exchange: String) throws {
        try onChannelOfItsOwn { handle, channel throws(BrokerError) in
            try handle.unbind(exchange: exchange, from: exchange, key: "no such binding", channel)
        }
    }

    /// Deletes a queue and its messages; it is not an error if the queue does not exist.
    /// - Throws: `BrokerError`.
    public func delete(queue: String) throws {
        try onChannelOfItsOwn { handle, channel throws(BrokerError) in try handle.delete(queue: queue, channel) }
    }

    private func ifThere<Result>(
        _ body: (borrowing AMQPHandle, UInt16) throws(BrokerError) -> Result
    ) throws -> Result? {
        do { return try onChannelOfItsOwn(body) } catch BrokerError.rejected(_, 404, _) { return nil }
    }
}
