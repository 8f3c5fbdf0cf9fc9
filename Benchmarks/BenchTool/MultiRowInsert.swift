internal import CPostgres
internal import Endpoint
internal import Model
internal import Postgres

/// INSERT … VALUES (…), (…), … of 1,000 rows, prepared once: what a good driver makes of an insert in a loop.
@safe
struct MultiRowInsert: ~Copyable {
    /// Rows in one statement: four parameters each, of the 65,535 that the protocol allows.
    static let rowsPerStatement = 1000
    /// Microseconds from 1970-01-01 to 2000-01-01, where PostgreSQL counts from.
    private static let epochMicroseconds: Int64 = 946_684_800_000_000
    /// Where the fields of a row lie in `bytes`: time, sensor, channel, value.
    private static let offsets = [0, 16, 20, 8]
    private static let lengths: [Int32] = [8, 4, 2, 8]
    private static let rowBytes = 24

    private let connection: OpaquePointer
    private let bytes: UnsafeMutableRawBufferPointer
    private var values: [UnsafePointer<CChar>?]
    private var parameterLengths: [Int32]
    private var formats: [Int32]

    /// Sends the rows.
    /// - Returns: seconds; nil if the server refused some.
    static func run(_ endpoint: Endpoint, _ rows: [SampleRow]) -> Double? {
        guard let connection = unsafe PQconnectdb(endpoint.connectionString(applicationName: "bench rows")) else {
            return nil
        }
        let insert = unsafe MultiRowInsert(connection)
        guard insert.prepare() else { return nil }
        let start = ContinuousClock.now
        for first in stride(from: 0, to: rows.count, by: Rows.rowsPerTransaction) {
            let transaction = rows[first..<min(rows.count, first + Rows.rowsPerTransaction)]
            guard insert.execute("BEGIN") else { return nil }
            for begin in stride(from: transaction.startIndex, to: transaction.endIndex, by: rowsPerStatement) {
                guard insert.send(transaction[begin..<min(transaction.endIndex, begin + rowsPerStatement)]) else {
                    return nil
                }
            }
            guard insert.execute("COMMIT") else { return nil }
        }
        return start.duration(to: .now) / .seconds(1)
    }

    /// Takes the connection over.
    private init(_ connection: OpaquePointer) {
        unsafe self.connection = unsafe connection
        let bytes = UnsafeMutableRawBufferPointer.allocate(
            byteCount: Self.rowsPerStatement * Self.rowBytes, alignment: 8)
        unsafe self.bytes = unsafe bytes
        unsafe values = unsafe (0..<Self.rowsPerStatement).flatMap { row in
            unsafe Self.offsets.map { offset in
                unsafe bytes.baseAddress.map {
                    unsafe UnsafePointer(($0 + row * Self.rowBytes + offset).assumingMemoryBound(to: CChar.self))
                }
            }
        }
        parameterLengths = (0..<Self.rowsPerStatement).flatMap { _ in Self.lengths }
        formats = [Int32](repeating: 1, count: Self.rowsPerStatement * Self.lengths.count)
    }

    deinit {
        unsafe PQfinish(connection)
        unsafe bytes.deallocate()
    }

    private static func statement(rows: Int) -> String {
        let tuples = (0..<rows).map { "($\($0 * 4 + 1),$\($0 * 4 + 2),$\($0 * 4 + 3),$\($0 * 4 + 4))" }
        return "INSERT INTO \(SampleRow.table) VALUES \(tuples.joined(separator: ","))"
    }

    private static func isDone(_ result: OpaquePointer?) -> Bool {
        defer { unsafe PQclear(result) }
        return unsafe PQresultStatus(result) == PGRES_COMMAND_OK
    }

    private func prepare() -> Bool {
        unsafe Self.isDone(PQprepare(connection, "full", Self.statement(rows: Self.rowsPerStatement), 0, nil))
    }

    private func execute(_ sql: String) -> Bool { unsafe Self.isDone(PQexec(connection, sql)) }

    private func send(_ rows: ArraySlice<SampleRow>) -> Bool {
        for (index, row) in rows.enumerated() {
            let at = index * Self.rowBytes
            unsafe bytes.storeBytes(
                of: (row.unixMicroseconds - Self.epochMicroseconds).bigEndian, toByteOffset: at, as: Int64.self)
            unsafe bytes.storeBytes(of: row.value.bitPattern.bigEndian, toByteOffset: at + 8, as: UInt64.self)
            unsafe bytes.storeBytes(of: row.channel.sensor.rawValue.bigEndian, toByteOffset: at + 16, as: Int32.self)
            unsafe bytes.storeBytes(of: row.channel.number.bigEndian, toByteOffset: at + 20, as: Int16.self)
        }
        let count = Int32(rows.count * Self.lengths.count)
        if rows.count == Self.rowsPerStatement {
            return unsafe Self.isDone(
                PQexecPrepared(connection, "full", count, values, parameterLengths, formats, 0))
        }
        return unsafe Self.isDone(
            PQexecParams(
                connection, Self.statement(rows: rows.count), count, nil, values, parameterLengths, formats, 0))
    }
}
