public import Store
public import Time

/// A payload in quarantine (docs/iotctl-json.md, "quarantined payload").
public struct QuarantinedPayloadView: Codable, Sendable, Equatable {
    /// The payload's number in quarantine.
    public var id: Int64
    /// When the payload was put into quarantine.
    public var at: Timestamp?
    /// The reason: a raw value of `RejectionReason`, or a value of a later release.
    public var reason: String
    /// Details of the reason.
    public var detail: String
    /// The serial number in the routing key; nil if the key has none.
    public var sensor: String?
    /// The sensor's boot according to the payload's header.
    public var bootID: Int64?
    /// The frame's sequence number according to the payload's header.
    public var sequence: Int64?
    /// The routing key that the payload was published with.
    public var routingKey: String
    /// The queue or stream that the payload was read from.
    public var source: String
    /// The incarnation of the stream; nil for queues.
    public var incarnation: Int64?
    /// The offset in the stream; nil for queues.
    public var streamOffset: Int64?
    /// When the broker received the payload.
    public var receivedAt: Timestamp?
    /// Length of the payload in bytes.
    public var length: Int
    /// Number of its bytes that are kept.
    public var kept: Int
    /// FNV-1a hash (64 bits) of the whole payload.
    public var hash: Int64

    private enum CodingKeys: String, CodingKey {
        case id, at, reason, detail, sensor
        case bootID = "boot_id"
        case sequence
        case routingKey = "routing_key"
        case source, incarnation
        case streamOffset = "stream_offset"
        case receivedAt = "received_at"
        case length, kept, hash
    }
}

extension QuarantinedPayloadView {
    /// The view of a stored payload.
    public init(_ record: QuarantineRecord) {
        self.init(
            id: record.id, at: record.at, reason: record.reason, detail: record.detail, sensor: record.serial,
            bootID: record.boot, sequence: record.sequence, routingKey: record.key, source: record.source,
            incarnation: record.incarnation, streamOffset: record.offset, receivedAt: record.received,
            length: record.length, kept: record.kept, hash: record.hash)
    }
}
