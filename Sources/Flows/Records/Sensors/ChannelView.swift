public import Store
public import Time

/// A channel of a sensor and its newest value (docs/iotctl-json.md, "sensor in detail").
public struct ChannelView: Codable, Sendable, Equatable {
    /// The channel's number in frames.
    public var channel: Int16
    /// The channel's name, such as "x" or "temperature".
    public var name: String
    /// The quantity, such as "acceleration"; may be empty.
    public var quantity: String
    /// The unit, such as "m/s²"; may be empty.
    public var unit: String
    /// The last sample of the newest row, in `unit`; nil before the first row, and if the sample is not finite.
    public var value: Double?
    /// The smallest sample of that row.
    public var min: Double?
    /// The largest sample of that row.
    public var max: Double?
    /// The root mean square of that row.
    public var rms: Double?
    /// When the value was sampled.
    public var time: Timestamp?
    /// Seconds since `time` by the database's clock, to the millisecond.
    public var ageSeconds: Double?

    private enum CodingKeys: String, CodingKey {
        case channel, name, quantity, unit, value, min, max, rms, time
        case ageSeconds = "age_s"
    }
}

extension ChannelView {
    /// The view of a stored channel.
    public init(_ record: ChannelRecord) {
        self.init(
            channel: record.channel, name: record.name, quantity: record.quantity, unit: record.unit,
            value: record.value, min: record.min, max: record.max, rms: record.rms, time: record.time,
            ageSeconds: record.age?.secondsToMillisecond)
    }
}
