public import Store

/// A machine in detail (docs/iotctl-json.md, "target in detail").
public struct TargetDetailView: Sendable, Equatable {
    /// The machine's summary; its fields come first in the same object.
    public var target: TargetView
    /// The sensors on the machine, by serial number.
    public var members: [TargetMemberView]
    /// The active alarms of its sensors, newest first.
    public var alarms: [AlarmView]

    private enum CodingKeys: String, CodingKey {
        case members, alarms
    }
}

extension TargetDetailView: Codable {
    /// Decodes the fields of the TargetView and its own from one object.
    /// - Throws: `DecodingError`.
    public init(from decoder: any Decoder) throws {
        target = try TargetView(from: decoder)
        let container = try decoder.container(keyedBy: CodingKeys.self)
        members = try container.decode([TargetMemberView].self, forKey: .members)
        alarms = try container.decode([AlarmView].self, forKey: .alarms)
    }

    /// Encodes the fields of the TargetView, then its own, into one object.
    /// - Throws: `EncodingError`.
    public func encode(to encoder: any Encoder) throws {
        try target.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(members, forKey: .members)
        try container.encode(alarms, forKey: .alarms)
    }
}

extension TargetDetailView {
    /// The view of a stored machine.
    public init(_ detail: TargetDetail) {
        self.init(
            target: TargetView(detail.summary), members: detail.sensors.map(TargetMemberView.init),
            alarms: detail.activeAlarms.map(AlarmView.init))
    }
}
