public import Time

/// A parameter of a statement.
public enum SQLValue: Sendable, Equatable {
    /// NULL.
    case null
    /// Any integer type.
    case integer(Int64)
    /// A floating-point type.
    case double(Double)
    /// A boolean.
    case flag(Bool)
    /// A text, jsonb, or any type that PostgreSQL can parse from text. NUL bytes, which it cannot store, become U+FFFD.
    case text(String)
    /// A bytea.
    case bytes([UInt8])
    /// A timestamptz, rounded down to whole microseconds.
    case time(Timestamp)
    /// An array of integers.
    case integers([Int64?])
    /// An array of floating-point numbers.
    case doubles([Double?])
    /// A text[].
    case texts([String?])
    /// A timestamptz[].
    case times([Timestamp?])

    /// The value in PostgreSQL's text format; nil for NULL and for bytes, which are sent in binary format.
    public var textForm: String? {
        switch self {
        case .null, .bytes: nil
        case .integer(let number): String(number)
        case .double(let number): Self.format(number)
        case .flag(let flag): flag ? "t" : "f"
        case .text(let text): Self.withoutNul(text)
        case .time(let time): Self.format(time)
        case .integers(let numbers): Self.array(numbers.map { $0.map { String($0) } })
        case .doubles(let numbers): Self.array(numbers.map { $0.map(Self.format) })
        case .texts(let texts): Self.array(texts.map { $0.map { Self.quoted(Self.withoutNul($0)) } })
        case .times(let times): Self.array(times.map { $0.map { "\"\(Self.format($0))\"" } })
        }
    }

    /// The value as a quoted literal of SQL.
    var literal: String {
        switch self {
        case .integer(let number): number < 0 ? "(\(number))" : "\(number)"
        case .bytes(let bytes):
            "'\\x" + bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined() + "'"
        default: textForm.map(Self.literal) ?? "NULL"
        }
    }

    /// With `E`, a backslash means the same whether or not the server has `standard_conforming_strings` on.
    private static func literal(_ text: String) -> String {
        var literal = text.unicodeScalars.contains("\\") ? "E'" : "'"
        for character in text.unicodeScalars {
            if character == "'" || character == "\\" { literal.unicodeScalars.append(character) }
            literal.unicodeScalars.append(character)
        }
        return literal + "'"
    }

    private static func array(_ elements: [String?]) -> String {
        "{" + elements.map { $0 ?? "NULL" }.joined(separator: ",") + "}"
    }

    private static func format(_ number: Double) -> String {
        number.isNaN ? "NaN" : number.isInfinite ? (number < 0 ? "-Infinity" : "Infinity") : "\(number)"
    }

    /// Truncated to microseconds: `time_ns` holds the rest.
    private static func format(_ time: Timestamp) -> String { time.text(.microseconds) }

    private static func withoutNul(_ text: String) -> String {
        text.utf8.contains(0) ? String(text.map { $0 == "\0" ? "\u{FFFD}" : $0 }) : text
    }

    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for character in text.unicodeScalars {
            if character == "\"" || character == "\\" { quoted.append("\\") }
            quoted.unicodeScalars.append(character)
        }
        return quoted + "\""
    }
}
