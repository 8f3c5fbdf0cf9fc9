public import Archive
public import Store

/// The result of replaying a payload (docs/iotctl-json.md, "replayed payload").
public struct ReplayedPayloadView: Codable, Sendable, Equatable {
    /// The payload's number in quarantine.
    public var id: Int64
    /// The serial number in the routing key; nil if the key has none.
    public var sensor: String?
    /// The routing key with which the payload was published again, otherwise its original key.
    public var routingKey: String
    /// The outcome: `stored`, `duplicate`, `published`, `gone` or `kept`.
    public var outcome: String
    /// Number of samples stored; nil unless the payload was stored.
    public var samples: Int?
    /// The reason why the payload is kept; empty otherwise.
    public var reason: String

    private enum CodingKeys: String, CodingKey {
        case id, sensor
        case routingKey = "routing_key"
        case outcome, samples, reason
    }
}

extension ReplayedPayloadView {
    /// The view of the replay of a payload.
    public init(_ record: QuarantineRecord, _ outcome: ReplayQuarantine.Outcome) {
        self.init(
            id: record.id, sensor: record.serial, routingKey: record.key, outcome: "", samples: nil, reason: "")
        switch outcome {
        case .stored(let samples):
            self.outcome = "stored"
            self.samples = samples
        case .duplicate: self.outcome = "duplicate"
        case .published(let key):
            self.outcome = "published"
            routingKey = key
        case .gone: self.outcome = "gone"
        case .kept(let reason):
            self.outcome = Self.kept
            self.reason = reason
        }
    }

    /// Whether the payload could not be stored yet and stays in quarantine.
    public var isKept: Bool { outcome == Self.kept }

    private static let kept = "kept"
}
