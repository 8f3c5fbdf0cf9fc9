public import Sensors

/// A parameter of a statement.
public enum SQLValue: Sendable, Equatable {
    /// NULL.
    case null
    /// Any integer type.
    case integer(Int64)
    /// A floating-point type.
    case double(Double)
    /// boolean.
    case flag(Bool)
    /// text, jsonb, or whatever reads it. NUL bytes, which PostgreSQL can't store, become U+FFFD.
    case text(String)
    /// bytea.
    case bytes([UInt8])
    /// timestamptz, to the microsecond below.
    case time(Timestamp)
    /// An array of integers.
    case integers([Int64?])
    /// An array of floating-point numbers.
    case doubles([Double?])
    /// text[].
    case texts([String?])
    /// timestamptz[].
    case times([Timestamp?])

    /// An integer, or NULL.
    public static func integer(_ number: Int64?) -> SQLValue { number.map(SQLValue.integer) ?? .null }
    /// A text, or NULL.
    public static func text(_ text: String?) -> SQLValue { text.map(SQLValue.text) ?? .null }
    /// A number, or NULL.
    public static func double(_ number: Double?) -> SQLValue { number.map(SQLValue.double) ?? .null }
    /// A time, or NULL.
    public static func time(_ time: Timestamp?) -> SQLValue { time.map(SQLValue.time) ?? .null }

    /// PostgreSQL's text form; nil for NULL and for bytes, which go as they are.
    var textForm: String? {
        switch self {
        case .null, .bytes: nil
        case .integer(let number): String(number)
        case .double(let number): Self.form(number)
        case .flag(let flag): flag ? "t" : "f"
        case .text(let text): Self.withoutNul(text)
        case .time(let time): Self.form(time)
        case .integers(let numbers): Self.array(numbers.map { $0.map { String($0) } })
        case .doubles(let numbers): Self.array(numbers.map { $0.map(Self.form) })
        case .texts(let texts): Self.array(texts.map { $0.map { Self.quoted(Self.withoutNul($0)) } })
        case .times(let times): Self.array(times.map { $0.map { "\"\(Self.form($0))\"" } })
        }
    }

    private static func array(_ elements: [String?]) -> String {
        "{" + elements.map { $0 ?? "NULL" }.joined(separator: ",") + "}"
    }

    private static func form(_ number: Double) -> String {
        number.isNaN ? "NaN" : number.isInfinite ? (number < 0 ? "-Infinity" : "Infinity") : "\(number)"
    }

    /// Cut, not rounded, to microseconds: `time_ns` holds the rest.
    private static func form(_ time: Timestamp) -> String { String(time.description.dropLast(4)) + "Z" }

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

/// The answer to a query.
public struct Rows: Sendable {
    /// The names of the columns, in order.
    public let columns: [String]
    /// Each row's values in PostgreSQL's text form; nil for NULL.
    public let values: [[String?]]
    /// How many rows the statement changed, or gave.
    public let affected: Int

    /// Rows.
    public var count: Int { values.count }

    /// One row, by name of column.
    public struct Row: Sendable {
        let columns: [String]
        let values: [String?]

        /// The text of a column; nil if it is NULL or there is no such column.
        public subscript(column: String) -> String? {
            columns.firstIndex(of: column).flatMap { values[$0] }
        }

        /// An integer of a column; nil if it is NULL or not one.
        public func integer(_ column: String) -> Int64? { self[column].flatMap { Int64($0) } }

        /// A number of a column; nil if it is NULL or not one.
        public func double(_ column: String) -> Double? { self[column].flatMap { Double($0) } }

        /// A boolean of a column; false if it is NULL.
        public func flag(_ column: String) -> Bool { self[column] == "t" }
    }

    /// Row `index`.
    public subscript(index: Int) -> Row { Row(columns: columns, values: values[index]) }

    /// The rows, in order.
    public var rows: [Row] { values.map { Row(columns: columns, values: $0) } }

    /// The first row, if there is one.
    public var first: Row? { rows.first }
}
