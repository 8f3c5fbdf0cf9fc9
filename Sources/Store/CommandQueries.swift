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
    /// When the sensor said how it ended, or somebody cancelled it.
    public var finishedAt: Timestamp?
    /// When the registry sent it last; nil: only its issuer did.
    public var sentAt: Timestamp?
    /// When the registry will send it next; nil: not at all.
    public var sendAt: Timestamp?
    /// How often the registry sent it.
    public var sends: Int64
    /// How long before the database's now it was given.
    public var age: Duration?
}

/// Which commands.
public struct CommandFilter: Sendable {
    /// Only those for these sensors; nil: for any.
    public var serials: [String]?
    /// Only those in one of these states; nil: in any.
    public var states: [CommandLife.State]?
    /// Only those given within this time before the database's now; nil: all.
    public var within: Duration?
    /// At most so many, the newest.
    public var countMax: Int

    /// Those.
    public init(
        serials: [String]? = nil, states: [CommandLife.State]? = nil, within: Duration? = nil, countMax: Int = 100
    ) {
        self.serials = serials
        self.states = states
        self.within = within
        self.countMax = countMax
    }
}

/// What became of an attempt to cancel a command.
public struct Cancellation: Sendable, Equatable {
    /// The command as it is now.
    public var command: CommandRecord
    /// Whether it was cancelled; false: it had ended already.
    public var isDone: Bool
}

extension StoreConnection {
    /// Commands, the newest first.
    /// - Throws: `StoreError`.
    public func commands(_ filter: CommandFilter) throws -> [CommandRecord] {
        try transaction(timeout: .seconds(30)) { session in try session.commands(filter) }
    }

    /// The commands whose ids begin so, the newest first, at most `countMax`. One whose whole id is `prefix` is alone.
    /// - Throws: `StoreError`.
    public func commands(withPrefix prefix: String, countMax: Int = 10) throws -> [CommandRecord] {
        try transaction(timeout: .seconds(30)) { session in
            let exact = try session.query("\(commandSelection) WHERE command_id = $1", [.text(prefix)])
            if let row = exact.first { return [command(row)] }
            return try session.query(
                """
                \(commandSelection) WHERE starts_with(command_id, $1)
                ORDER BY issued_at DESC, command_id LIMIT $2
                """, [.text(prefix), .integer(Int64(countMax))]
            ).rows.map(command)
        }
    }

    /// Cancels the commands of these ids that have not ended: the registry sends them no more. A copy that is with the
    /// broker already may still be run, and the sensor's answer then says so.
    /// - Parameter reason: who cancels, for people.
    /// - Returns: those that there are, in the order of `ids`.
    /// - Throws: `StoreError`.
    public func cancelCommands(_ ids: [String], reason: String) throws -> [Cancellation] {
        try transaction(timeout: .seconds(30)) { session in
            let cancelled = try session.query(
                """
                UPDATE command SET state = 'cancelled', reason = $2, finished_at = now(), send_at = NULL
                WHERE command_id = ANY ($1::text[]) AND state IN ('queued', 'delivered') RETURNING command_id
                """, [.texts(ids), .text(reason)])
            let done = Set(cancelled.rows.map { $0.text("command_id") })
            return try session.query(
                "\(commandSelection) WHERE command_id = ANY ($1::text[]) ORDER BY array_position($1::text[], command_id)",
                [.texts(ids)]
            ).rows.map { Cancellation(command: command($0), isDone: done.contains($0.text("command_id"))) }
        }
    }
}

// MARK: statements

/// What `command` reads.
private let commandSelection = """
    SELECT command_id, serial, name, arguments::text AS arguments, issuer, state, reason, sends,
        \(microseconds("issued_at")) AS issued_us, \(microseconds("expires_at")) AS expires_us,
        \(microseconds("delivered_at")) AS delivered_us, \(microseconds("finished_at")) AS finished_us,
        \(microseconds("sent_at")) AS sent_us, \(microseconds("send_at")) AS send_us,
        \(microseconds("now()")) AS now_us
    FROM command
    """

extension Session {
    func commands(_ filter: CommandFilter) throws -> [CommandRecord] {
        try query(
            """
            \(commandSelection)
            WHERE ($1::text[] IS NULL OR serial = ANY ($1::text[]))
                AND ($2::text[] IS NULL OR state = ANY ($2::text[]))
                AND ($3::float8 IS NULL OR issued_at >= now() - make_interval(secs => $3::float8))
            ORDER BY issued_at DESC, command_id LIMIT $4
            """,
            [
                filter.serials.map { .texts($0) } ?? .null, filter.states.map { .texts($0.map(\.rawValue)) } ?? .null,
                .double(filter.within?.seconds), .integer(Int64(filter.countMax)),
            ]
        ).rows.map(command)
    }
}

// MARK: rows

private func command(_ row: Rows.Row) -> CommandRecord {
    CommandRecord(
        id: row.text("command_id"), serial: row.text("serial"), name: row.text("name"),
        argumentsJSON: row["arguments"] ?? "{}", issuer: row.text("issuer"), state: row.text("state"),
        reason: row.text("reason"), issuedAt: row.time("issued_us"), expiresAt: row.time("expires_us"),
        deliveredAt: row.time("delivered_us"), finishedAt: row.time("finished_us"), sentAt: row.time("sent_us"),
        sendAt: row.time("send_us"), sends: row.integer("sends") ?? 0, age: row.age("issued_us"))
}
