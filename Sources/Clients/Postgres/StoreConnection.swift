internal import ClientThread
public import Endpoint
internal import Time

/// A connection to the database on its own thread, which may block.
///
/// A call crosses to the thread once per transaction, not once per statement: `transaction` takes a closure that runs
/// on the thread from start to end. After the connection broke, the next call reconnects. Nothing is retried.
public actor StoreConnection {
    private let endpoint: Endpoint
    private let applicationName: String
    private let thread = ClientThread(name: "postgres")
    private var session: Session?

    /// The connection's own thread, on which all code of this actor runs.
    nonisolated public var unownedExecutor: UnownedSerialExecutor { unsafe thread.asUnownedSerialExecutor() }

    /// A connection that is opened when it is first used.
    /// - Parameter applicationName: the name that `pg_stat_activity` shows, unless the endpoint has an option for it.
    public init(_ endpoint: Endpoint, applicationName: String) {
        self.endpoint = endpoint
        self.applicationName = applicationName
    }

    deinit { thread.stop() }

    /// Closes the connection; the next call opens another one.
    public func close() { session = nil }

    /// Runs one statement in its own transaction and returns its rows.
    /// - Parameter timeout: the time after which the connection is closed if the server has not answered.
    /// - Throws: `StoreError`.
    public func fetch(_ sql: SQL, timeout: Duration = .seconds(300)) throws -> QueryResult {
        try result(sql.text, sql.parameters, timeout: timeout)
    }

    /// Runs one statement in its own transaction and returns its first row.
    /// - Parameter timeout: the time after which the connection is closed if the server has not answered.
    /// - Throws: `StoreError`; `unexpected` if the statement returns no row.
    public func fetchOne(_ sql: SQL, timeout: Duration = .seconds(300)) throws -> Row {
        try withSession(timeout) { session in try session.fetchOne(sql) }
    }

    /// Runs one statement in its own transaction.
    /// - Parameter timeout: the time after which the connection is closed if the server has not answered.
    /// - Returns: the number of rows that it changed or returned.
    /// - Throws: `StoreError`.
    @discardableResult
    public func run(_ sql: SQL, timeout: Duration = .seconds(300)) throws -> Int {
        try result(sql.text, sql.parameters, timeout: timeout).affected
    }

    func result(_ text: String, _ parameters: [SQLValue], timeout: Duration) throws -> QueryResult {
        try withSession(timeout) { session in try session.result(text, parameters) }
    }

    /// Runs `body` in a transaction, which is committed if it returns and rolled back if it throws.
    ///
    /// The limits are set inside the transaction, so that they also work through a transaction pooler: the transaction
    /// may take `timeout` in total and wait `lockTimeout` for a lock. If the server does not enforce the limit, for
    /// example in a stalled COPY, the connection is closed 3 s later.
    /// - Parameter prelude: a statement for the first round trip; its parameters are sent as literals.
    /// - Throws: `StoreError`, or the error that `body` throws. After `lost` the outcome of the commit is unknown.
    public func transaction<Result: Sendable>(
        timeout: Duration = .seconds(60), lockTimeout: Duration = .seconds(10), prelude: SQL = "",
        _ body: @Sendable (inout Session) throws -> Result
    ) throws -> Result {
        try withSession(timeout + .seconds(3)) { session in
            do {
                // A prelude that fails leaves an open transaction behind, too.
                try session.begin(timeout: timeout, lockTimeout: lockTimeout, prelude: prelude)
                let result = try body(&session)
                try session.commit()
                return result
            } catch {
                session.rollBack()
                throw error
            }
        }
    }

    private func withSession<Result>(
        _ limit: Duration, _ body: (inout Session) throws -> Result
    ) throws -> Result {
        if session?.isAlive != true {
            session = nil
            session = Session(try PGHandle(endpoint, applicationName: applicationName))
        }
        guard let descriptor = session?.descriptor else { throw StoreError.unexpected("no connection") }
        let result = try Watchdog.guarding(descriptor, for: limit) { try session?.perform(body) }
        guard let result else { throw StoreError.unexpected("no connection") }
        return result
    }
}

/// The database during one call of `StoreConnection.transaction`. Statements run one after another on its thread.
public struct Session: ~Copyable {
    private let handle: PGHandle
    private var inTransaction = false
    private var buffer = CopyBuffer(capacity: 2 * PGHandle.copyPieceBytes)

    init(_ handle: consuming PGHandle) { self.handle = handle }

    var isAlive: Bool { handle.isAlive }

    var descriptor: Int32 { handle.descriptor }

    mutating func perform<Result>(_ body: (inout Session) throws -> Result) throws -> Result { try body(&self) }

    mutating func begin(timeout: Duration, lockTimeout: Duration, prelude: SQL) throws {
        try handle.execute(
            """
            BEGIN; SET LOCAL transaction_timeout = \(timeout.milliseconds); \
            SET LOCAL lock_timeout = \(lockTimeout.milliseconds); SET LOCAL timezone = 'UTC'; \(prelude.inlined)
            """, "BEGIN")
        inTransaction = true
    }

    mutating func commit() throws {
        guard inTransaction else { return }
        inTransaction = false
        try handle.execute("COMMIT", "COMMIT")
    }

    mutating func rollBack() {
        inTransaction = false
        try? handle.execute("ROLLBACK", "ROLLBACK")
    }

    /// Runs one statement and returns its rows.
    /// - Throws: `StoreError`.
    public func fetch(_ sql: SQL) throws -> QueryResult { try result(sql.text, sql.parameters) }

    /// Runs one statement and returns its first row.
    /// - Throws: `StoreError`; `unexpected` if the statement returns no row.
    public func fetchOne(_ sql: SQL) throws -> Row {
        let text = sql.text
        guard let row = try result(text, sql.parameters).first else {
            throw StoreError.unexpected("no row: \(Self.title(text))")
        }
        return row
    }

    /// Runs one statement.
    /// - Returns: the number of rows that it changed or returned.
    /// - Throws: `StoreError`.
    @discardableResult
    public func run(_ sql: SQL) throws -> Int { try result(sql.text, sql.parameters).affected }

    func result(_ text: String, _ parameters: [SQLValue]) throws -> QueryResult {
        try handle.query(text, parameters, Self.title(text))
    }

    /// Runs statements without parameters, in one round trip.
    /// - Throws: `StoreError`.
    public func execute(_ sql: String) throws { try handle.execute(sql, Self.title(sql)) }

    /// Sends rows to `table` (with its columns in parentheses) by binary COPY, piece by piece: the server reads one
    /// piece while the client encodes the next, and memory holds one piece.
    /// - Throws: `StoreError`.
    public mutating func copy<Row>(
        _ rows: [Row], to table: String, encode: (Row, inout CopyBuffer) -> Void
    ) throws {
        if rows.isEmpty { return }
        let operation = "COPY \(Self.title(table))"
        try handle.beginCopy("COPY \(table) FROM STDIN (FORMAT binary)", operation)
        buffer.clear()
        var isSound = true
        for row in rows where isSound {
            encode(row, &buffer)
            if buffer.byteCount >= PGHandle.copyPieceBytes { isSound = sendBuffer() }
        }
        buffer.finish()
        isSound = isSound && sendBuffer()
        try handle.endCopy(complete: isSound, operation)
    }

    private mutating func sendBuffer() -> Bool {
        let isSound = buffer.withContent { handle.putCopyData($0) }
        buffer.removeSent()
        return isSound
    }

    /// Ends the transaction with `statement`, whose parameters are sent as literals, and COMMIT in one round trip. If the
    /// statement fails, nothing is committed.
    /// - Throws: `StoreError`; after `lost` the outcome of the commit is unknown.
    public mutating func commit(with statement: SQL) throws {
        // The server skips the statements after a failed one in the same message, so COMMIT runs only after success.
        try handle.execute(statement.inlined + "; COMMIT", "COMMIT")
        inTransaction = false
    }

    /// The first words of a statement, to name it in errors.
    static func title(_ sql: String) -> String {
        sql.split(whereSeparator: \.isWhitespace).prefix(4).joined(separator: " ")
    }
}
