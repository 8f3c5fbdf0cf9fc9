public import Model

extension JSONValue {
    /// The value of a command's argument or of a property.
    public init(_ value: Command.Value) {
        switch value {
        case .number(let number): self = .number(number)
        case .text(let text): self = .text(text)
        case .flag(let flag): self = .flag(flag)
        }
    }

    /// The arguments of a command as an object, in the order of their names.
    public init(_ arguments: [String: Command.Value]) {
        self = .object(
            arguments.sorted { $0.key < $1.key }.map { Field(name: $0.key, value: JSONValue($0.value)) })
    }
}
