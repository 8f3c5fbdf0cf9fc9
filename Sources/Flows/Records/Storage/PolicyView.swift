internal import Model
public import Store
public import Time

/// The retention policy of a tier (docs/iotctl-json.md, "policy").
public struct PolicyView: Codable, Sendable, Equatable {
    /// The tier: a table's name, or `history`.
    public var tier: String
    /// Retention time in seconds; nil if the data is never deleted.
    public var keepSeconds: Double?
    /// Age at which the data is compressed, in seconds; nil if never.
    public var columnstoreAfterSeconds: Double?
    /// The policy's source: `default`, `configuration` or `iotctl`.
    public var source: String
    /// The time of the oldest datum; nil if the tier is empty.
    public var oldest: Timestamp?
    /// When the policy lets the oldest data be dropped, a row or a whole chunk; nil if never, or if the tier is empty.
    public var dropAt: Timestamp?
    /// Seconds since the oldest data should have been deleted; 0 if it is not overdue.
    public var overdueSeconds: Double

    private enum CodingKeys: String, CodingKey {
        case tier
        case keepSeconds = "keep_s"
        case columnstoreAfterSeconds = "columnstore_after_s"
        case source, oldest
        case dropAt = "drop_at"
        case overdueSeconds = "overdue_s"
    }
}

extension PolicyView {
    /// The view of a stored policy.
    public init(_ record: PolicyRecord) {
        self.init(
            tier: record.tier.rawValue, keepSeconds: record.keep?.secondsToMillisecond,
            columnstoreAfterSeconds: record.columnstoreAfter?.secondsToMillisecond, source: record.source,
            oldest: record.oldest, dropAt: record.dropAt, overdueSeconds: record.overdue.secondsToMillisecond)
    }
}
