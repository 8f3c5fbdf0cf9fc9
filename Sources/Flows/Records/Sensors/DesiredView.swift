public import Store
public import Time

/// The desired properties of a sensor and the outcome of changing them (docs/iotctl-json.md, "desired").
public struct DesiredView: Codable, Sendable, Equatable {
    /// The sensor's serial number.
    public var serial: String
    /// The desired properties as an object.
    public var desired: JSONValue
    /// Version of the desired properties; each change increments it.
    public var desiredVersion: Int64
    /// When the desired properties last changed.
    public var desiredChangedAt: Timestamp?
    /// The outcome: `planned`, `changed`, `reported`, `timed_out`, `rejected` or `failed`.
    public var outcome: String
    /// Why the sensor refused the properties; empty otherwise.
    public var reason: String
    /// Desired properties whose reported value differs.
    public var drift: [DriftView]

    private enum CodingKeys: String, CodingKey {
        case serial, desired
        case desiredVersion = "desired_version"
        case desiredChangedAt = "desired_changed_at"
        case outcome, reason, drift
    }
}

extension DesiredView {
    /// The view of the twin's current state.
    public init(_ twin: TwinRecord, outcome: String, reason: String = "") {
        self.init(
            serial: twin.desired.serial, desired: JSONValue(json: twin.desired.json) ?? .null,
            desiredVersion: twin.desired.version, desiredChangedAt: twin.desired.changedAt, outcome: outcome,
            reason: reason,
            drift: DriftView.between(desiredJSON: twin.desired.json, reportedJSON: twin.reportedJSON))
    }
}
