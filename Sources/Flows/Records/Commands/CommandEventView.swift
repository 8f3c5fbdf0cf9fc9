public import Model
public import Store
public import Time

/// A command or a sensor's answer as published at the broker (docs/iotctl-json.md, "command event").
public struct CommandEventView: Codable, Sendable, Equatable {
    /// When the broker received the message; for the state at the start when the command was issued or delivered.
    public var at: Timestamp?
    /// The command's id.
    public var id: String
    /// The serial number of the command's sensor.
    public var sensor: String
    /// The command's name; nil if only an answer was seen.
    public var command: String?
    /// `queued`, `sent_again`, `delivered`, `succeeded`, `failed`, `rejected` or `expired`.
    public var event: String
    /// The reason why the command failed or was rejected; empty otherwise.
    public var reason: String
    /// The command's arguments as an object; null for an answer.
    public var arguments: JSONValue
    /// The command's issuer; nil for an answer.
    public var issuer: String?
    /// The time after which the sensor does not run the command; nil for an answer and if the command never expires.
    public var expiresAt: Timestamp?

    /// The view of an event.
    /// - Parameters:
    ///   - at: when the broker received the message.
    ///   - name: the command's name; nil if only an answer was seen.
    ///   - sent: the command itself; nil for an answer.
    public init(
        at: Timestamp, id: String, sensor: String, name: String?, event: String, reason: String, sent: Command?
    ) {
        self.at = at
        self.id = id
        self.sensor = sensor
        command = name
        self.event = event
        self.reason = reason
        arguments = sent.map { JSONValue($0.arguments) } ?? .null
        issuer = sent?.issuer
        expiresAt = sent?.expires
    }

    /// The state of a command that has not ended when a watch begins.
    public init(open command: CommandRecord) {
        at = command.deliveredAt ?? command.issuedAt
        id = command.id
        sensor = command.serial
        self.command = command.name
        event = command.state
        reason = command.reason
        arguments = JSONValue(json: command.argumentsJSON) ?? .null
        issuer = command.issuer
        expiresAt = command.expiresAt
    }

    private enum CodingKeys: String, CodingKey {
        case at, id, sensor, command, event, reason, arguments, issuer
        case expiresAt = "expires_at"
    }
}
