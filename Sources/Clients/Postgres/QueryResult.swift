/// The rows that a statement returned.
public struct QueryResult: Sendable, RandomAccessCollection {
    private let table: ResultTable
    /// The number of rows in the result.
    public let count: Int
    /// The number of rows that the statement changed or returned.
    let affected: Int

    /// A result with the values of all rows, one row after the other.
    /// - Parameter statement: the text of the statement, for errors.
    init(statement: String, columns: [String], values: [String?], count: Int, affected: Int) {
        table = ResultTable(statement: statement, columns: columns, values: values)
        self.count = count
        self.affected = affected
    }

    /// The index of the first row: 0.
    public var startIndex: Int { 0 }
    /// One above the index of the last row.
    public var endIndex: Int { count }

    /// The row with that index, 0 ..< `count`.
    public subscript(index: Int) -> Row { Row(table: table, start: index * table.columns.count) }

    /// The names of the columns, in order.
    public var columns: [String] { table.columns }

    /// Looks a column up once for all rows.
    /// - Throws: `StoreError.missingColumn`, also if the result has no rows.
    public func column(_ name: String) throws(StoreError) -> Row.Column {
        Row.Column(name: name, index: try table.index(of: name))
    }
}

/// What the rows of a result share.
final class ResultTable: Sendable {
    /// The statement's text, for errors.
    private let statement: String
    let columns: [String]
    /// The values in PostgreSQL's text format, row by row; nil for NULL.
    let values: [String?]

    init(statement: String, columns: [String], values: [String?]) {
        self.statement = statement
        self.columns = columns
        self.values = values
    }

    func index(of name: String) throws(StoreError) -> Int {
        // A result has a few dozen columns with short names: comparing them takes less time than a hash.
        guard let index = columns.firstIndex(of: name) else {
            throw .missingColumn(name, found: columns, statement: firstLine)
        }
        return index
    }

    func error(_ column: String, expected: String, found: String) -> StoreError {
        .undecodable(column: column, expected: expected, found: found, statement: firstLine)
    }

    private var firstLine: String {
        let line = statement.split(whereSeparator: \.isNewline).lazy.map { $0.drop(while: \.isWhitespace) }
            .first { !$0.isEmpty }
        return String(line ?? "")
    }
}
