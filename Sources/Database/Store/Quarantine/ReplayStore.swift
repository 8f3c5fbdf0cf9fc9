public import Model
public import Postgres

/// The destination of rows that are replayed from the streams.
public enum ReplayTarget: Sendable, Equatable {
    /// Into a table like `measurement`; see `beginReplay(into:)`.
    case table(String)
    /// Copies each batch into a temporary table `replay` like `measurement` and runs these statements, in one
    /// transaction.
    case statements(String)
}

/// A table that can't receive replayed rows.
public struct ReplayTableUnfit: Error, Sendable, Equatable, CustomStringConvertible {
    /// The reason, in one sentence.
    public let description: String
}

extension StoreConnection {
    /// Longest transaction of a batch: the caller's statements may be slow.
    private static let replayTimeout: Duration = .seconds(600)

    /// Makes sure that an empty table of that name with the columns of `measurement` exists; a plain table is created
    /// if there is none. Other connections can't replay into it until `endReplay(into:)`, or until this connection
    /// ends.
    /// - Parameter table: `name` or `schema.name` of lower-case letters, digits and underscores; it does not begin with
    ///   a digit.
    /// - Throws: `ReplayTableUnfit` or `StoreError`.
    public func beginReplay(into table: String) throws {
        guard let name = Self.quoted(table) else {
            throw ReplayTableUnfit(
                description:
                    "\(table): a table's name is lower-case letters, digits and _, optionally after a schema and a dot"
            )
        }
        // Checked first: a role that may write to a table need not have the right to create one.
        if try fetch("SELECT FROM pg_class WHERE oid = to_regclass(\(name.text))").isEmpty {
            // One creator at a time: IF NOT EXISTS fails for the second of two concurrent ones.
            try transaction(prelude: "SELECT pg_advisory_xact_lock(\(Self.replayLock))") { session in
                _ = try session.run(
                    "CREATE TABLE IF NOT EXISTS \(name) (LIKE measurement INCLUDING STORAGE INCLUDING COMMENTS)")
            }
        }
        let facts = try fetchOne(
            """
            SELECT oid = 'measurement'::regclass AS is_ours, relkind = 'r' AS is_table,
                   EXISTS (SELECT FROM pg_inherits WHERE inhrelid = c.oid) AS is_part,
                   ARRAY(SELECT attname || ' ' || format_type(atttypid, atttypmod) FROM pg_attribute
                          WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped ORDER BY 1)
                   @> ARRAY(SELECT attname || ' ' || format_type(atttypid, atttypmod) FROM pg_attribute
                          WHERE attrelid = 'measurement'::regclass AND attnum > 0 AND NOT attisdropped) AS has_columns
              FROM pg_class c WHERE oid = \(name.text)::text::regclass
            """)
        if try facts.flag("is_ours") || facts.flag("is_part") {
            throw ReplayTableUnfit(description: "\(table) is a table that the ingesters write to; name another table")
        }
        guard try facts.flag("is_table"), try facts.flag("has_columns") else {
            throw ReplayTableUnfit(description: "\(table) exists but is not a table with the columns of measurement")
        }
        guard try fetchOne("SELECT pg_try_advisory_lock(\(Self.lock(name))) AS is_ours").flag("is_ours") else {
            throw ReplayTableUnfit(description: "another replay is writing to \(table)")
        }
        guard try fetch("SELECT FROM \(name) LIMIT 1").isEmpty else {
            endReplay(into: table)
            throw ReplayTableUnfit(description: "\(table) is not empty")
        }
    }

    /// Lets other connections replay into a table again.
    public func endReplay(into table: String) {
        guard let name = Self.quoted(table) else { return }
        // If the connection is lost, so is the lock.
        _ = try? run("SELECT pg_advisory_unlock(\(Self.lock(name)))")
    }

    /// The key of a table's advisory lock, which the session holds: "iotr" in ASCII, and the table's number.
    private static func lock(_ name: SQL) -> SQL { "\(replayLock) | \(name.text)::text::regclass::oid::bigint" }

    private static let replayLock: SQL = "\(0x69_6F_74_72)::bigint << 32"

    /// Writes rows in one transaction.
    /// - Throws: `StoreError`, also if the caller's statements fail.
    public func replay(_ rows: [MeasurementRow], into target: ReplayTarget) throws {
        if rows.isEmpty { return }
        let columns = MeasurementRow.copyTarget.drop { $0 != "(" }
        try transaction(timeout: Self.replayTimeout) { session in
            switch target {
            case .table(let table):
                guard let name = Self.quoted(table) else { throw ReplayTableUnfit(description: "not a name: \(table)") }
                try session.copy(rows, to: "\(name.text) \(columns)") { $1.append($0) }
            case .statements(let statements):
                try session.execute("CREATE TEMPORARY TABLE replay (LIKE measurement) ON COMMIT DROP")
                try session.copy(rows, to: "pg_temp.replay \(columns)") { $1.append($0) }
                try session.execute(statements)
            }
        }
    }

    /// The quoted name, valid even if it contains SQL keywords; nil if it is not a valid name.
    private static func quoted(_ table: String) -> SQL? {
        let parts = table.split(separator: ".", omittingEmptySubsequences: false)
        let isName = parts.allSatisfy { part in
            (1...63).contains(part.utf8.count) && part.first?.isNumber == false
                && part.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x5F }
        }
        guard isName, parts.count <= 2 else { return nil }
        return parts.map { "\(identifier: String($0))" as SQL }.joined(separator: ".")
    }
}
