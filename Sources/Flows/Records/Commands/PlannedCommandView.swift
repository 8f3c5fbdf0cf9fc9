public import Control
public import Model

/// A command that a dry run would send (docs/iotctl-json.md, "planned command").
public struct PlannedCommandView: Codable, Sendable, Equatable {
    /// The serial number of the command's sensor.
    public var sensor: String
    /// The command's name: `sleep`, `awake`, `change_sample_frequency` …
    public var command: String
    /// The command's arguments as an object.
    public var arguments: JSONValue
}

extension PlannedCommandView {
    /// The view of a request to one sensor.
    public init(_ request: CommandRequest, to sensor: SerialNumber) {
        self.init(sensor: sensor.text, command: request.name, arguments: JSONValue(request.arguments))
    }
}
