public import Model
public import Store
public import Time

/// An alarm's trigger or clear as published at the broker (docs/iotctl-json.md, "alarm event").
public struct AlarmEventView: Codable, Sendable, Equatable {
    /// `trigger` or `clear`; `active` for an alarm that was active when the watch began.
    public var event: String
    /// The alarm's id.
    public var id: String
    /// The sensor's serial number.
    public var sensor: String
    /// The channel's number.
    public var channel: Int16
    /// The rule's name, such as "limit:temperature:high".
    public var rule: String
    /// The value that crossed the limit; nil if it is not a finite number.
    public var value: Double?
    /// The limit; nil if it is not a finite number.
    public var limitValue: Double?
    /// When the samples that caused the event were taken; nil: the trigger of an active alarm was not received.
    public var at: Timestamp?
    /// The boot of the frame that caused the event; nil for devices that do not number frames.
    public var bootID: Int64?
    /// That frame's sequence number within its boot; nil for devices that do not number frames.
    public var sequence: Int64?
    /// One sentence for people.
    public var text: String

    private enum CodingKeys: String, CodingKey {
        case event, id, sensor, channel, rule, value
        case limitValue = "limit_value"
        case at
        case bootID = "boot_id"
        case sequence, text
    }
}

extension AlarmEventView {
    /// The state of an alarm that is active when a watch begins.
    public init(active alarm: AlarmRecord) {
        self.init(
            event: "active", id: alarm.id, sensor: alarm.serial, channel: alarm.channel, rule: alarm.rule,
            value: alarm.value, limitValue: alarm.limit, at: alarm.raisedAt, bootID: nil, sequence: nil,
            text: alarm.text)
    }

    /// The event of an alarm message, with the sensor and the edge that its routing key names.
    public init(_ alarm: Alarm, of sensor: SerialNumber, _ edge: Alarm.Edge) {
        self.init(
            event: edge.rawValue, id: alarm.id, sensor: sensor.text, channel: alarm.channel, rule: alarm.rule,
            value: alarm.value, limitValue: alarm.limit, at: alarm.at, bootID: alarm.position?.boot,
            sequence: alarm.position?.sequence, text: alarm.text)
    }
}
