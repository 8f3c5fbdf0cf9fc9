/// Payloads that were deleted from quarantine (docs/iotctl-json.md, "dropped payloads").
public struct DroppedPayloadsView: Codable, Sendable, Equatable {
    /// Number of payloads deleted.
    public var dropped: Int
    /// The ids of the payloads that were deleted, or that a dry run would delete.
    public var ids: [Int64]
    /// Whether this was a dry run, which deletes nothing.
    public var isDryRun: Bool

    /// The view of a deletion.
    public init(dropped: Int, ids: [Int64], isDryRun: Bool) {
        self.dropped = dropped
        self.ids = ids
        self.isDryRun = isDryRun
    }

    private enum CodingKeys: String, CodingKey {
        case dropped, ids
        case isDryRun = "dry_run"
    }
}
