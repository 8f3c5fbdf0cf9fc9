internal import CPostgres
internal import Endpoint
internal import Glibc

/// The only owner of a libpq connection. All C calls of this target are in this file.
///
/// Two threads must not use a PGconn at the same time. The actor that holds it runs on its own thread, which may block.
@safe
struct PGHandle: ~Copyable {
    private let connection: OpaquePointer
    /// The bytes passed to libpq in one call.
    static let copyPieceBytes = 64 << 10

    /// Connects, within 10 s for each host.
    init(_ endpoint: Endpoint, applicationName: String) throws(StoreError) {
        let settings = endpoint.connectionString(applicationName: applicationName)
        guard let connection = unsafe PQconnectdb(settings) else { throw .unreachable("no memory for a connection") }
        guard unsafe PQstatus(connection) == CONNECTION_OK else {
            let error = unsafe Self.connectError(connection, endpoint)
            unsafe PQfinish(connection)
            throw error
        }
        unsafe PQsetNoticeProcessor(connection, { _, _ in }, nil)
        unsafe self.connection = connection
    }

    deinit { unsafe PQfinish(connection) }

    /// libpq gives no SQLSTATE for a failed connection, so the text of its error decides whether retrying can help.
    private static func connectError(_ connection: OpaquePointer, _ endpoint: Endpoint) -> StoreError {
        let text = unsafe ConnectionErrorText.short(string(PQerrorMessage(connection)))
        let final = ["password", "authentication", "does not exist", "no pg_hba.conf entry", "permission denied"]
        let isFinal = final.contains { text.contains($0) }
        return isFinal ? .refused("\(endpoint): \(text)") : .unreachable("\(endpoint): \(text)")
    }

    /// The server and the database as a URL without the password.
    private static func place(of connection: OpaquePointer) -> String {
        unsafe "postgresql://\(string(PQuser(connection)))@\(string(PQhost(connection)))"
            + ":\(string(PQport(connection)))/\(string(PQdb(connection)))"
    }

    /// Calls `body` with the handle, for callers that hold it in an optional.
    func perform<Result>(_ body: (borrowing PGHandle) throws -> Result) throws -> Result { try body(self) }

    /// Whether the connection was still open after the last call.
    var isAlive: Bool { unsafe PQstatus(connection) == CONNECTION_OK }

    /// Runs one or more statements without parameters, in one round trip.
    func execute(_ sql: String, _ operation: String) throws(StoreError) {
        let result = unsafe PQResult(PQexec(connection, sql))
        try check(result, operation)
    }

    /// The most parameters of one statement, by the protocol.
    private static let parametersMax = 65_535

    /// Runs one statement with parameters.
    func query(_ sql: String, _ parameters: [SQLValue], _ operation: String) throws(StoreError) -> QueryResult {
        guard parameters.count <= Self.parametersMax else {
            throw .unexpected("\(operation): \(parameters.count) parameters, at most \(Self.parametersMax)")
        }
        let bytes = parameters.map(Self.encode)
        let lengths = bytes.map { Int32($0?.count ?? 0) }
        let formats: [Int32] = parameters.map { if case .bytes = $0 { 1 } else { 0 } }
        let result = unsafe PQResult(
            withCStrings(bytes) { values in
                unsafe PQexecParams(connection, sql, Int32(parameters.count), nil, values, lengths, formats, 0)
            })
        try check(result, operation)
        return result.rows(of: sql)
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
    /// - Returns: false if the bytes could not be sent; the caller must then end the COPY.
    func putCopyData(_ bytes: borrowing RawSpan) -> Bool {
        unsafe bytes.withUnsafeBytes { buffer in
            let bytes = unsafe buffer.assumingMemoryBound(to: CChar.self)
            // In pieces, because libpq copies each into its own buffer before it sends it.
            return stride(from: 0, to: bytes.count, by: Self.copyPieceBytes).allSatisfy { start in
                let count = min(Self.copyPieceBytes, bytes.count - start)
                return unsafe PQputCopyData(connection, bytes.baseAddress.map { unsafe $0 + start }, Int32(count)) == 1
            }
        }
    }

    /// Ends a COPY.
    /// - Throws: `StoreError` if the server did not accept the rows.
    func endCopy(complete: Bool, _ operation: String) throws(StoreError) {
        _ = unsafe PQputCopyEnd(connection, complete ? nil : "not all rows could be sent")
        let result = unsafe PQResult(PQgetResult(connection))
        // The connection accepts no other statement before the last result has been read.
        while let next = unsafe PQgetResult(connection) { unsafe PQclear(next) }
        try check(result, operation)
    }

    var descriptor: Int32 { unsafe PQsocket(connection) }

    private func check(_ result: borrowing PQResult, _ operation: String) throws(StoreError) {
        switch result.status {
        case PGRES_COMMAND_OK, PGRES_TUPLES_OK: return
        default:
            guard isAlive, let sqlState = result.sqlState else {
                let text = unsafe ConnectionErrorText.short(Self.string(PQerrorMessage(connection)))
                throw .lost(operation: operation, unsafe "\(Self.place(of: connection)): \(text)")
            }
            let message = unsafe Self.oneLine(PQerrorMessage(connection))
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

/// A libpq result, which is freed with its owner.
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

    func rows(of statement: String) -> QueryResult {
        let columnCount = unsafe PQnfields(result)
        let columns = (0..<columnCount).map { column in
            guard let name = unsafe PQfname(result, column) else { return "" }
            return unsafe String(cString: name)
        }
        let count = unsafe PQntuples(result)
        var values: [String?] = []
        values.reserveCapacity(Int(count) * Int(columnCount))
        for row in 0..<count {
            for column in 0..<columnCount { values.append(value(row, column)) }
        }
        let affected = unsafe PQcmdTuples(result).flatMap { unsafe Int(String(cString: $0)) } ?? 0
        return QueryResult(
            statement: statement, columns: columns, values: values, count: Int(count), affected: affected)
    }

    private func value(_ row: Int32, _ column: Int32) -> String? {
        guard unsafe PQgetisnull(result, row, column) == 0, let value = unsafe PQgetvalue(result, row, column) else {
            return nil
        }
        return unsafe String(cString: value)
    }
}

/// Calls `body` with `strings` as an array of C pointers, NULL for nil and a NULL at the end; valid only during the
/// call.
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
