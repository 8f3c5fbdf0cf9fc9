public import Store
public import Time

/// A command and its state (docs/iotctl-json.md, "command").
public struct CommandView: Codable, Sendable, Equatable {
    /// The command's id, as in the message.
    public var id: String
    /// The serial number of the command's sensor.
    public var sensor: String
    /// The command's name: `sleep`, `awake`, `change_sample_frequency` …
    public var command: String
    /// The command's arguments as an object.
    public var arguments: JSONValue
    /// The command's issuer.
    public var issuer: String
    /// `queued`, `delivered`, `succeeded`, `failed`, `rejected`, `expired`, `cancelled` or `timed_out`.
    public var state: String
    /// The reason why the command failed or was rejected; empty otherwise.
    public var reason: String
    /// When the command was issued.
    public var issuedAt: Timestamp?
    /// The time after which the sensor does not run the command; nil if it never expires.
    public var expiresAt: Timestamp?
    /// When the sensor acknowledged the command.
    public var deliveredAt: Timestamp?
    /// When the command ended.
    public var finishedAt: Timestamp?
    /// When the registry last sent the command again.
    public var sentAt: Timestamp?
    /// When the registry will send the command again.
    public var sendAt: Timestamp?
    /// Number of times that the registry sent the command.
    public var sends: Int64

    private enum CodingKeys: String, CodingKey {
        case id, sensor, command, arguments, issuer, state, reason
        case issuedAt = "issued_at"
        case expiresAt = "expires_at"
        case deliveredAt = "delivered_at"
        case finishedAt = "finished_at"
        case sentAt = "sent_at"
        case sendAt = "send_at"
        case sends
    }
}

extension CommandView {
    /// The view of a stored command.
    public init(_ record: CommandRecord) {
        self.init(
            id: record.id, sensor: record.serial, command: record.name,
            arguments: JSONValue(json: record.argumentsJSON) ?? .null, issuer: record.issuer, state: record.state,
            reason: record.reason, issuedAt: record.issuedAt, expiresAt: record.expiresAt,
            deliveredAt: record.deliveredAt, finishedAt: record.finishedAt, sentAt: record.sentAt,
            sendAt: record.sendAt, sends: record.sends)
    }
}
