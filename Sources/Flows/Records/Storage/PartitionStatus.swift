public import Store

/// The status of a partition, from two readings of the database and one of the broker.
public struct PartitionStatus: Sendable, Equatable {
    /// The partition's newest record.
    public var record: PartitionRecord
    /// Messages stored per second; nil if not known.
    public var messagesPerSecond: Double?
    /// Approximate number of messages not stored yet; nil if not known.
    public var lag: Int64?

    /// The status of the partitions from two readings of the database.
    /// - Parameter ends: offsets near the ends of the streams, by stream name.
    public static func compare(
        _ before: [PartitionRecord], _ after: [PartitionRecord], ends: [String: Int64]
    ) -> [PartitionStatus] {
        after.map { record in
            let earlier = before.first { $0.stream == record.stream }
            return PartitionStatus(
                record: record, messagesPerSecond: earlier.flatMap { record.messagesPerSecond(since: $0) },
                lag: ends[record.stream].map { record.lag(end: $0) })
        }
    }
}
