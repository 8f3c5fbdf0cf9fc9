public import Store

/// A sensor on a machine (docs/iotctl-json.md, "target in detail").
public struct TargetMemberView: Sendable, Equatable {
    /// The sensor's summary; its fields come first in the same object.
    public var sensor: SensorView
    /// The channels by number, with their newest values.
    public var channels: [ChannelView]

    private enum CodingKeys: String, CodingKey {
        case channels
    }
}

extension TargetMemberView: Codable {
    /// Decodes the fields of the SensorView and its own from one object.
    /// - Throws: `DecodingError`.
    public init(from decoder: any Decoder) throws {
        sensor = try SensorView(from: decoder)
        let container = try decoder.container(keyedBy: CodingKeys.self)
        channels = try container.decode([ChannelView].self, forKey: .channels)
    }

    /// Encodes the fields of the SensorView, then its own, into one object.
    /// - Throws: `EncodingError`.
    public func encode(to encoder: any Encoder) throws {
        try sensor.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(channels, forKey: .channels)
    }
}

extension TargetMemberView {
    /// The view of a sensor on a machine.
    public init(_ member: TargetDetail.Sensor) {
        self.init(sensor: SensorView(member.summary), channels: member.channels.map(ChannelView.init))
    }
}
