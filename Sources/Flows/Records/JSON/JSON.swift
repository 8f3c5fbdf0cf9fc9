internal import FoundationEssentials

/// Converts views to JSON and back (docs/iotctl-json.md).
///
/// Fields are written in the order of the type, and always present: null where a view has nil. Fields of dictionaries
/// are written in the order of their names.
public enum JSON {
    /// A value as JSON on one line.
    /// - Throws: `EncodingError`; the views never throw it.
    public static func line(_ value: any Encodable) throws -> String { try JSONValue(encoding: value).json }

    /// A value as indented JSON, for people to read.
    /// - Throws: `EncodingError`; the views never throw it.
    public static func pretty(_ value: any Encodable) throws -> String { try JSONValue(encoding: value).prettyJSON }

    /// Reads the JSON that the other functions write. Fields that `Value` does not have are ignored.
    /// - Throws: `DecodingError`.
    public static func read<Value: Decodable>(_ type: Value.Type, from text: String) throws -> Value {
        try JSONDecoder().decode(type, from: Data(text.utf8))
    }
}
