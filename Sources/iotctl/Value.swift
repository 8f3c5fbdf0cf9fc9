internal import Foundation
internal import Sensors
internal import Yams

/// What is printed as JSON or YAML: fields keep their order, whole numbers stay whole.
enum Value: Sendable, Equatable {
    /// A field of an object.
    struct Field: Sendable, Equatable {
        /// In snake_case, as in the database.
        var name: String
        /// What it holds.
        var value: Value
    }

    /// null.
    case null
    /// true or false.
    case flag(Bool)
    /// A whole number.
    case integer(Int64)
    /// Any number; NaN and infinities are printed as null, which is all that JSON has for them.
    case number(Double)
    /// A text.
    case text(String)
    /// An array.
    case list([Value])
    /// An object.
    case object([Field])

    /// An object of these fields, in this order.
    static func record(_ fields: KeyValuePairs<String, Value>) -> Value {
        .object(fields.map { Field(name: $0.key, value: $0.value) })
    }

    /// A text, or null.
    static func text(_ text: String?) -> Value { text.map(Value.text) ?? .null }
    /// A whole number, or null.
    static func integer(_ number: Int64?) -> Value { number.map(Value.integer) ?? .null }
    /// A number, or null.
    static func number(_ number: Double?) -> Value { number.map(Value.number) ?? .null }
    /// ISO 8601 in UTC with nanoseconds, or null.
    static func time(_ time: Timestamp?) -> Value { text(time?.description) }
    /// Seconds, to the millisecond, or null.
    static func seconds(_ duration: Duration?) -> Value {
        number(duration.map { Double($0.wholeMilliseconds) / 1000 })
    }

    /// Reads JSON; the fields of objects in the order of their names.
    /// - Returns: nil if it is no JSON.
    init?(json: String) {
        guard let value = try? JSONDecoder().decode(Value.self, from: Data(json.utf8)) else { return nil }
        self = value
    }

    /// The value of a field; nil if there is no such field or this is no object.
    subscript(name: String) -> Value? {
        guard case .object(let fields) = self else { return nil }
        return fields.first { $0.name == name }?.value
    }
}

// MARK: JSON

extension Value: Decodable {
    private struct Key: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    /// Reads what the decoder holds.
    init(from decoder: any Decoder) throws {
        if let fields = try? decoder.container(keyedBy: Key.self) {
            self = .object(
                try fields.allKeys.sorted { $0.stringValue < $1.stringValue }.map {
                    Field(name: $0.stringValue, value: try fields.decode(Value.self, forKey: $0))
                })
        } else if var elements = try? decoder.unkeyedContainer() {
            var values: [Value] = []
            while !elements.isAtEnd { values.append(try elements.decode(Value.self)) }
            self = .list(values)
        } else {
            self = try Self.scalar(decoder.singleValueContainer())
        }
    }

    private static func scalar(_ container: any SingleValueDecodingContainer) throws -> Value {
        if container.decodeNil() { return .null }
        if let flag = try? container.decode(Bool.self) { return .flag(flag) }
        if let number = try? container.decode(Int64.self) { return .integer(number) }
        if let number = try? container.decode(Double.self) { return .number(number) }
        return .text(try container.decode(String.self))
    }
}

extension Value {
    /// On one line.
    var json: String { json(indent: nil) }

    /// On many lines, for people to read.
    var prettyJSON: String { json(indent: 0) }

    private func json(indent: Int?) -> String {
        switch self {
        case .null: "null"
        case .flag(let flag): flag ? "true" : "false"
        case .integer(let number): String(number)
        case .number(let number): Self.form(number)
        case .text(let text): Self.quoted(text)
        case .list(let values):
            Self.joined(values.map { $0.json(indent: indent.map { $0 + 1 }) }, "[", "]", indent)
        case .object(let fields):
            Self.joined(
                fields.map {
                    "\(Self.quoted($0.name)):\(indent == nil ? "" : " ")\($0.value.json(indent: indent.map { $0 + 1 }))"
                }, "{", "}", indent)
        }
    }

    private static func joined(_ parts: [String], _ open: String, _ close: String, _ indent: Int?) -> String {
        guard let indent, !parts.isEmpty else { return open + parts.joined(separator: ",") + close }
        let inner = "\n" + String(repeating: "  ", count: indent + 1)
        let outer = "\n" + String(repeating: "  ", count: indent)
        return open + inner + parts.joined(separator: "," + inner) + outer + close
    }

    /// 1000 rather than 1000.0; null for what JSON can't say.
    private static func form(_ number: Double) -> String {
        guard number.isFinite else { return "null" }
        return number == number.rounded() && abs(number) < 1e15 ? String(Int64(number)) : "\(number)"
    }

    /// Control characters escaped, those above ASCII too: a terminal would obey them.
    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\t": quoted += "\\t"
            case "\r": quoted += "\\r"
            case "\u{0}"..."\u{1F}", "\u{7F}"..."\u{9F}":
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}

// MARK: YAML

extension Value {
    /// As a YAML document.
    /// - Parameter isPartOfStream: whether others follow, so that it begins with `---`.
    func yaml(isPartOfStream: Bool = false) throws -> String {
        try Yams.serialize(node: node, width: -1, allowUnicode: true, explicitStart: isPartOfStream)
    }

    private var node: Node {
        switch self {
        case .null: Node("null")
        case .flag(let flag): Node(flag ? "true" : "false")
        case .integer(let number): Node(String(number))
        case .number(let number): Node(Self.form(number))
        case .text(let text): .scalar(text.represented())
        case .list(let values): Node(values.map(\.node))
        case .object(let fields): Node(fields.map { (.scalar($0.name.represented()), $0.value.node) })
        }
    }
}
