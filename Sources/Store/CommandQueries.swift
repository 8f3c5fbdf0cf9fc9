public import Sensors

/// A command and how far it has come.
public struct CommandRecord: Sendable, Equatable {
    /// Its id, as in the message.
    public var id: String
    /// The sensor it is for.
    public var serial: String
    /// `sleep`, `awake` …
    public var name: String
    /// Its arguments, a JSON object.
    public var argumentsJSON: String
    /// Who gave it.
    public var issuer: String
    /// `queued`, `delivered`, `succeeded` … (design §5).
    public var state: String
    /// Why it failed or was rejected; empty otherwise.
    public var reason: String
    /// When it was given.
    public var issuedAt: Timestamp?
    /// It is not run after this; nil: never expires.
    public var expiresAt: Timestamp?
    /// When the sensor said that it had it.
    public var deliveredAt: Timestamp?
    /// When the sensor said how it ended.
    public var finishedAt: Timestamp?
}

// MARK: statements

extension Session {
    func commands(for serial: String, countMax: Int) throws -> [CommandRecord] {
        try query(
            """
            SELECT command_id, serial, name, arguments::text AS arguments, issuer, state, reason,
                \(microseconds("issued_at")) AS issued_us, \(microseconds("expires_at")) AS expires_us,
                \(microseconds("delivered_at")) AS delivered_us, \(microseconds("finished_at")) AS finished_us
            FROM command WHERE serial = $1 ORDER BY issued_at DESC, command_id LIMIT $2
            """, [.text(serial), .integer(Int64(countMax))]
        ).rows.map(command)
    }
}

// MARK: rows

private func command(_ row: Rows.Row) -> CommandRecord {
    CommandRecord(
        id: row.text("command_id"), serial: row.text("serial"), name: row.text("name"),
        argumentsJSON: row["arguments"] ?? "{}", issuer: row.text("issuer"), state: row.text("state"),
        reason: row.text("reason"), issuedAt: row.time("issued_us"), expiresAt: row.time("expires_us"),
        deliveredAt: row.time("delivered_us"), finishedAt: row.time("finished_us"))
}
