/// Writes a single value.
struct JSONScalarEncoder: SingleValueEncodingContainer {
    let node: JSONNode
    var codingPath: [any CodingKey] { [] }

    func encodeNil() { node.scalar = .null }

    func encode<Value: Encodable>(_ value: Value) throws {
        node.kind = .scalar
        node.scalar = try JSONValue(encoding: value)
    }
}
