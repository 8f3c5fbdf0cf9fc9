public import Model
public import Postgres
public import Time

/// A command and its progress.
public struct CommandRecord: Sendable, Equatable {
    /// Its id, as in the message.
    public var id: String
    /// The sensor that is to run it.
    public var serial: String
    /// The command's name: `sleep`, `awake` …
    public var name: String
    /// Its arguments, a JSON object.
    public var argumentsJSON: String
    /// The user or program that issued it.
    public var issuer: String
    /// The state: `queued`, `delivered`, `succeeded` …
    public var state: String
    /// Why it failed or was rejected; empty otherwise.
    public var reason: String
    /// When it was issued.
    public var issuedAt: Timestamp?
    /// The sensor does not run it after this time; nil: it never expires.
    public var expiresAt: Timestamp?
    /// When the sensor acknowledged receiving it.
    public var deliveredAt: Timestamp?
    /// When the sensor reported the result, or an operator cancelled the command.
    public var finishedAt: Timestamp?
    /// When the registry last sent it; nil: only the issuer has sent it.
    public var sentAt: Timestamp?
    /// When the registry will send it next; nil: the registry will not send it.
    public var sendAt: Timestamp?
    /// How many times the registry sent it.
    public var sends: Int64
    /// The time since it was issued, by the database's clock.
    public var age: Duration?
}

/// Selects commands.
public struct CommandFilter: Sendable {
    /// Only commands to these sensors; nil: to any sensor.
    public var serials: [String]?
    /// Only commands in one of these states; nil: in any state.
    public var states: [CommandLife.State]?
    /// Only commands that were issued within this time before the database's clock; nil: all.
    public var within: Duration?
    /// The maximum number of commands; the newest are read.
    public var countMax: Int

    /// A filter with these conditions.
    public init(
        serials: [String]? = nil, states: [CommandLife.State]? = nil, within: Duration? = nil, countMax: Int = 100
    ) {
        self.serials = serials
        self.states = states
        self.within = within
        self.countMax = countMax
    }
}

/// The result of an attempt to cancel a command.
public struct Cancellation: Sendable, Equatable {
    /// The command after the attempt.
    public var command: CommandRecord
    /// Whether it was cancelled; false: it had already ended.
    public var isDone: Bool
}

extension StoreConnection {
    /// Reads commands, newest first.
    /// - Throws: `StoreError`.
    public func commands(_ filter: CommandFilter) throws -> [CommandRecord] {
        try transaction(timeout: .seconds(30)) { session in try session.commands(filter) }
    }

    /// Reads the commands whose ids begin with `prefix`, newest first, at most `countMax`. A command whose whole id is
    /// `prefix` is returned alone.
    /// - Throws: `StoreError`.
    public func commands(withPrefix prefix: String, countMax: Int = 10) throws -> [CommandRecord] {
        try transaction(timeout: .seconds(30)) { session in
            let exact = try session.fetch("\(commandSelection) WHERE command_id = \(prefix)")
            if let row = exact.first { return [try command(row)] }
            return try session.fetch(
                """
                \(commandSelection) WHERE starts_with(command_id, \(prefix))
                ORDER BY issued_at DESC, command_id LIMIT \(countMax)
                """
            ).map(command)
        }
    }

    /// Cancels the commands with these ids that have not ended: the registry no longer sends them. The sensor may still
    /// run a copy that the broker already has; its answer then shows this.
    /// - Parameter reason: names the operator or program that cancels.
    /// - Returns: the commands that exist, in the order of `ids`.
    /// - Throws: `StoreError`.
    public func cancelCommands(_ ids: [String], reason: String) throws -> [Cancellation] {
        try transaction(timeout: .seconds(30)) { session in
            let cancelled = try session.fetch(
                """
                UPDATE command SET state = 'cancelled', reason = \(reason), finished_at = now(), send_at = NULL
                WHERE command_id = ANY (\(ids)::text[]) AND state IN ('queued', 'delivered') RETURNING command_id
                """)
            let done = Set(try cancelled.map { try $0.text("command_id") })
            return try session.fetch(
                """
                \(commandSelection) WHERE command_id = ANY (\(ids)::text[])
                ORDER BY array_position(\(ids)::text[], command_id)
                """
            ).map {
                let command = try command($0)
                return Cancellation(command: command, isDone: done.contains(command.id))
            }
        }
    }
}

// MARK: statements

/// The columns of `command` that `CommandRecord` needs.
private let commandSelection: SQL = """
    SELECT command_id, serial, name, arguments::text AS arguments, issuer, state, reason, sends,
        \(microseconds("issued_at")) AS issued_us, \(microseconds("expires_at")) AS expires_us,
        \(microseconds("delivered_at")) AS delivered_us, \(microseconds("finished_at")) AS finished_us,
        \(microseconds("sent_at")) AS sent_us, \(microseconds("send_at")) AS send_us,
        \(microseconds("now()")) AS now_us
    FROM command
    """

extension Session {
    func commands(_ filter: CommandFilter) throws -> [CommandRecord] {
        try fetch(
            """
            \(commandSelection)
            WHERE true \(ifPresent: filter.serials, { "AND serial = ANY (\($0)::text[])" })
                \(ifPresent: filter.states, { "AND state = ANY (\($0)::text[])" })
                \(ifPresent: filter.within, { "AND issued_at >= now() - make_interval(secs => \($0.seconds))" })
            ORDER BY issued_at DESC, command_id LIMIT \(filter.countMax)
            """
        ).map(command)
    }
}

// MARK: rows

private func command(_ row: Row) throws -> CommandRecord {
    CommandRecord(
        id: try row.text("command_id"), serial: try row.text("serial"), name: try row.text("name"),
        argumentsJSON: try row.text("arguments"), issuer: try row.text("issuer"), state: try row.text("state"),
        reason: try row.text("reason"), issuedAt: try row.time("issued_us"),
        expiresAt: try row.optionalTime("expires_us"),
        deliveredAt: try row.optionalTime("delivered_us"), finishedAt: try row.optionalTime("finished_us"),
        sentAt: try row.optionalTime("sent_us"), sendAt: try row.optionalTime("send_us"),
        sends: try row.integer("sends"), age: try row.age("issued_us"))
}
