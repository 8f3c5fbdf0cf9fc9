public import Store

/// The result of an attempt to cancel a command (docs/iotctl-json.md, "cancellation").
public struct CancellationView: Codable, Sendable, Equatable {
    /// The command's id.
    public var id: String
    /// The serial number of the command's sensor.
    public var sensor: String
    /// The command's name: `sleep`, `awake`, `change_sample_frequency` …
    public var command: String
    /// Whether the command was cancelled; false if it had ended already.
    public var isCancelled: Bool
    /// The command's current state.
    public var state: String

    private enum CodingKeys: String, CodingKey {
        case id, sensor, command
        case isCancelled = "cancelled"
        case state
    }
}

extension CancellationView {
    /// The view of a cancellation in the database.
    public init(_ cancellation: Cancellation) {
        let command = cancellation.command
        self.init(
            id: command.id, sensor: command.serial, command: command.name, isCancelled: cancellation.isDone,
            state: command.state)
    }
}
