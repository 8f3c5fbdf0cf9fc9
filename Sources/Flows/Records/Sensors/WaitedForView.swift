internal import Time

/// Whether a sensor meets the conditions of `iotctl wait` (docs/iotctl-json.md, "waited for").
public struct WaitedForView: Codable, Sendable, Equatable {
    /// The sensor's serial number.
    public var sensor: String
    /// Whether all conditions hold.
    public var isMet: Bool
    /// The conditions that do not hold, each with the actual value.
    public var unmet: [String]
    /// Milliseconds from the start until all conditions held, or until the timeout.
    public var milliseconds: Int64

    /// The view of a sensor at the end of the wait.
    /// - Parameter after: the time from the start until all conditions held, or until the timeout.
    public init(sensor: String, unmet: [String], after: Duration) {
        self.sensor = sensor
        isMet = unmet.isEmpty
        self.unmet = unmet
        milliseconds = after.milliseconds
    }

    private enum CodingKeys: String, CodingKey {
        case sensor
        case isMet = "met"
        case unmet, milliseconds
    }
}
