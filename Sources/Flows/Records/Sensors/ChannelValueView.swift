public import Store
public import Time

/// The newest value of a channel (docs/iotctl-json.md, "sensor").
public struct ChannelValueView: Codable, Sendable, Equatable {
    /// The channel's number in frames.
    public var channel: Int16
    /// The channel's name, or its number if no name is known.
    public var name: String
    /// The value in `unit`; nil if it is not finite.
    public var value: Double?
    /// The unit, such as "m/s²"; empty if none is known.
    public var unit: String
    /// When the value was measured, by the sensor's clock where that can be trusted.
    public var time: Timestamp?
    /// Seconds since `time` by the database's clock, to the millisecond.
    public var ageSeconds: Double?

    private enum CodingKeys: String, CodingKey {
        case channel, name, value, unit, time
        case ageSeconds = "age_s"
    }
}

extension ChannelValueView {
    /// The view of a stored value.
    public init(_ value: ChannelValue) {
        self.init(
            channel: value.channel, name: value.name, value: value.value, unit: value.unit, time: value.time,
            ageSeconds: value.age?.secondsToMillisecond)
    }
}
