public import Sensors

/// Where rows that are read again from the streams go.
public enum ReplayTarget: Sendable, Equatable {
    /// Into a table like `measurement`; see `beginReplay(into:)`.
    case table(String)
    /// Each batch into a temporary table `replay` like `measurement`, and then through these statements, in one
    /// transaction.
    case statements(String)
}

/// A table that rows can't be replayed into.
public struct ReplayTableUnfit: Error, Sendable, Equatable, CustomStringConvertible {
    /// Why.
    public let description: String
}

extension StoreConnection {
    /// Longest transaction of a batch: statements of the caller's may take their time.
    private static let replayTimeout: Duration = .seconds(600)

    /// Makes sure that there is an empty table of that name with the columns of `measurement`: a plain one is made
    /// where there is none. Nobody else can replay into it until `endReplay(into:)`, or until this connection ends.
    /// - Parameter table: `name` or `schema.name`: small letters, digits and underscores, no digit first.
    /// - Throws: `ReplayTableUnfit` or `StoreError`.
    public func beginReplay(into table: String) throws {
        guard let name = Self.quoted(table) else {
            throw ReplayTableUnfit(
                description:
                    "\(table): a table's name is small letters, digits and _, with a schema and a dot before it at most"
            )
        }
        // Looked for first: who may write a table need not have the right to make one.
        if try query("SELECT FROM pg_class WHERE oid = to_regclass($1)", [.text(name)]).count == 0 {
            // One maker at a time: IF NOT EXISTS fails for the second of two at once.
            try transaction(prelude: "SELECT pg_advisory_xact_lock(\(Self.replayLock))") { session in
                try session.execute(
                    "CREATE TABLE IF NOT EXISTS \(name) (LIKE measurement INCLUDING STORAGE INCLUDING COMMENTS)")
            }
        }
        let facts = try query(
            """
            SELECT oid = 'measurement'::regclass AS is_ours, relkind = 'r' AS is_table,
                   EXISTS (SELECT FROM pg_inherits WHERE inhrelid = c.oid) AS is_part,
                   ARRAY(SELECT attname || ' ' || format_type(atttypid, atttypmod) FROM pg_attribute
                          WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped ORDER BY 1)
                   @> ARRAY(SELECT attname || ' ' || format_type(atttypid, atttypmod) FROM pg_attribute
                          WHERE attrelid = 'measurement'::regclass AND attnum > 0 AND NOT attisdropped) AS has_columns
              FROM pg_class c WHERE oid = $1::text::regclass
            """, [.text(name)]
        ).first
        if facts?.flag("is_ours") == true || facts?.flag("is_part") == true {
            throw ReplayTableUnfit(description: "\(table) is what the ingesters store to; name another table")
        }
        guard facts?.flag("is_table") == true, facts?.flag("has_columns") == true else {
            throw ReplayTableUnfit(description: "\(table) is there and not a table with the columns of measurement")
        }
        guard try query("SELECT pg_try_advisory_lock(\(Self.lock(name))) AS is_ours").first?.flag("is_ours") == true
        else { throw ReplayTableUnfit(description: "another replay is writing to \(table)") }
        guard try query("SELECT FROM \(name) LIMIT 1").count == 0 else {
            endReplay(into: table)
            throw ReplayTableUnfit(description: "\(table) is not empty")
        }
    }

    /// Lets others replay into a table again.
    public func endReplay(into table: String) {
        guard let name = Self.quoted(table) else { return }
        // Where the connection is lost, so is the lock.
        _ = try? query("SELECT pg_advisory_unlock(\(Self.lock(name)))")
    }

    /// The session's advisory lock of a table: "iotr" in ASCII, and the table's number.
    private static func lock(_ name: String) -> String { "\(replayLock) | '\(name)'::regclass::oid::bigint" }

    private static let replayLock = "\(0x69_6F_74_72)::bigint << 32"

    /// Writes rows in one transaction.
    /// - Throws: `StoreError`; also where the caller's statements fail.
    public func replay(_ rows: [MeasurementRow], into target: ReplayTarget) throws {
        if rows.isEmpty { return }
        let columns = MeasurementRow.copyTarget.drop { $0 != "(" }
        try transaction(timeout: Self.replayTimeout) { session in
            switch target {
            case .table(let table):
                guard let name = Self.quoted(table) else { throw ReplayTableUnfit(description: "not a name: \(table)") }
                try session.copy(rows, to: "\(name) \(columns)") { $1.append($0) }
            case .statements(let statements):
                try session.execute("CREATE TEMPORARY TABLE replay (LIKE measurement) ON COMMIT DROP")
                try session.copy(rows, to: "pg_temp.replay \(columns)") { $1.append($0) }
                try session.execute(statements)
            }
        }
    }

    /// The name as SQL takes it whatever words it holds; nil if it is no name.
    private static func quoted(_ table: String) -> String? {
        let parts = table.split(separator: ".", omittingEmptySubsequences: false)
        let isName = parts.allSatisfy { part in
            (1...63).contains(part.utf8.count) && part.first?.isNumber == false
                && part.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x5F }
        }
        return isName && parts.count <= 2 ? parts.map { "\"\($0)\"" }.joined(separator: ".") : nil
    }
}
