public import Time

/// A type whose values can be parameters of a statement.
public protocol SQLParameter {
    /// The value as a parameter.
    var sqlValue: SQLValue { get }
    /// Values as one parameter, an array; NULL for each nil.
    static func sqlArray(_ values: [Self?]) -> SQLValue
}

extension SQLParameter where Self: RawRepresentable, RawValue: SQLParameter {
    /// The raw value as a parameter.
    public var sqlValue: SQLValue { rawValue.sqlValue }
    /// The raw values as an array.
    public static func sqlArray(_ values: [Self?]) -> SQLValue { RawValue.sqlArray(values.map { $0?.rawValue }) }
}

extension SQLParameter where Self: BinaryInteger {
    /// The number as an integer of PostgreSQL.
    public var sqlValue: SQLValue { .integer(Int64(self)) }
    /// The numbers as an array of integers.
    public static func sqlArray(_ values: [Self?]) -> SQLValue { .integers(values.map { $0.map { Int64($0) } }) }
}

extension Int: SQLParameter {}
extension Int64: SQLParameter {}
extension Int32: SQLParameter {}
extension Int16: SQLParameter {}
extension UInt32: SQLParameter {}

extension Double: SQLParameter {
    /// The number as a double precision.
    public var sqlValue: SQLValue { .double(self) }
    /// The numbers as an array.
    public static func sqlArray(_ values: [Double?]) -> SQLValue { .doubles(values) }
}

extension Bool: SQLParameter {
    /// The flag as a boolean.
    public var sqlValue: SQLValue { .flag(self) }
    /// The flags as an array.
    public static func sqlArray(_ values: [Bool?]) -> SQLValue { .texts(values.map { $0.map { $0 ? "t" : "f" } }) }
}

extension String: SQLParameter {
    /// The text; NUL bytes, which PostgreSQL cannot store, become U+FFFD.
    public var sqlValue: SQLValue { .text(self) }
    /// The texts as an array.
    public static func sqlArray(_ values: [String?]) -> SQLValue { .texts(values) }
}

extension Timestamp: SQLParameter {
    /// The time as a timestamptz, rounded down to whole microseconds.
    public var sqlValue: SQLValue { .time(self) }
    /// The times as an array.
    public static func sqlArray(_ values: [Timestamp?]) -> SQLValue { .times(values) }
}
