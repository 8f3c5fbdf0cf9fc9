public import Store

/// A command with the time between its steps (docs/iotctl-json.md, "command in detail").
public struct CommandDetailView: Sendable, Equatable {
    /// The command; its fields come first in the same object.
    public var command: CommandView
    /// Seconds since the command was issued, to the millisecond.
    public var ageSeconds: Double?
    /// Seconds from issue until the sensor acknowledged the command.
    public var deliveredAfterSeconds: Double?
    /// Seconds from issue until the command ended.
    public var finishedAfterSeconds: Double?
    /// Seconds until the command expires; negative after its expiry; nil if it never expires.
    public var expiresInSeconds: Double?

    private enum CodingKeys: String, CodingKey {
        case ageSeconds = "age_s"
        case deliveredAfterSeconds = "delivered_after_s"
        case finishedAfterSeconds = "finished_after_s"
        case expiresInSeconds = "expires_in_s"
    }
}

extension CommandDetailView: Codable {
    /// Decodes the fields of the CommandView and its own from one object.
    /// - Throws: `DecodingError`.
    public init(from decoder: any Decoder) throws {
        command = try CommandView(from: decoder)
        let container = try decoder.container(keyedBy: CodingKeys.self)
        ageSeconds = try container.decodeIfPresent(Double.self, forKey: .ageSeconds)
        deliveredAfterSeconds = try container.decodeIfPresent(Double.self, forKey: .deliveredAfterSeconds)
        finishedAfterSeconds = try container.decodeIfPresent(Double.self, forKey: .finishedAfterSeconds)
        expiresInSeconds = try container.decodeIfPresent(Double.self, forKey: .expiresInSeconds)
    }

    /// Encodes the fields of the CommandView, then its own, into one object.
    /// - Throws: `EncodingError`.
    public func encode(to encoder: any Encoder) throws {
        try command.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(ageSeconds, forKey: .ageSeconds)
        try container.encode(deliveredAfterSeconds, forKey: .deliveredAfterSeconds)
        try container.encode(finishedAfterSeconds, forKey: .finishedAfterSeconds)
        try container.encode(expiresInSeconds, forKey: .expiresInSeconds)
    }
}

extension CommandDetailView {
    /// The view of a stored command.
    public init(_ record: CommandRecord) {
        self.init(
            command: CommandView(record), ageSeconds: record.age?.secondsToMillisecond,
            deliveredAfterSeconds: record.after(record.deliveredAt)?.secondsToMillisecond,
            finishedAfterSeconds: record.after(record.finishedAt)?.secondsToMillisecond,
            expiresInSeconds: record.expiresIn?.secondsToMillisecond)
    }
}
