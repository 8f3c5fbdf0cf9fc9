public import Store

/// A machine that carries sensors (docs/iotctl-json.md, "target").
public struct TargetView: Codable, Sendable, Equatable {
    /// The machine's name.
    public var name: String
    /// The machine's description; may be empty.
    public var description: String
    /// Number of sensors on the machine.
    public var sensors: Int64
    /// Number of these sensors that are awake.
    public var awake: Int64
    /// Number of these sensors that are online.
    public var online: Int64
    /// Number of active alarms of these sensors.
    public var activeAlarms: Int64

    private enum CodingKeys: String, CodingKey {
        case name, description, sensors, awake, online
        case activeAlarms = "active_alarms"
    }
}

extension TargetView {
    /// The view of a stored machine.
    public init(_ summary: TargetSummary) {
        self.init(
            name: summary.name, description: summary.description, sensors: summary.sensors, awake: summary.awake,
            online: summary.online, activeAlarms: summary.activeAlarms)
    }
}
