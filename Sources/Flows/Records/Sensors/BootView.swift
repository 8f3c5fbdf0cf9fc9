public import Store
public import Time

/// The stored frames of one boot of a sensor (docs/iotctl-json.md, "sensor in detail").
public struct BootView: Codable, Sendable, Equatable {
    /// The boot's id.
    public var bootID: Int64
    /// Number of frames stored.
    public var frames: Int64
    /// Number of frames below the highest stored sequence that are not stored.
    public var missing: Int64
    /// Number of repeated frames, which were not stored again.
    public var duplicates: Int64
    /// The highest stored sequence plus one.
    public var nextSequence: Int64
    /// When the first frame of the boot was stored.
    public var firstAt: Timestamp?

    private enum CodingKeys: String, CodingKey {
        case bootID = "boot_id"
        case frames, missing, duplicates
        case nextSequence = "next_sequence"
        case firstAt = "first_at"
    }
}

extension BootView {
    /// The view of a stored boot.
    public init(_ record: BootRecord) {
        self.init(
            bootID: record.boot, frames: record.frames, missing: record.missing, duplicates: record.duplicates,
            nextSequence: record.nextSequence, firstAt: record.firstAt)
    }
}
