extension BrokerConnection {
    /// How much a queue holds, and how many read it.
    public struct QueueFigures: Sendable, Equatable {
        /// Messages; of a stream some seconds old.
        public var messages: Int
        /// Consumers, those in reserve included.
        public var consumers: Int
    }

    /// Looks at a queue without changing it; nil if there is none of that name.
    /// - Throws: `BrokerError`.
    public func figures(of queue: Topology.Queue) throws -> QueueFigures? {
        try ifThere { handle, channel throws(BrokerError) in
            let answer = try handle.declare(queue, channel, passive: true)
            return QueueFigures(messages: answer.messages, consumers: answer.consumers)
        }
    }

    /// Whether there is an exchange of that name, whatever its type.
    /// - Throws: `BrokerError`.
    public func isThere(_ exchange: Topology.Exchange) throws -> Bool {
        try ifThere { handle, channel throws(BrokerError) in
            try handle.declare(exchange, channel, passive: true)
        } != nil
    }

    /// Makes sure that we may publish to an exchange and read from it. Nothing changes: a binding that is not there is
    /// taken away, for which the broker wants the same rights.
    /// - Throws: `BrokerError.rejected` with 403, naming what is missing.
    public func requireAccess(toExchange exchange: String) throws {
        try onChannelOfItsOwn { handle, channel throws(BrokerError) in
            try handle.unbind(exchange: exchange, from: exchange, key: "no such binding", channel)
        }
    }

    /// Deletes a queue with what it holds; that there is none is no error.
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
