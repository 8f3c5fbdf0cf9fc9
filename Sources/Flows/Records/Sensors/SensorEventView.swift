public import Time

/// A change of one property of a sensor (docs/iotctl-json.md, "sensor event").
public struct SensorEventView: Codable, Sendable, Equatable {
    /// When the broker received the announcement.
    public var at: Timestamp
    /// The sensor's serial number.
    public var sensor: String
    /// The property: `boot_id`, `presence`, `state`, `rate_hz`, `kind`, `firmware`, `frames_dropped`, or `reported.` and
    /// a path.
    public var property: String
    /// The old value; null if it is not known.
    public var before: JSONValue
    /// The new value.
    public var after: JSONValue

    /// The view of a change.
    public init(at: Timestamp, sensor: String, property: String, before: JSONValue, after: JSONValue) {
        self.at = at
        self.sensor = sensor
        self.property = property
        self.before = before
        self.after = after
    }
}
