public import Store
public import Time

/// An alarm from its trigger to its clear (docs/iotctl-json.md, "alarm").
public struct AlarmView: Codable, Sendable, Equatable {
    /// The alarm's id, the same in the messages of trigger and clear.
    public var id: String
    /// The sensor's serial number.
    public var sensor: String
    /// The channel's number.
    public var channel: Int16
    /// The channel's name; nil if the sensor announced none.
    public var channelName: String?
    /// The channel's unit; empty if the sensor announced none.
    public var unit: String
    /// The rule's name, such as "limit:temperature:high".
    public var rule: String
    /// Whether the alarm is active.
    public var isActive: Bool
    /// When the samples that raised the alarm were taken; nil while only its clear has arrived.
    public var raisedAt: Timestamp?
    /// When the samples that cleared the alarm were taken; nil while it is active.
    public var clearedAt: Timestamp?
    /// The value that raised the alarm.
    public var value: Double?
    /// The limit that the value crossed.
    public var limitValue: Double?
    /// The value that cleared the alarm.
    public var clearValue: Double?
    /// Why the alarm was cleared: `sensor_deleted`; nil: its samples cleared it, or it is active.
    public var clearCause: String?
    /// One sentence for people.
    public var text: String

    private enum CodingKeys: String, CodingKey {
        case id, sensor, channel
        case channelName = "channel_name"
        case unit, rule
        case isActive = "active"
        case raisedAt = "raised_at"
        case clearedAt = "cleared_at"
        case value
        case limitValue = "limit_value"
        case clearValue = "clear_value"
        case clearCause = "clear_cause"
        case text
    }
}

extension AlarmView {
    /// The view of a stored alarm.
    public init(_ record: AlarmRecord) {
        self.init(
            id: record.id, sensor: record.serial, channel: record.channel, channelName: record.channelName,
            unit: record.unit, rule: record.rule, isActive: record.isActive, raisedAt: record.raisedAt,
            clearedAt: record.clearedAt, value: record.value, limitValue: record.limit,
            clearValue: record.clearValue, clearCause: record.clearCause, text: record.text)
    }
}
