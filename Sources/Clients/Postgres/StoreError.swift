/// An error of the database or of the connection to it. Each case stands for the caller's next step.
public enum StoreError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The server does not answer, is starting, or has no free connection: retry later.
    case unreachable(String)
    /// Authentication or authorization failed, or the database does not exist: retrying does not help until an operator
    /// acts.
    case refused(String)
    /// The connection broke during `operation`: open another one. A COMMIT may or may not have happened.
    case lost(operation: String, String)
    /// The server reported an error for `operation`; the transaction has ended.
    case failed(operation: String, sqlState: String, message: String)
    /// The server's answer does not match the request: a fault in this program's SQL.
    case unexpected(String)
    /// The answer has no such column, but those of `found`: a fault in this program's SQL, or in the schema. No row of the
    /// answer can be read. `statement` is the first line of the statement.
    case missingColumn(String, found: [String], statement: String)
    /// A value of one row is NULL, or is not one that the program knows: another program, or a newer release, stored it.
    /// Other rows can be read. `statement` is the first line of the statement.
    case undecodable(column: String, expected: String, found: String, statement: String)

    /// The caller's next step after an error.
    public enum Advice: Sendable, Equatable {
        /// Repeat the same operation later, over a new connection if necessary.
        case retry
        /// Repeat the operation in smaller parts.
        case halve
        /// Do not repeat the operation: the data, the statement, or a row that it reads is wrong.
        case giveUp
    }

    /// The next step, by SQLSTATE class (PostgreSQL manual, appendix A).
    public var advice: Advice {
        switch self {
        case .unreachable, .refused, .lost: .retry
        // Every operation fails so, until another release or schema is installed.
        case .missingColumn: .retry
        // Only operations that need the row fail, and only until an operator has repaired it: they must not hold up others.
        case .unexpected, .undecodable: .giveUp
        case .failed(_, let sqlState, _): Self.advice(sqlState: sqlState)
        }
    }

    static func advice(sqlState: String) -> Advice {
        switch (sqlState.prefix(2), sqlState) {
        // Out of memory (including shared memory for locks), program limit exceeded.
        case (_, "53200"), ("54", _): .halve
        // The data itself: out of range, or it violates a constraint.
        case ("22", _), ("23", _): .giveUp
        // Connection, deadlock, disk, shutdown, a lock, a missing permission or table: the data is not at fault, and
        // giving up would lose it. An operator can fix the cause; until then the data waits in the broker.
        default: .retry
        }
    }

    /// The SQLSTATE, if the server sent one.
    public var sqlState: String? {
        if case .failed(_, let sqlState, _) = self { sqlState } else { nil }
    }

    /// Whether another transaction held a lock for longer than the lock timeout.
    public var isLockTimeout: Bool { sqlState == "55P03" }

    /// The error in one line, without secrets.
    public var description: String {
        switch self {
        case .unreachable(let text), .refused(let text), .unexpected(let text): text
        case .missingColumn(let column, let found, let statement):
            "column \(column): not among \(found.joined(separator: ", ")), in the result of: \(statement)"
        case .undecodable(let column, let expected, let found, let statement):
            "column \(column): expected \(expected), found \(found), in the result of: \(statement)"
        case .lost(let operation, let text): "\(operation): \(text)"
        case .failed(let operation, let sqlState, let message): "\(operation): \(sqlState) \(message)"
        }
    }
}
