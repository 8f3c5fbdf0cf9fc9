public import Store
public import Time

/// A sensor in detail (docs/iotctl-json.md, "sensor in detail").
public struct SensorDetailView: Sendable, Equatable {
    /// The sensor's summary; its fields come first in the same object.
    public var sensor: SensorView
    /// When the registry first received a message of the sensor.
    public var firstSeen: Timestamp?
    /// The desired properties as an object.
    public var desired: JSONValue
    /// Version of the desired properties; each change increments it.
    public var desiredVersion: Int64
    /// When the desired properties last changed.
    public var desiredChangedAt: Timestamp?
    /// The reported properties as an object.
    public var reported: JSONValue
    /// Version of the reported properties; each change increments it.
    public var reportedVersion: Int64
    /// Desired properties whose reported value differs.
    public var drift: [DriftView]
    /// The sequence of the sensor's next frame, as announced.
    public var announcedNextSequence: Int64?
    /// The channels by number, with their newest values.
    public var channels: [ChannelView]
    /// The boots, newest first, at most `SensorDetail.bootsMax`.
    public var boots: [BootView]
    /// The commands, newest first, at most `SensorDetail.commandsMax`.
    public var commands: [CommandView]
    /// The active alarms, newest first.
    public var activeAlarms: [AlarmView]

    private enum CodingKeys: String, CodingKey {
        case firstSeen = "first_seen"
        case desired
        case desiredVersion = "desired_version"
        case desiredChangedAt = "desired_changed_at"
        case reported
        case reportedVersion = "reported_version"
        case drift
        case announcedNextSequence = "announced_next_sequence"
        case channels, boots, commands
        case activeAlarms = "active_alarms"
    }
}

extension SensorDetailView: Codable {
    /// Decodes the fields of the SensorView and its own from one object.
    /// - Throws: `DecodingError`.
    public init(from decoder: any Decoder) throws {
        sensor = try SensorView(from: decoder)
        let container = try decoder.container(keyedBy: CodingKeys.self)
        firstSeen = try container.decodeIfPresent(Timestamp.self, forKey: .firstSeen)
        desired = try container.decode(JSONValue.self, forKey: .desired)
        desiredVersion = try container.decode(Int64.self, forKey: .desiredVersion)
        desiredChangedAt = try container.decodeIfPresent(Timestamp.self, forKey: .desiredChangedAt)
        reported = try container.decode(JSONValue.self, forKey: .reported)
        reportedVersion = try container.decode(Int64.self, forKey: .reportedVersion)
        drift = try container.decode([DriftView].self, forKey: .drift)
        announcedNextSequence = try container.decodeIfPresent(Int64.self, forKey: .announcedNextSequence)
        channels = try container.decode([ChannelView].self, forKey: .channels)
        boots = try container.decode([BootView].self, forKey: .boots)
        commands = try container.decode([CommandView].self, forKey: .commands)
        activeAlarms = try container.decode([AlarmView].self, forKey: .activeAlarms)
    }

    /// Encodes the fields of the SensorView, then its own, into one object.
    /// - Throws: `EncodingError`.
    public func encode(to encoder: any Encoder) throws {
        try sensor.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(firstSeen, forKey: .firstSeen)
        try container.encode(desired, forKey: .desired)
        try container.encode(desiredVersion, forKey: .desiredVersion)
        try container.encode(desiredChangedAt, forKey: .desiredChangedAt)
        try container.encode(reported, forKey: .reported)
        try container.encode(reportedVersion, forKey: .reportedVersion)
        try container.encode(drift, forKey: .drift)
        try container.encode(announcedNextSequence, forKey: .announcedNextSequence)
        try container.encode(channels, forKey: .channels)
        try container.encode(boots, forKey: .boots)
        try container.encode(commands, forKey: .commands)
        try container.encode(activeAlarms, forKey: .activeAlarms)
    }
}

extension SensorDetailView {
    /// The view of a stored sensor.
    public init(_ detail: SensorDetail) {
        self.init(
            sensor: SensorView(detail.summary), firstSeen: detail.firstSeen,
            desired: JSONValue(json: detail.desired.json) ?? .null, desiredVersion: detail.desired.version,
            desiredChangedAt: detail.desired.changedAt, reported: JSONValue(json: detail.reportedJSON) ?? .null,
            reportedVersion: detail.reportedVersion,
            drift: DriftView.between(desiredJSON: detail.desired.json, reportedJSON: detail.reportedJSON),
            announcedNextSequence: detail.announcedNextSequence, channels: detail.channels.map(ChannelView.init),
            boots: detail.boots.map(BootView.init), commands: detail.commands.map(CommandView.init),
            activeAlarms: detail.activeAlarms.map(AlarmView.init))
    }
}
