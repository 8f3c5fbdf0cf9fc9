internal import CPostgres
public import Endpoint
public import Postgres

/// COPY as in libpq's manual: one connection, one transaction per batch, bytes encoded in advance.
public enum BareCopy {
    /// Sends the batches into `target`, a table and its columns.
    /// - Returns: the duration in seconds; nil if the server refused a batch.
    public static func run(_ endpoint: Endpoint, into target: String, _ batches: [CopyBuffer]) -> Double? {
        let settings = endpoint.connectionString(applicationName: "bare COPY")
        guard let connection = unsafe PQconnectdb(settings) else { return nil }
        defer { unsafe PQfinish(connection) }
        let start = ContinuousClock.now
        for batch in batches {
            unsafe PQclear(PQexec(connection, "BEGIN"))
            unsafe PQclear(PQexec(connection, "COPY \(target) FROM STDIN (FORMAT binary)"))
            let isSound = batch.withContent { content in
                unsafe content.withUnsafeBytes { bytes in
                    let start = unsafe bytes.assumingMemoryBound(to: CChar.self)
                    return stride(from: 0, to: start.count, by: 65_536).allSatisfy { offset in
                        unsafe PQputCopyData(
                            connection, start.baseAddress.map { unsafe $0 + offset },
                            Int32(min(65_536, start.count - offset))) == 1
                    }
                }
            }
            guard isSound, unsafe PQputCopyEnd(connection, nil) == 1 else { return nil }
            let result = unsafe PQgetResult(connection)
            let status = unsafe PQresultStatus(result)
            unsafe PQclear(result)
            unsafe PQclear(PQgetResult(connection))
            guard status == PGRES_COMMAND_OK else { return nil }
            unsafe PQclear(PQexec(connection, "COMMIT"))
        }
        return start.duration(to: .now) / .seconds(1)
    }
}
