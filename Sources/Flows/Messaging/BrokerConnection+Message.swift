public import AMQP
public import Broker

extension BrokerConnection {
    /// Reads one message of a stream.
    /// - Parameters:
    ///   - offset: the position of the message; for `last`, the first message of the newest chunk.
    ///   - timeout: how long the stream may take to deliver a message.
    /// - Returns: nil if the stream delivers nothing in that time.
    /// - Throws: `BrokerError`.
    public func message(
        of stream: String, at offset: StreamOffset, timeout: Duration
    ) async throws -> Delivery? {
        let consumer = try consume(ConsumerOptions(queue: stream, prefetch: 1, offset: offset, inboxBytesMax: 1))
        let delivery = try await nextBatch(consumer, upTo: 1, timeout: timeout).first
        try stopConsuming(consumer)
        return delivery
    }
}
