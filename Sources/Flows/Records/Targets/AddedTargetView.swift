/// A machine that was added (docs/iotctl-json.md, `target add`).
public struct AddedTargetView: Codable, Sendable, Equatable {
    /// The machine's name.
    public var target: String
    /// The machine's description; may be empty.
    public var description: String

    /// The view of an added machine.
    public init(target: String, description: String) {
        self.target = target
        self.description = description
    }
}
