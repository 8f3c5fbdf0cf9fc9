public import AMQP
internal import Broker

/// The ends of streams, for display.
public enum StreamEnds {
    /// How long a stream that has messages may take to deliver one.
    static let timeout: Duration = .seconds(1)

    /// Reads an offset near the end of each stream: that of the first message in its newest chunk, -1 for an empty
    /// stream.
    ///
    /// The real end is at most one chunk further, that is by the messages that the broker wrote at once. The broker
    /// reports with a delay of some seconds whether a stream is empty (docs/decisions/0007, 9).
    /// - Returns: the known offsets; streams that do not exist or deliver nothing are left out.
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
        return try await broker.message(of: stream, at: .last, timeout: timeout)?.streamOffset
    }
}
