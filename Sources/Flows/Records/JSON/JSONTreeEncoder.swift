extension JSONValue {
    /// The JSON value that `value` encodes.
    /// - Throws: `EncodingError`; the views never throw it.
    public init(encoding value: any Encodable) throws {
        switch value {
        case let value as JSONValue: self = value
        case let flag as Bool: self = .flag(flag)
        case let text as String: self = .text(text)
        case let number as Double: self = .number(number)
        case let number as Float: self = .number(Double(number))
        case let number as any BinaryInteger: self.init(number)
        default:
            let node = JSONNode()
            try value.encode(to: JSONTreeEncoder(node: node))
            self = node.tree
            if case .object(let fields) = self, value is any KeyedByName {
                self = .object(fields.sorted { $0.name < $1.name })
            }
        }
    }

    /// The integer, or the nearest number if it is beyond 64 bits with a sign.
    init(_ number: some BinaryInteger) {
        self = Int64(exactly: number).map { .integer($0) } ?? .number(Double(number))
    }
}

/// Marks dictionaries, whose fields are sorted because they have no order.
private protocol KeyedByName {}
extension Dictionary: KeyedByName where Key == String {}

/// Encodes a value as a `JSONValue`.
///
/// Foundation's encoder neither keeps the order of fields nor writes null for an optional that is nil. The coding path
/// is for errors only, and stays empty because no view throws one.
struct JSONTreeEncoder: Encoder {
    let node: JSONNode
    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        node.kind = .object
        return KeyedEncodingContainer(JSONFieldEncoder<Key>(node: node))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        node.kind = .list
        return JSONElementEncoder(node: node)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer { JSONScalarEncoder(node: node) }
}

/// A value under construction, shared by the containers that write it.
final class JSONNode {
    enum Kind {
        case scalar
        case list
        case object
    }

    /// A finished value, or one that a nested container is still writing.
    private enum Part {
        case value(JSONValue)
        case node(JSONNode)

        var value: JSONValue {
            switch self {
            case .value(let value): value
            case .node(let node): node.tree
            }
        }
    }

    var kind = Kind.scalar
    var scalar = JSONValue.null
    private var names: [String] = []
    private var parts: [Part] = []

    /// The number of elements or fields.
    var count: Int { parts.count }

    /// The finished value.
    var tree: JSONValue {
        switch kind {
        case .scalar: scalar
        case .list: .list(parts.map(\.value))
        case .object: .object(zip(names, parts).map { JSONValue.Field(name: $0, value: $1.value) })
        }
    }

    /// Appends an element to the list.
    func append(_ value: JSONValue) { parts.append(.value(value)) }

    /// Appends a field to the object.
    func append(_ value: JSONValue, _ key: some CodingKey) {
        names.append(key.stringValue)
        parts.append(.value(value))
    }

    /// Appends an element that a nested container writes.
    func nested() -> JSONTreeEncoder {
        let node = JSONNode()
        parts.append(.node(node))
        return JSONTreeEncoder(node: node)
    }

    /// Appends a field that a nested container writes.
    func nested(_ key: some CodingKey) -> JSONTreeEncoder {
        names.append(key.stringValue)
        return nested()
    }
}
