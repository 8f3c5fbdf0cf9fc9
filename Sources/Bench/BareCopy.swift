internal import CPostgres
public import Store

/// COPY as libpq's manual shows it: one connection, a transaction for each batch, bytes that were encoded beforehand.
public enum BareCopy {
    /// Sends the batches into `target`, a table and its columns.
    /// - Returns: seconds; nil if the server refused one.
    public static func run(_ url: String, into target: String, _ batches: [CopyBuffer]) -> Double? {
        guard let connection = unsafe PQconnectdb(url) else { return nil }
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
