/// The assignment of a sensor to a machine (docs/iotctl-json.md, "assignment").
public struct AssignmentView: Codable, Sendable, Equatable {
    /// The sensor's serial number.
    public var sensor: String
    /// The machine's name; nil if the sensor is on none.
    public var target: String?
    /// Whether the assignment changed.
    public var isChanged: Bool

    /// The view of a sensor's assignment.
    public init(sensor: String, target: String?, isChanged: Bool) {
        self.sensor = sensor
        self.target = target
        self.isChanged = isChanged
    }

    private enum CodingKeys: String, CodingKey {
        case sensor, target
        case isChanged = "changed"
    }
}
