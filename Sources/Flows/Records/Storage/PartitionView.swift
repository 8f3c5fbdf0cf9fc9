internal import Store
public import Time

/// A stream with its owner and its stored offset (docs/iotctl-json.md, "partition").
public struct PartitionView: Codable, Sendable, Equatable {
    /// The stream's name at the broker.
    public var stream: String
    /// The stream's incarnation; incremented when the stream is recreated.
    public var incarnation: Int64
    /// The replica that holds, or last held, the lease; nil if none ever did.
    public var owner: String?
    /// The lease's epoch; each change of owner increments it.
    public var epoch: Int64
    /// Seconds until the lease expires, to the millisecond; negative after its expiry.
    public var leaseLeftSeconds: Double?
    /// The offset of the last stored message; nil before the first.
    public var committedOffset: Int64?
    /// When the last stored message was committed.
    public var committedAt: Timestamp?
    /// Seconds since `committedAt` by the database's clock, to the millisecond.
    public var committedAgeSeconds: Double?
    /// Messages stored per second; nil if not known.
    public var messagesPerSecond: Double?
    /// Approximate number of messages not stored yet; nil if not known.
    public var lag: Int64?

    private enum CodingKeys: String, CodingKey {
        case stream, incarnation, owner, epoch
        case leaseLeftSeconds = "lease_left_s"
        case committedOffset = "committed_offset"
        case committedAt = "committed_at"
        case committedAgeSeconds = "committed_age_s"
        case messagesPerSecond = "messages_per_s"
        case lag
    }
}

extension PartitionView {
    /// The view of a partition's status.
    public init(_ status: PartitionStatus) {
        let record = status.record
        self.init(
            stream: record.stream, incarnation: record.incarnation, owner: record.owner, epoch: record.epoch,
            leaseLeftSeconds: record.leaseLeft?.secondsToMillisecond, committedOffset: record.committedOffset,
            committedAt: record.committedAt, committedAgeSeconds: record.committedAge?.secondsToMillisecond,
            messagesPerSecond: status.messagesPerSecond, lag: status.lag)
    }
}
