public import Time

/// A row of a result. Values are read by the column's name and the expected type.
///
/// Every accessor throws a `StoreError` that names the column and the statement: `missingColumn`, or `undecodable` if the
/// value is not of the type. NULL is undecodable, too, except for the accessors that begin with `optional`.
public struct Row: Sendable {
    /// The name of a column, which is looked up in each row, or a column that `QueryResult.column` has looked up.
    public struct Column: Sendable, ExpressibleByStringInterpolation {
        let name: String
        /// Where it was found in a result; nil: not looked up.
        let index: Int?

        init(name: String, index: Int?) {
            self.name = name
            self.index = index
        }

        /// The column of that name.
        public init(stringLiteral name: String) { self.init(name: name, index: nil) }
    }

    private let table: ResultTable
    /// The index of the row's first value in the table.
    private let start: Int

    init(table: ResultTable, start: Int) {
        self.table = table
        self.start = start
    }

    /// The values of all columns, in order.
    var values: ArraySlice<String?> { table.values[start..<(start + table.columns.count)] }

    /// The value of a column as text; nil for NULL.
    private func value(_ column: Column) throws(StoreError) -> String? {
        let columns = table.columns
        if let index = column.index, index < columns.count, columns[index] == column.name {
            return table.values[start + index]
        }
        return table.values[start + (try table.index(of: column.name))]
    }

    /// The value of a column by `parse`; nil for NULL.
    /// - Parameter expected: describes the values that `parse` accepts, such as "an integer".
    private func parsed<Value>(
        _ column: Column, _ expected: @autoclosure () -> String, _ parse: (String) -> Value?
    ) throws(StoreError) -> Value? {
        guard let text = try value(column) else { return nil }
        if let value = parse(text) { return value }
        let found = text.count > 64 ? "\"\(text.prefix(64))…\"" : "\"\(text)\""
        throw table.error(column.name, expected: expected(), found: found)
    }

    private func required<Value>(
        _ value: Value?, _ column: Column, _ expected: @autoclosure () -> String
    ) throws(StoreError) -> Value {
        guard let value else { throw table.error(column.name, expected: expected(), found: "NULL") }
        return value
    }

    // MARK: texts

    /// The text of a column.
    public func text(_ column: Column) throws(StoreError) -> String { try required(value(column), column, "a text") }

    /// The text of a column; nil for NULL.
    public func optionalText(_ column: Column) throws(StoreError) -> String? { try value(column) }

    /// The value that `parse` makes of a column's text.
    /// - Parameter expected: describes the texts for which `parse` does not return nil, such as "a serial number".
    public func text<Value>(
        _ column: Column, as expected: String, _ parse: (String) -> Value?
    ) throws(StoreError) -> Value {
        try required(parsed(column, expected, parse), column, expected)
    }

    /// The value that `parse` makes of a column's text; nil for NULL.
    /// - Parameter expected: describes the texts for which `parse` does not return nil, such as "a serial number".
    public func optionalText<Value>(
        _ column: Column, as expected: String, _ parse: (String) -> Value?
    ) throws(StoreError) -> Value? {
        try parsed(column, expected, parse)
    }

    // MARK: numbers

    /// The integer of a column; a value outside of the type's range is an error.
    public func integer<Number: FixedWidthInteger>(
        _ column: Column, as type: Number.Type = Int64.self
    ) throws(StoreError) -> Number {
        try required(optionalInteger(column, as: type), column, "\(type)")
    }

    /// The integer of a column; nil for NULL.
    public func optionalInteger<Number: FixedWidthInteger>(
        _ column: Column, as type: Number.Type = Int64.self
    ) throws(StoreError) -> Number? {
        try parsed(column, "\(type)") { Number($0) }
    }

    /// The floating-point number of a column.
    public func double(_ column: Column) throws(StoreError) -> Double {
        try required(optionalDouble(column), column, "Double")
    }

    /// The floating-point number of a column; nil for NULL.
    public func optionalDouble(_ column: Column) throws(StoreError) -> Double? {
        try parsed(column, "Double") { Double($0) }
    }

    /// The boolean of a column.
    public func flag(_ column: Column) throws(StoreError) -> Bool {
        let flag = try parsed(column, "a boolean") { $0 == "t" ? true : $0 == "f" ? false : nil }
        return try required(flag, column, "a boolean")
    }

    // MARK: types with a raw value

    /// The value whose raw value is the text of a column.
    public func value<Value: RawRepresentable<String>>(
        _ column: Column, as type: Value.Type = Value.self
    ) throws(StoreError) -> Value {
        try required(optionalValue(column, as: type), column, "\(type)")
    }

    /// The value whose raw value is the text of a column; nil for NULL.
    public func optionalValue<Value: RawRepresentable<String>>(
        _ column: Column, as type: Value.Type = Value.self
    ) throws(StoreError) -> Value? {
        try parsed(column, "\(type)") { Value(rawValue: $0) }
    }

    /// The value whose raw value is the integer of a column.
    public func value<Value: RawRepresentable>(
        _ column: Column, as type: Value.Type = Value.self
    ) throws(StoreError) -> Value where Value.RawValue: FixedWidthInteger {
        try required(optionalValue(column, as: type), column, "\(type)")
    }

    /// The value whose raw value is the integer of a column; nil for NULL.
    public func optionalValue<Value: RawRepresentable>(
        _ column: Column, as type: Value.Type = Value.self
    ) throws(StoreError) -> Value? where Value.RawValue: FixedWidthInteger {
        try parsed(column, "\(type)") { Value.RawValue($0).flatMap { Value(rawValue: $0) } }
    }

    // MARK: times

    /// The time of a column that holds `microseconds` since 1970.
    public func time(_ column: Column) throws(StoreError) -> Timestamp {
        try required(optionalTime(column), column, "microseconds since 1970")
    }

    /// The time of a column that holds `microseconds` since 1970; nil for NULL.
    public func optionalTime(_ column: Column) throws(StoreError) -> Timestamp? {
        try parsed(column, "microseconds since 1970") { text in
            Int64(text).flatMap { microseconds in
                let (nanoseconds, isBeyond) = microseconds.multipliedReportingOverflow(by: 1000)
                return isBeyond ? nil : Timestamp(unixNanoseconds: nanoseconds)
            }
        }
    }

    /// The time from `column` to the database's current time in column `now_us`, both in microseconds.
    public func age(_ column: Column) throws(StoreError) -> Duration {
        .microseconds(try integer("now_us") - (try integer(column)))
    }

    /// The time from `column` to the database's current time in column `now_us`, both in microseconds; nil if `column`
    /// is NULL.
    public func optionalAge(_ column: Column) throws(StoreError) -> Duration? {
        guard let time = try optionalInteger(column) else { return nil }
        return .microseconds(try integer("now_us") - time)
    }

    // MARK: bytes

    /// The bytes of a column that holds `encode(…, 'hex')`.
    public func bytes(_ column: Column) throws(StoreError) -> [UInt8] {
        try required(optionalBytes(column), column, "hexadecimal digits")
    }

    /// The bytes of a column that holds `encode(…, 'hex')`; nil for NULL.
    public func optionalBytes(_ column: Column) throws(StoreError) -> [UInt8]? {
        try parsed(column, "hexadecimal digits") { [UInt8](hexadecimal: $0) }
    }
}

/// A SQL expression for a `timestamptz` column as whole microseconds since 1970.
public func microseconds(_ time: SQL) -> SQL { "(extract(epoch FROM \(time)) * 1000000)::bigint" }

extension [UInt8] {
    /// The bytes that SQL's `encode(…, 'hex')` wrote; nil if the text has anything but pairs of hexadecimal digits.
    public init?(hexadecimal text: String) {
        let digits = text.utf8Span.span
        guard digits.count.isMultiple(of: 2) else { return nil }
        self = []
        reserveCapacity(digits.count / 2)
        for place in stride(from: 0, to: digits.count, by: 2) {
            guard let high = Self.digit(digits[place]), let low = Self.digit(digits[place + 1]) else { return nil }
            append(high << 4 | low)
        }
    }

    private static func digit(_ character: UInt8) -> UInt8? {
        switch character {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): character - UInt8(ascii: "a") + 10
        default: nil
        }
    }
}
