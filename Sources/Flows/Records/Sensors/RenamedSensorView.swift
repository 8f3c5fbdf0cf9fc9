/// A renamed sensor (docs/iotctl-json.md, `rename sensor`).
public struct RenamedSensorView: Codable, Sendable, Equatable {
    /// The sensor's new serial number.
    public var sensor: String
    /// The sensor's serial number before.
    public var was: String

    /// The view of a renamed sensor.
    public init(sensor: String, was: String) {
        self.sensor = sensor
        self.was = was
    }
}
