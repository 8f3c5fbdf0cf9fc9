internal import FoundationEssentials

/// A JSON value that keeps the order of fields and distinguishes integers from other numbers.
public enum JSONValue: Sendable {
    /// A field of an object.
    public struct Field: Sendable, Equatable {
        /// The field's name in snake_case, as in the database.
        public var name: String
        /// The field's value.
        public var value: JSONValue

        /// A field of this name and value.
        public init(name: String, value: JSONValue) {
            self.name = name
            self.value = value
        }
    }

    /// null.
    case null
    /// true or false.
    case flag(Bool)
    /// An integer.
    case integer(Int64)
    /// Any number; NaN and infinities are written as null, because JSON has no notation for them.
    case number(Double)
    /// A text.
    case text(String)
    /// An array.
    case list([JSONValue])
    /// An object.
    case object([Field])

    /// A text, or null.
    public static func text(_ text: String?) -> JSONValue { text.map(JSONValue.text) ?? .null }
    /// An integer, or null.
    public static func integer(_ number: Int64?) -> JSONValue { number.map(JSONValue.integer) ?? .null }
    /// A number, or null.
    public static func number(_ number: Double?) -> JSONValue { number.map(JSONValue.number) ?? .null }

    /// Parses JSON; the fields of objects are in the order of their names.
    /// - Returns: nil if the text is not JSON.
    public init?(json: String) {
        if json == "{}" {
            // Most sensors have no tags, and a decoder for each costs more than all else of a list.
            self = .object([])
            return
        }
        guard let value = try? JSONDecoder().decode(JSONValue.self, from: Data(json.utf8)) else { return nil }
        self = value
    }

    /// The value of a field; nil if there is no such field or this value is not an object.
    public subscript(name: String) -> JSONValue? {
        guard case .object(let fields) = self else { return nil }
        return fields.first { $0.name == name }?.value
    }

    /// The leaves of nested objects with their paths separated by dots, in the order of the fields. A value that is not
    /// an object is a single leaf with an empty path.
    public var leaves: [(path: String, value: JSONValue)] { leaves(under: "") }

    private func leaves(under path: String) -> [(path: String, value: JSONValue)] {
        guard case .object(let fields) = self else { return [(path, self)] }
        return fields.flatMap { $0.value.leaves(under: path.isEmpty ? $0.name : "\(path).\($0.name)") }
    }
}

extension JSONValue: Equatable {
    /// Whether two values are equal in JSON: 1000 equals 1000.0, because JSON has one type of numbers.
    public static func == (left: JSONValue, right: JSONValue) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.flag(let left), .flag(let right)): left == right
        case (.integer(let left), .integer(let right)): left == right
        case (.number(let left), .number(let right)): left == right
        case (.integer(let whole), .number(let number)), (.number(let number), .integer(let whole)):
            Int64(exactly: number) == whole
        case (.text(let left), .text(let right)): left == right
        case (.list(let left), .list(let right)): left == right
        case (.object(let left), .object(let right)): left == right
        case (.null, _), (.flag, _), (.integer, _), (.number, _), (.text, _), (.list, _), (.object, _): false
        }
    }
}
