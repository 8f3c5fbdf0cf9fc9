/// Writes a single value.
struct JSONScalarEncoder: SingleValueEncodingContainer {
    let node: JSONNode
    let codingPath: [any CodingKey]

    func encodeNil() { node.scalar = .null }

    func encode<Value: Encodable>(_ value: Value) throws { try node.fill(with: value, codingPath) }
}
