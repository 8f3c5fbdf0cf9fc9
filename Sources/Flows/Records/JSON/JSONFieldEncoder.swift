/// Writes the fields of an object in the order in which they are encoded; nil is written as null.
struct JSONFieldEncoder<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let node: JSONNode
    var codingPath: [any CodingKey] { [] }

    func encodeNil(forKey key: Key) { node.append(.null, key) }

    func encode<Value: Encodable>(_ value: Value, forKey key: Key) throws {
        node.append(try JSONValue(encoding: value), key)
    }

    func nestedContainer<NestedKey: CodingKey>(
        keyedBy type: NestedKey.Type, forKey key: Key
    ) -> KeyedEncodingContainer<NestedKey> {
        node.nested(key).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer { node.nested(key).unkeyedContainer() }

    func superEncoder() -> any Encoder { JSONTreeEncoder(node: node) }

    func superEncoder(forKey key: Key) -> any Encoder { node.nested(key) }
}

// The protocol has one of these methods for each type. The types that most fields have need no cast.
extension JSONFieldEncoder {
    func encode(_ value: Bool, forKey key: Key) { node.append(.flag(value), key) }
    func encode(_ value: String, forKey key: Key) { node.append(.text(value), key) }
    func encode(_ value: Double, forKey key: Key) { node.append(.number(value), key) }
    func encode(_ value: Int, forKey key: Key) { node.append(JSONValue(value), key) }
    func encode(_ value: Int64, forKey key: Key) { node.append(.integer(value), key) }
}

// The defaults of these methods leave out fields that are nil.
extension JSONFieldEncoder {
    private func append(_ number: (some BinaryInteger)?, _ key: Key) {
        node.append(number.map { JSONValue($0) } ?? .null, key)
    }

    func encodeIfPresent(_ value: Bool?, forKey key: Key) { node.append(value.map { .flag($0) } ?? .null, key) }
    func encodeIfPresent(_ value: String?, forKey key: Key) { node.append(.text(value), key) }
    func encodeIfPresent(_ value: Double?, forKey key: Key) { node.append(.number(value), key) }
    func encodeIfPresent(_ value: Float?, forKey key: Key) { node.append(.number(value.map { Double($0) }), key) }
    func encodeIfPresent(_ value: Int?, forKey key: Key) { append(value, key) }
    func encodeIfPresent(_ value: Int8?, forKey key: Key) { append(value, key) }
    func encodeIfPresent(_ value: Int16?, forKey key: Key) { append(value, key) }
    func encodeIfPresent(_ value: Int32?, forKey key: Key) { append(value, key) }
    func encodeIfPresent(_ value: Int64?, forKey key: Key) { append(value, key) }
    func encodeIfPresent(_ value: UInt?, forKey key: Key) { append(value, key) }
    func encodeIfPresent(_ value: UInt8?, forKey key: Key) { append(value, key) }
    func encodeIfPresent(_ value: UInt16?, forKey key: Key) { append(value, key) }
    func encodeIfPresent(_ value: UInt32?, forKey key: Key) { append(value, key) }
    func encodeIfPresent(_ value: UInt64?, forKey key: Key) { append(value, key) }
    func encodeIfPresent(_ value: (some Encodable)?, forKey key: Key) throws {
        if let value { try encode(value, forKey: key) } else { encodeNil(forKey: key) }
    }
}
