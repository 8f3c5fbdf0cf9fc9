public import Control
internal import Model
internal import Time

/// The result of a command that iotctl just issued (docs/iotctl-json.md, "command result").
public struct CommandResultView: Codable, Sendable, Equatable {
    /// The command's id, a UUID; nil if the command was not sent.
    public var id: String?
    /// The serial number of the command's sensor.
    public var sensor: String
    /// The command's name: `sleep`, `awake`, `change_sample_frequency` …
    public var command: String
    /// The outcome: a raw value of `CommandOutcome`.
    public var outcome: String
    /// The reason why the command was not run; empty otherwise.
    public var reason: String
    /// Milliseconds from publishing to the outcome; nil if the command was not sent.
    public var milliseconds: Int64?
}

extension CommandResultView {
    /// The view of the result of the command `name`.
    public init(_ result: CommandResult, of name: String) {
        self.init(
            id: result.id, sensor: result.sensor.text, command: name, outcome: result.outcome.rawValue,
            reason: result.reason, milliseconds: result.after?.milliseconds)
    }
}
