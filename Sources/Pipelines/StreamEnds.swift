public import Broker
internal import Sensors

/// Where streams end, for people to look at.
public enum StreamEnds {
    /// How long a stream that has messages may take to show one.
    static let patience: Duration = .seconds(1)

    /// An offset near the end of each stream: that of the first message in its newest chunk, -1 for an empty stream.
    ///
    /// The truth is up to a chunk further, that is no more than what the broker wrote at a time. Whether a stream is
    /// empty the broker knows some seconds late (docs/decisions/0007, 9).
    /// - Returns: what is known; streams that there are not, or that show nothing, are left out.
    /// - Throws: `BrokerError`.
    public static func read(_ streams: [String], over broker: BrokerConnection) async throws -> [String: Int64] {
        try await withThrowingTaskGroup(of: (String, Int64?).self) { group in
            for stream in streams { group.addTask { (stream, try await end(of: stream, over: broker)) } }
            return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
    }

    private static func end(of stream: String, over broker: BrokerConnection) async throws -> Int64? {
        guard let count = try await broker.messageCount(of: Topology.Queue(name: stream, kind: .stream)) else {
            return nil
        }
        if count == 0 { return -1 }
        let consumer = try await broker.consume(ConsumerOptions(queue: stream, prefetch: 1, offset: .last))
        let delivery = try await broker.nextBatch(consumer, upTo: 1, timeout: patience).first
        try await broker.stopConsuming(consumer)
        return delivery?.streamOffset
    }
}
