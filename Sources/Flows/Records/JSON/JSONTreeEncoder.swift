extension JSONValue {
    /// The JSON value that `value` encodes.
    /// - Throws: `EncodingError`; the views never throw it.
    public init(encoding value: any Encodable) throws {
        let node = JSONNode()
        try node.fill(with: value, [])
        self = node.tree
    }
}

/// Encodes a value as a `JSONValue`.
///
/// Foundation's encoder neither keeps the order of fields nor writes null for an optional that is nil.
struct JSONTreeEncoder: Encoder {
    let node: JSONNode
    let codingPath: [any CodingKey]
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        node.kind = .object
        return KeyedEncodingContainer(JSONFieldEncoder<Key>(node: node, codingPath: codingPath))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        node.kind = .list
        return JSONElementEncoder(node: node, codingPath: codingPath)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer {
        JSONScalarEncoder(node: node, codingPath: codingPath)
    }
}

/// A value under construction, shared by the containers that write it.
final class JSONNode {
    enum Kind {
        case scalar
        case list
        case object
    }

    var kind = Kind.scalar
    var scalar = JSONValue.null
    private(set) var elements: [JSONNode] = []
    private(set) var fields: [(name: String, node: JSONNode)] = []

    /// The finished value.
    var tree: JSONValue {
        switch kind {
        case .scalar: scalar
        case .list: .list(elements.map(\.tree))
        case .object: .object(fields.map { JSONValue.Field(name: $0.name, value: $0.node.tree) })
        }
    }

    /// Appends an element to the list.
    func element() -> JSONNode {
        let node = JSONNode()
        elements.append(node)
        return node
    }

    /// Appends a field to the object.
    func field(_ key: some CodingKey) -> JSONNode {
        let node = JSONNode()
        fields.append((key.stringValue, node))
        return node
    }

    /// Encodes `value` into this node.
    func fill(with value: any Encodable, _ codingPath: [any CodingKey]) throws {
        switch value {
        case let value as JSONValue: scalar = value
        case let flag as Bool: scalar = .flag(flag)
        case let text as String: scalar = .text(text)
        case let number as Double: scalar = .number(number)
        case let number as Float: scalar = .number(Double(number))
        case let number as any BinaryInteger:
            scalar = Int64(exactly: number).map { .integer($0) } ?? .number(Double(number))
        default:
            try value.encode(to: JSONTreeEncoder(node: self, codingPath: codingPath))
            if value is any KeyedByName { fields.sort { $0.name < $1.name } }
        }
    }
}

/// Marks dictionaries, whose fields are sorted because they have no order.
private protocol KeyedByName {}
extension Dictionary: KeyedByName where Key == String {}
