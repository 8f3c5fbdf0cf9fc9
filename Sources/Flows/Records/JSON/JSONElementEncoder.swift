/// Writes the elements of an array.
struct JSONElementEncoder: UnkeyedEncodingContainer {
    let node: JSONNode
    var codingPath: [any CodingKey] { [] }
    var count: Int { node.count }

    func encodeNil() { node.append(.null) }

    func encode<Value: Encodable>(_ value: Value) throws { node.append(try JSONValue(encoding: value)) }

    func nestedContainer<NestedKey: CodingKey>(keyedBy type: NestedKey.Type) -> KeyedEncodingContainer<NestedKey> {
        node.nested().container(keyedBy: type)
    }

    func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { node.nested().unkeyedContainer() }

    func superEncoder() -> any Encoder { node.nested() }
}
