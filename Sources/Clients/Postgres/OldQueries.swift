// The interface of earlier code: numbered parameters, and rows whose accessors return nil. This file is deleted when no
// code calls it any more; nothing else depends on it.

public import Time

extension SQLValue {
    /// An integer, or NULL for nil.
    public static func integer(_ number: Int64?) -> SQLValue { number.map(SQLValue.integer) ?? .null }
    /// A text, or NULL for nil.
    public static func text(_ text: String?) -> SQLValue { text.map(SQLValue.text) ?? .null }
    /// A floating-point number, or NULL for nil.
    public static func double(_ number: Double?) -> SQLValue { number.map(SQLValue.double) ?? .null }
    /// A time, or NULL for nil.
    public static func time(_ time: Timestamp?) -> SQLValue { time.map(SQLValue.time) ?? .null }
}

extension StoreConnection {
    /// Runs one statement in its own transaction: `fetch` and `run` replace it.
    @discardableResult
    public func query(_ sql: String, _ parameters: [SQLValue] = [], timeout: Duration = .seconds(300)) throws -> Rows {
        Rows(try result(sql, parameters, timeout: timeout))
    }
}

extension Session {
    /// Runs one statement: `fetch` and `run` replace it.
    @discardableResult
    public func query(_ sql: String, _ parameters: [SQLValue] = []) throws -> Rows { Rows(try result(sql, parameters)) }
}

/// The bytes of hexadecimal digits: `Row.bytes` replaces it.
public func unhexed(_ hex: some StringProtocol) -> [UInt8] { [UInt8](hexadecimal: String(hex)) ?? [] }

/// The result of a query: `QueryResult` replaces it.
public struct Rows: Sendable {
    /// As before.
    public let columns: [String]
    /// As before.
    public let values: [[String?]]
    /// As before.
    public let affected: Int
    /// As before.
    public var count: Int { values.count }

    init(_ result: QueryResult) {
        columns = result.columns
        values = result.map { Array($0.values) }
        affected = result.affected
    }

    /// One row: `Postgres.Row` replaces it.
    public struct Row: Sendable {
        let columns: [String]
        let values: [String?]

        /// As before.
        public subscript(column: String) -> String? { columns.firstIndex(of: column).flatMap { values[$0] } }
        /// As before.
        public func integer(_ column: String) -> Int64? { self[column].flatMap { Int64($0) } }
        /// As before.
        public func double(_ column: String) -> Double? { self[column].flatMap { Double($0) } }
        /// As before.
        public func flag(_ column: String) -> Bool { self[column] == "t" }
        /// As before.
        public func text(_ column: String) -> String { self[column] ?? "" }
        /// As before.
        public func time(_ column: String) -> Timestamp? {
            integer(column).map { Timestamp(unixNanoseconds: $0.multipliedReportingOverflow(by: 1000).partialValue) }
        }
        /// As before.
        public func age(_ column: String) -> Duration? {
            guard let time = integer(column), let now = integer("now_us") else { return nil }
            return .microseconds(now - time)
        }
    }

    /// As before.
    public subscript(index: Int) -> Row { Row(columns: columns, values: values[index]) }
    /// As before.
    public var rows: [Row] { values.map { Row(columns: columns, values: $0) } }
    /// As before.
    public var first: Row? { rows.first }
}
