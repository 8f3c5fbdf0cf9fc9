public import AMQP
internal import Broker
internal import Wire

extension BrokerConnection {
    /// Reads messages that are published from now on, through an exclusive queue that the broker deletes with the
    /// connection.
    /// - Parameters:
    ///   - keys: patterns of routing keys on the exchange `sensor_streaming`.
    ///   - lengthMax: most messages that wait at the broker; above it the oldest are dropped.
    /// - Throws: `BrokerError`; `rejected` with 404 if there is no such exchange.
    public func listen(to keys: [String], lengthMax: Int64 = 100_000) throws -> Consumer {
        let queue = try declare(Topology.Queue(name: "", kind: .classic, exclusive: true, lengthMax: lengthMax))
        let bindings = keys.map {
            Topology.Binding(source: Routing.exchange, destination: .queue(queue), key: $0)
        }
        try declare(Topology(exchanges: [], queues: [], bindings: bindings))
        return try consume(ConsumerOptions(queue: queue, prefetch: 1000, noAck: true))
    }
}
