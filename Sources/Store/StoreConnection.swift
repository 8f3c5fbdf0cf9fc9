internal import ClientThread
internal import Sensors

/// A connection to the database, on a thread of its own: blocking calls are right there.
///
/// Work crosses to the thread once per transaction, not once per statement: `transaction` and `session` take a closure
/// that runs there from start to end. It reconnects by itself at the next call after it broke; nothing is retried.
public actor StoreConnection {
    private let url: String
    private let applicationName: String
    private let thread = ClientThread(name: "postgres")
    private var session: Session?
    /// Rows from before this are late for the rollups, as far as is known here.
    var closedTo = Timestamp(unixNanoseconds: .min)

    /// The connection's own thread.
    nonisolated public var unownedExecutor: UnownedSerialExecutor { unsafe thread.asUnownedSerialExecutor() }

    /// A connection that connects when it is first used.
    /// - Parameters:
    ///   - url: as libpq takes it, `postgresql://user:password@host:port/database`.
    ///   - applicationName: what `pg_stat_activity` shows.
    public init(url: String, applicationName: String) {
        self.url = url
        self.applicationName = applicationName
    }

    deinit { thread.stop() }

    /// Closes the connection; the next use opens another.
    public func close() { session = nil }

    /// Runs one statement by itself.
    /// - Parameter timeout: the connection is broken when the server has not answered by then.
    /// - Throws: `StoreError`.
    @discardableResult
    public func query(
        _ sql: String, _ parameters: [SQLValue] = [], timeout: Duration = .seconds(300)
    ) throws -> Rows {
        try withSession(timeout) { session in try session.query(sql, parameters) }
    }

    /// Runs `body` in a transaction, which is committed if it returns and rolled back if it throws.
    ///
    /// Limits are set inside the transaction, so that this works through a transaction pooler: it may take
    /// `timeout` in all, and wait `lockTimeout` for a lock. A server that does not keep that limit itself, as in a COPY
    /// that stands still, loses the connection some seconds later.
    /// - Parameter prelude: a statement for the first round trip.
    /// - Throws: `StoreError`, or whatever `body` throws. After `lost` nobody knows whether the commit happened.
    public func transaction<Result: Sendable>(
        timeout: Duration = .seconds(60), lockTimeout: Duration = .seconds(10), prelude: String = "",
        _ body: @Sendable (inout Session) throws -> Result
    ) throws -> Result {
        try withSession(timeout + .seconds(3)) { session in
            do {
                // A prelude that fails leaves a transaction behind, too.
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
            session = Session(try PGHandle(url: url, applicationName: applicationName))
        }
        guard let descriptor = session?.descriptor else { throw StoreError.unexpected("no connection") }
        let result = try Watchdog.guarding(descriptor, for: limit) { try session?.perform(body) }
        guard let result else { throw StoreError.unexpected("no connection") }
        return result
    }
}

/// The database during one call of `StoreConnection.transaction`: statements run one after another on its thread.
public struct Session: ~Copyable {
    private let handle: PGHandle
    private var inTransaction = false
    private var buffer = CopyBuffer(capacity: 2 * PGHandle.copyPieceBytes)

    init(_ handle: consuming PGHandle) { self.handle = handle }

    var isAlive: Bool { handle.isAlive }

    var descriptor: Int32 { handle.descriptor }

    mutating func perform<Result>(_ body: (inout Session) throws -> Result) throws -> Result { try body(&self) }

    mutating func begin(timeout: Duration, lockTimeout: Duration, prelude: String) throws {
        try handle.execute(
            """
            BEGIN; SET LOCAL transaction_timeout = \(timeout.milliseconds); \
            SET LOCAL lock_timeout = \(lockTimeout.milliseconds); SET LOCAL timezone = 'UTC'; \(prelude)
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

    /// Runs one statement.
    /// - Parameter parameters: for `$1`, `$2` …
    /// - Throws: `StoreError`.
    @discardableResult
    public func query(_ sql: String, _ parameters: [SQLValue] = []) throws -> Rows {
        try handle.query(sql, parameters, Self.title(sql))
    }

    /// Runs statements without parameters, in one round trip.
    /// - Throws: `StoreError`.
    public func execute(_ sql: String) throws { try handle.execute(sql, Self.title(sql)) }

    /// Sends rows to `table` (columns in parentheses included) by binary COPY, piece by piece: the server reads one
    /// while the next is encoded, and memory holds one piece.
    /// - Throws: `StoreError`.
    mutating func copy<Row>(
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

    /// Ends the transaction by `statement` and COMMIT in one round trip: if the statement fails nothing is committed.
    /// - Throws: `StoreError`; after `lost` nobody knows whether the commit happened.
    public mutating func commit(with statement: String) throws {
        // The server skips what follows a failed statement of the same message, so COMMIT runs only after success.
        try handle.execute(statement + "; COMMIT", "COMMIT")
        inTransaction = false
    }

    /// The first words of a statement, to name it in errors.
    static func title(_ sql: String) -> String {
        sql.split(whereSeparator: \.isWhitespace).prefix(4).joined(separator: " ")
    }
}
