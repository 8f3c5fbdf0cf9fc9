/// What is wrong with a rule: a field and a sentence.
public struct RuleProblem: Error, Sendable, Equatable, CustomStringConvertible {
    /// The path of the field within the rule, such as `when.all[1].threshold.above`; empty: the rule as a whole.
    public let field: String
    /// What is wrong with it, in one sentence.
    public let text: String

    /// That problem of that field.
    public init(_ field: String, _ text: String) {
        self.field = field
        self.text = text
    }

    /// The problem that a decoder found.
    public init(_ error: DecodingError) {
        switch error {
        case .typeMismatch(let type, let context):
            self.init(Self.path(context.codingPath), "is no \(Self.word(for: type))")
        case .valueNotFound(_, let context): self.init(Self.path(context.codingPath), "has no value")
        case .keyNotFound(let key, let context): self.init(Self.path(context.codingPath + [key]), "missing")
        case .dataCorrupted(let context): self.init(Self.path(context.codingPath), context.debugDescription)
        @unknown default: self.init("", "\(error)")
        }
    }

    /// "when.threshold.above: missing".
    public var description: String { field.isEmpty ? text : "\(field): \(text)" }

    private static func path(_ keys: [any CodingKey]) -> String {
        var path = ""
        for key in keys {
            if let index = key.intValue {
                path += "[\(index)]"
            } else {
                path += path.isEmpty ? key.stringValue : ".\(key.stringValue)"
            }
        }
        return path
    }

    private static func word(for type: any Any.Type) -> String {
        switch type {
        case is Double.Type: "number"
        case is any FixedWidthInteger.Type: "whole number"
        case is String.Type: "text"
        case is Bool.Type: "true or false"
        default: "\(type)".hasPrefix("Array") ? "list" : "object"
        }
    }
}
