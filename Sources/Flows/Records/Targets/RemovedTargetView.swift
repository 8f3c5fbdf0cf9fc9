/// A machine that was removed (docs/iotctl-json.md, `target rm`).
public struct RemovedTargetView: Codable, Sendable, Equatable {
    /// The machine's name.
    public var target: String
    /// Number of sensors that were on the machine.
    public var sensors: Int

    /// The view of a removed machine.
    public init(target: String, sensors: Int) {
        self.target = target
        self.sensors = sensors
    }
}
