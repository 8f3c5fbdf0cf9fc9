internal import Foundation

/// The form that rules and revisions have in the database: JSON with its keys in order.
enum StoredJSON {
    /// The text of a value.
    /// - Throws: `EncodingError`.
    static func text(of value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    /// The value of a text; nil if it is none of this type.
    static func value<Value: Decodable>(_ type: Value.Type, of text: String) -> Value? {
        try? JSONDecoder().decode(type, from: Data(text.utf8))
    }
}
