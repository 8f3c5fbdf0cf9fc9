/// Writes the elements of an array.
struct JSONElementEncoder: UnkeyedEncodingContainer {
    let node: JSONNode
    let codingPath: [any CodingKey]
    var count: Int { node.elements.count }

    func encodeNil() { node.element().scalar = .null }

    func encode<Value: Encodable>(_ value: Value) throws { try node.element().fill(with: value, codingPath) }

    func nestedContainer<NestedKey: CodingKey>(keyedBy type: NestedKey.Type) -> KeyedEncodingContainer<NestedKey> {
        encoder().container(keyedBy: type)
    }

    func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { encoder().unkeyedContainer() }

    func superEncoder() -> any Encoder { encoder() }

    private func encoder() -> JSONTreeEncoder { JSONTreeEncoder(node: node.element(), codingPath: codingPath) }
}
