/// What went wrong between us and the database; each case is what the caller can do next.
public enum StoreError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Nobody answers there, or the server is starting or full: try again later.
    case unreachable(String)
    /// The server knows us not, or has no such database: no use in trying again before somebody acts.
    case refused(String)
    /// The connection broke in the middle of `operation`: open another. A COMMIT may or may not have happened.
    case lost(operation: String, String)
    /// The server refused `operation`; the transaction is over.
    case failed(operation: String, sqlState: String, message: String)
    /// What the server gave is not what was asked for: a fault in our SQL.
    case unexpected(String)

    /// What to do about it.
    public enum Advice: Sendable, Equatable {
        /// The same again, later, over a new connection if need be.
        case retry
        /// In smaller parts.
        case halve
        /// Not again: this data, or this statement, is wrong.
        case giveUp
    }

    /// What to do about it, by SQLSTATE class (PostgreSQL manual, appendix A; design §4).
    public var advice: Advice {
        switch self {
        case .unreachable, .refused, .lost: .retry
        case .unexpected: .giveUp
        case .failed(_, let sqlState, _): Self.advice(sqlState: sqlState)
        }
    }

    static func advice(sqlState: String) -> Advice {
        switch (sqlState.prefix(2), sqlState) {
        // Out of memory (also shared memory for locks), program limits.
        case (_, "53200"), ("54", _): .halve
        // The data itself: out of range, not what a constraint allows.
        case ("22", _), ("23", _): .giveUp
        // Connection, deadlock, disk, shutdown, a lock, a right or a table that is missing: the data is not at fault,
        // and giving it up for that would lose it. Somebody can mend it; until then it waits in the broker.
        default: .retry
        }
    }

    /// The SQLSTATE, where there is one.
    public var sqlState: String? {
        if case .failed(_, let sqlState, _) = self { sqlState } else { nil }
    }

    /// Whether somebody else held a lock for too long.
    public var isLockTimeout: Bool { sqlState == "55P03" }

    /// What happened, without secrets.
    public var description: String {
        switch self {
        case .unreachable(let text), .refused(let text), .unexpected(let text): text
        case .lost(let operation, let text): "\(operation): \(text)"
        case .failed(let operation, let sqlState, let message): "\(operation): \(sqlState) \(message)"
        }
    }
}
