internal import CPostgres
internal import Glibc

/// The one owner of a libpq connection. Everything of C that this target touches is in this file.
///
/// No two threads may use a PGconn at once: the actor that holds it runs on one thread, and calls that block are right.
@safe
struct PGHandle: ~Copyable {
    private let connection: OpaquePointer
    /// Bytes that go to libpq at a time.
    static let copyPieceBytes = 64 << 10

    /// Connects, within 10 s.
    /// - Parameter url: a connection URI or string of libpq; its password is never part of an error.
    init(url: String, applicationName: String) throws(StoreError) {
        guard Self.isReadable(url) else {
            throw .refused("the database's URL can't be read: postgresql://user:password@host:port/database")
        }
        let settings = [
            ("dbname", url), ("fallback_application_name", applicationName), ("connect_timeout", "10"),
            ("client_encoding", "UTF8"), ("keepalives_idle", "10"), ("keepalives_interval", "5"),
            ("tcp_user_timeout", "15000"),
        ]
        guard let connection = unsafe Self.connect(settings) else { throw .unreachable("no memory for a connection") }
        guard unsafe PQstatus(connection) == CONNECTION_OK else {
            let error = unsafe Self.connectError(connection)
            unsafe PQfinish(connection)
            throw error
        }
        unsafe PQsetNoticeProcessor(connection, { _, _ in }, nil)
        unsafe self.connection = connection
    }

    deinit { unsafe PQfinish(connection) }

    /// Whether libpq understands the URL. What it says of one that it doesn't quotes it, password and all; and what is no
    /// URL at all it takes for the name of a database.
    private static func isReadable(_ url: String) -> Bool {
        var message: UnsafeMutablePointer<CChar>?
        let options = unsafe PQconninfoParse(url, &message)
        unsafe PQfreemem(message)
        guard let options = unsafe options else { return false }
        defer { unsafe PQconninfoFree(options) }
        var option = unsafe options
        while let keyword = unsafe option.pointee.keyword {
            // An @ in the password that is not written %40 makes its end a part of the host.
            if unsafe strcmp(keyword, "host") == 0, unsafe string(option.pointee.val).contains("@") { return false }
            unsafe option += 1
        }
        return true
    }

    private static func connect(_ settings: [(String, String)]) -> OpaquePointer? {
        unsafe withCStrings(settings.map { Array($0.0.utf8CString) }) { names in
            unsafe withCStrings(settings.map { Array($0.1.utf8CString) }) { values in
                // A URI is expanded before the settings that follow it.
                unsafe PQconnectdbParams(names, values, 1)
            }
        }
    }

    /// libpq gives no SQLSTATE for a failed connection, so its words decide whether trying again can help.
    private static func connectError(_ connection: OpaquePointer) -> StoreError {
        let text = unsafe oneLine(PQerrorMessage(connection))
        let place =
            unsafe "postgresql://\(string(PQuser(connection)))@\(string(PQhost(connection)))"
            + ":\(string(PQport(connection)))/\(string(PQdb(connection)))"
        let final = ["password", "authentication", "does not exist", "no pg_hba.conf entry", "permission denied"]
        let isFinal = final.contains { text.contains($0) }
        return isFinal ? .refused("\(place): \(text)") : .unreachable("\(place): \(text)")
    }

    /// Gives the connection to `body`: for callers that hold it in an optional.
    func perform<Result>(_ body: (borrowing PGHandle) throws -> Result) throws -> Result { try body(self) }

    /// Whether the connection still stands, as far as the last call showed.
    var isAlive: Bool { unsafe PQstatus(connection) == CONNECTION_OK }

    /// Runs one or more statements without parameters, in one round trip.
    func execute(_ sql: String, _ operation: String) throws(StoreError) {
        let result = unsafe PQResult(PQexec(connection, sql))
        try check(result, operation)
    }

    /// Runs one statement with parameters.
    func query(_ sql: String, _ parameters: [SQLValue], _ operation: String) throws(StoreError) -> Rows {
        let bytes = parameters.map(Self.encode)
        let lengths = bytes.map { Int32($0?.count ?? 0) }
        let formats: [Int32] = parameters.map { if case .bytes = $0 { 1 } else { 0 } }
        let result = unsafe PQResult(
            withCStrings(bytes) { values in
                unsafe PQexecParams(connection, sql, Int32(parameters.count), nil, values, lengths, formats, 0)
            })
        try check(result, operation)
        return result.rows()
    }

    private static func encode(_ value: SQLValue) -> [CChar]? {
        if case .bytes(let bytes) = value { return bytes.map { CChar(bitPattern: $0) } }
        return value.textForm.map { Array($0.utf8CString) }
    }

    /// Begins `COPY … FROM STDIN (FORMAT binary)`; `endCopy` must follow.
    func beginCopy(_ statement: String, _ operation: String) throws(StoreError) {
        let start = unsafe PQResult(PQexec(connection, statement))
        guard start.status == PGRES_COPY_IN else {
            try check(start, operation)
            throw .unexpected("\(operation): not a COPY")
        }
    }

    /// Sends bytes of a COPY.
    /// - Returns: false if they could not be sent: the COPY can only be ended.
    func putCopyData(_ bytes: borrowing RawSpan) -> Bool {
        unsafe bytes.withUnsafeBytes { buffer in
            let bytes = unsafe buffer.assumingMemoryBound(to: CChar.self)
            // In pieces: libpq copies each into a buffer of its own before it sends.
            return stride(from: 0, to: bytes.count, by: Self.copyPieceBytes).allSatisfy { start in
                let count = min(Self.copyPieceBytes, bytes.count - start)
                return unsafe PQputCopyData(connection, bytes.baseAddress.map { unsafe $0 + start }, Int32(count)) == 1
            }
        }
    }

    /// Ends a COPY and says whether the server took it.
    func endCopy(complete: Bool, _ operation: String) throws(StoreError) {
        _ = unsafe PQputCopyEnd(connection, complete ? nil : "not all rows could be sent")
        let result = unsafe PQResult(PQgetResult(connection))
        // Until the last result has been read the connection takes no other statement.
        while let next = unsafe PQgetResult(connection) { unsafe PQclear(next) }
        try check(result, operation)
    }

    /// The socket.
    var descriptor: Int32 { unsafe PQsocket(connection) }

    private func check(_ result: borrowing PQResult, _ operation: String) throws(StoreError) {
        switch result.status {
        case PGRES_COMMAND_OK, PGRES_TUPLES_OK: return
        default:
            let message = unsafe Self.oneLine(PQerrorMessage(connection))
            guard isAlive, let sqlState = result.sqlState else { throw .lost(operation: operation, message) }
            throw .failed(operation: operation, sqlState: sqlState, message: message)
        }
    }

    private static func string(_ pointer: UnsafePointer<CChar>?) -> String {
        guard let pointer = unsafe pointer else { return "" }
        return unsafe String(cString: pointer)
    }

    private static func oneLine(_ pointer: UnsafePointer<CChar>?) -> String {
        let text = unsafe string(pointer)
        let line = text.split(whereSeparator: \.isNewline).joined(separator: "; ")
        return line.isEmpty ? "no answer" : line
    }
}

/// A result, freed with its owner.
@safe
private struct PQResult: ~Copyable {
    private let result: OpaquePointer?

    init(_ result: OpaquePointer?) { unsafe self.result = result }

    deinit { unsafe PQclear(result) }

    var status: ExecStatusType { unsafe PQresultStatus(result) }

    var sqlState: String? {
        let field = unsafe PQresultErrorField(result, Int32(UInt8(ascii: "C")))
        guard let field = unsafe field else { return nil }
        return unsafe String(cString: field)
    }

    func rows() -> Rows {
        let columnCount = unsafe PQnfields(result)
        let columns = (0..<columnCount).map { column in
            guard let name = unsafe PQfname(result, column) else { return "" }
            return unsafe String(cString: name)
        }
        let values = unsafe (0..<PQntuples(result)).map { row in (0..<columnCount).map { value(row, $0) } }
        let affected = unsafe PQcmdTuples(result).flatMap { unsafe Int(String(cString: $0)) } ?? 0
        return Rows(columns: columns, values: values, affected: affected)
    }

    private func value(_ row: Int32, _ column: Int32) -> String? {
        guard unsafe PQgetisnull(result, row, column) == 0, let value = unsafe PQgetvalue(result, row, column) else {
            return nil
        }
        return unsafe String(cString: value)
    }
}

/// Gives `strings` to `body` as an array of C pointers, NULL for nil and one NULL more; valid only during the call.
private func withCStrings<Result>(
    _ strings: [[CChar]?], _ body: (UnsafePointer<UnsafePointer<CChar>?>) -> Result
) -> Result {
    var offsets: [Int?] = []
    var all: [CChar] = []
    for string in strings {
        offsets.append(string == nil ? nil : all.count)
        all += string ?? []
        all.append(0)
    }
    return unsafe all.withUnsafeBufferPointer { buffer in
        let start = buffer.baseAddress
        let pointers: [UnsafePointer<CChar>?] =
            unsafe offsets.map { offset in
                guard let offset, let start = unsafe start else { return nil }
                return unsafe start + offset
            } + [nil]
        return unsafe pointers.withUnsafeBufferPointer { list in
            guard let base = list.baseAddress else { preconditionFailure("an array that is not empty has an address") }
            return unsafe body(base)
        }
    }
}
