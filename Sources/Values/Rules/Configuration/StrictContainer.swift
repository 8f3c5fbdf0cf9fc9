/// An object of a rule file: it refuses keys that it does not know, so that a misspelt one is found.
struct StrictContainer {
    private let container: KeyedDecodingContainer<AnyKey>

    /// The object at the decoder's place.
    /// - Parameter known: the keys that it may have.
    /// - Throws: `DecodingError` that names the first unknown key.
    init(_ decoder: any Decoder, _ known: [String]) throws {
        container = try decoder.container(keyedBy: AnyKey.self)
        let names = container.allKeys.map(\.stringValue).sorted()
        if let name = names.first(where: { !known.contains($0) }) {
            throw DecodingError.dataCorruptedError(
                forKey: AnyKey(name), in: container,
                debugDescription: "unknown; possible here: \(known.joined(separator: ", "))")
        }
    }

    /// The keys that are present.
    var names: [String] { container.allKeys.map(\.stringValue).sorted() }

    /// The value of a key that must be there.
    func required<Value: Decodable>(_ name: String, as type: Value.Type = Value.self) throws -> Value {
        guard container.contains(AnyKey(name)) else {
            throw DecodingError.dataCorruptedError(forKey: AnyKey(name), in: container, debugDescription: "missing")
        }
        return try container.decode(type, forKey: AnyKey(name))
    }

    /// The value of a key; nil if it is absent or null.
    func optional<Value: Decodable>(_ name: String, as type: Value.Type = Value.self) throws -> Value? {
        try container.decodeIfPresent(type, forKey: AnyKey(name))
    }

    /// An error about the value of a key.
    func fault(_ name: String, _ text: String) -> DecodingError {
        DecodingError.dataCorruptedError(forKey: AnyKey(name), in: container, debugDescription: text)
    }
}
