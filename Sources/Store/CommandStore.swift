public import Sensors

/// A command that the registry is to send.
public struct CommandToSend: Sendable, Equatable {
    /// The sensor it is for.
    public var serial: SerialNumber
    /// The command.
    public var command: Command
}

extension StoreConnection {
    /// How long a command that is being sent stays with whoever took it; then somebody else may.
    static let sendingSeconds = 30
    /// How long a sensor that returns has for the copies that the broker kept for it, before the registry sends its own.
    static let returnSeconds = 2

    /// Takes commands that are due to be sent; others don't get them meanwhile.
    /// - Returns: at most `limit`. Say `sent` of those that the broker confirmed; the others come again.
    /// - Throws: `StoreError`.
    public func takeCommandsToSend(atMost limit: Int) throws -> [CommandToSend] {
        try query(
            """
            UPDATE command c
               SET send_at = now() + INTERVAL '\(Self.sendingSeconds) seconds', sent_at = now(), sends = sends + 1
              FROM (SELECT command_id FROM command
                     WHERE send_at <= now() AND state IN ('queued', 'delivered')
                       AND (expires_at IS NULL OR expires_at > now())
                     ORDER BY send_at LIMIT $1 FOR UPDATE SKIP LOCKED) due
             WHERE c.command_id = due.command_id
            RETURNING c.command_id, c.serial, c.name, c.issuer, \(microseconds("c.issued_at")) AS issued_us,
                \(microseconds("c.expires_at")) AS expires_us,
                (SELECT array_to_string(array_agg(concat_ws(' ', encode(convert_to(a.key, 'UTF8'), 'hex'),
                        left(jsonb_typeof(a.value), 1), encode(convert_to(a.value #>> '{}', 'UTF8'), 'hex'))), ',')
                   FROM jsonb_each(c.arguments) a WHERE jsonb_typeof(a.value) <> 'null') AS arguments
            """, [.integer(Int64(limit))]
        ).rows.compactMap { row in
            guard let serial = row["serial"].flatMap({ SerialNumber($0) }), let issued = row.time("issued_us")
            else { return nil }
            return CommandToSend(
                serial: serial,
                command: Command(
                    id: row.text("command_id"), name: row.text("name"), arguments: arguments(row.text("arguments")),
                    issued: issued, expires: row.time("expires_us"), issuer: row.text("issuer")))
        }
    }

    /// Notes that the broker has these; they are sent again only when their sensor returns.
    /// - Throws: `StoreError`.
    public func sent(_ ids: [String]) throws {
        try query("UPDATE command SET send_at = NULL WHERE command_id = ANY ($1::text[])", [.texts(ids)])
    }

    /// Ends commands whose time has passed.
    /// - Returns: how many.
    /// - Throws: `StoreError`.
    public func expireCommands(atMost limit: Int = 1000) throws -> Int {
        try transaction { session in
            let rows = try session.query(
                """
                SELECT \(CommandRow.columns), \(microseconds("now()")) AS now_us FROM command
                 WHERE state IN ('queued', 'delivered')
                   AND expires_at < now() - INTERVAL '\(CommandLife.expiryGraceSeconds) seconds'
                   AND (state = 'queued' OR greatest(expires_at, delivered_at)
                        < now() - INTERVAL '\(CommandLife.resultGraceSeconds) seconds')
                 ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED
                """, [.integer(Int64(limit))])
            let ended = rows.rows.compactMap { row -> CommandRow? in
                guard var command = CommandRow(row), let now = row.time("now_us") else { return nil }
                command.life.expire(at: now)
                return command.life.state.isOpen ? nil : command
            }
            try session.write(ended)
            return ended.count
        }
    }

    /// Puts what is wanted of online sensors, and was not asked of them yet, into commands.
    /// - Returns: how many sensors were looked at.
    /// - Throws: `StoreError`.
    public func queueDeltas(atMost limit: Int = 1000) throws -> Int {
        try transaction { session in
            let sensors = try session.query(
                """
                SELECT sensor_id FROM sensor WHERE desired_version > delta_version AND presence = 'online'
                 ORDER BY sensor_id LIMIT $1 FOR UPDATE SKIP LOCKED
                """, [.integer(Int64(limit))]
            ).rows.compactMap { $0.integer("sensor_id") }
            try session.queueDeltas(of: sensors)
            return sensors.count
        }
    }
}

/// The arguments as `takeCommandsToSend` selects them: name, type and text of each, the texts in hex.
private func arguments(_ text: String) -> [String: Command.Value] {
    var arguments: [String: Command.Value] = [:]
    for part in text.split(separator: ",") {
        let words = part.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 3 else { continue }
        let value = unhexedText(words[2])
        switch words[1] {
        case "n": arguments[unhexedText(words[0])] = Double(value).map { .number($0) }
        case "b": arguments[unhexedText(words[0])] = .flag(value == "true")
        default: arguments[unhexedText(words[0])] = .text(value)
        }
    }
    return arguments
}

private func unhexedText(_ hex: Substring) -> String { String(decoding: unhexed(hex), as: UTF8.self) }

/// A command's row, as far as its life goes.
private struct CommandRow {
    static let columns = """
        command_id, serial, state, reason, \(microseconds("expires_at")) AS expires_us, \
        \(microseconds("delivered_at")) AS delivered_us, \(microseconds("finished_at")) AS finished_us
        """

    let id: String
    let serial: SerialNumber
    var life: CommandLife

    init(id: String, serial: SerialNumber) {
        self.id = id
        self.serial = serial
        life = CommandLife(expires: nil)
    }

    init?(_ row: Rows.Row) {
        guard let state = row["state"].flatMap({ CommandLife.State(rawValue: $0) }),
            let serial = row["serial"].flatMap({ SerialNumber($0) })
        else { return nil }
        id = row.text("command_id")
        self.serial = serial
        life = CommandLife(
            state: state, reason: row.text("reason"), expires: row.time("expires_us"),
            delivered: row.time("delivered_us"), finished: row.time("finished_us"))
    }
}

extension Session {
    /// Writes commands that were given. One whose answer was read first gets its name and the rest now.
    func record(_ commands: [Heard<Command>]) throws {
        var seen: Set<String> = []
        let commands = commands.filter { seen.insert($0.content.id).inserted }
        if commands.isEmpty { return }
        try query(
            """
            INSERT INTO command AS c (command_id, serial, name, arguments, issuer, state, issued_at, expires_at)
            SELECT u.command_id, u.serial, u.name, u.arguments, u.issuer, 'queued', u.issued_at, u.expires_at
              FROM unnest($1::text[], $2::text[], $3::text[], $4::jsonb[], $5::text[], $6::timestamptz[],
                          $7::timestamptz[])
                AS u(command_id, serial, name, arguments, issuer, issued_at, expires_at)
             ORDER BY u.command_id
            ON CONFLICT (command_id) DO UPDATE
            SET name = EXCLUDED.name, arguments = EXCLUDED.arguments, issuer = EXCLUDED.issuer,
                issued_at = EXCLUDED.issued_at, expires_at = EXCLUDED.expires_at, serial = EXCLUDED.serial,
                state = CASE c.serial WHEN EXCLUDED.serial THEN c.state ELSE EXCLUDED.state END,
                reason = CASE c.serial WHEN EXCLUDED.serial THEN c.reason ELSE '' END,
                delivered_at = CASE c.serial WHEN EXCLUDED.serial THEN c.delivered_at END,
                finished_at = CASE c.serial WHEN EXCLUDED.serial THEN c.finished_at END
            WHERE c.name = ''
            """,
            [
                .texts(commands.map(\.content.id)), .texts(commands.map(\.serial.text)),
                .texts(commands.map(\.content.name)),
                .texts(commands.map { TwinJSON.object($0.content.arguments) }),
                .texts(commands.map(\.content.issuer)), .times(commands.map(\.content.issued)),
                .times(commands.map(\.content.expires)),
            ])
    }

    /// Writes answers. One to a command that is not known makes its row; one from another sensor than it is for changes
    /// nothing.
    func record(_ acks: [Heard<Ack>]) throws {
        if acks.isEmpty { return }
        let known = try query(
            "SELECT \(CommandRow.columns) FROM command WHERE command_id = ANY ($1::text[]) ORDER BY command_id FOR UPDATE",
            [.texts(Set(acks.map(\.content.id)).sorted())])
        var commands = Dictionary(
            known.rows.compactMap(CommandRow.init).map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        var changed: Set<String> = []
        for heard in acks {
            let id = heard.content.id
            var command = commands[id] ?? CommandRow(id: id, serial: heard.serial)
            guard command.serial == heard.serial else { continue }
            let before = command.life
            command.life.note(heard.content, at: heard.received)
            commands[id] = command
            if command.life != before { changed.insert(id) }
        }
        try write(changed.sorted().compactMap { commands[$0] })
    }

    /// Writes how far commands have come; none of them waits to be sent any more.
    fileprivate func write(_ commands: [CommandRow]) throws {
        if commands.isEmpty { return }
        try query(
            """
            INSERT INTO command AS c (command_id, serial, name, state, reason, delivered_at, finished_at, issued_at)
            SELECT u.command_id, u.serial, '', u.state, u.reason, u.delivered_at, u.finished_at,
                   coalesce(u.delivered_at, now())
              FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[])
                AS u(command_id, serial, state, reason, delivered_at, finished_at)
            ON CONFLICT (command_id) DO UPDATE
            SET state = EXCLUDED.state, reason = EXCLUDED.reason, delivered_at = EXCLUDED.delivered_at,
                finished_at = EXCLUDED.finished_at, send_at = NULL
            """,
            [
                .texts(commands.map(\.id)), .texts(commands.map(\.serial.text)),
                .texts(commands.map(\.life.state.rawValue)), .texts(commands.map(\.life.reason)),
                .times(commands.map(\.life.delivered)), .times(commands.map(\.life.finished)),
            ])
    }

    /// Has what is still valid sent again to sensors that have returned.
    func resendCommands(to serials: [String]) throws {
        if serials.isEmpty { return }
        try query(
            """
            UPDATE command SET send_at = now() + INTERVAL '\(StoreConnection.returnSeconds) seconds'
             WHERE serial = ANY ($1::text[]) AND state IN ('queued', 'delivered') AND name <> ''
               AND (expires_at IS NULL OR expires_at > now()) AND send_at IS NULL
            """, [.texts(serials)])
    }

    /// Puts what is wanted of these sensors and not reported so into commands, once for each version and boot: a rate
    /// into `change_sample_frequency`, the rest into `set`, at most 64 properties in one.
    func queueDeltas(of sensors: [Int64]) throws {
        if sensors.isEmpty { return }
        try query(
            """
            WITH drift AS (
                SELECT s.sensor_id, s.serial, s.desired_version, s.boot_id, d.path, d.wanted,
                       d.path = 'rate_hz' AND jsonb_typeof(d.wanted) = 'number' AS is_rate
                  FROM sensor s, LATERAL twin_drift(s.desired, s.reported) d
                 WHERE s.sensor_id = ANY ($1::int[]) AND s.desired - 'limits' <> '{}'
            ), part AS (
                SELECT *, CASE WHEN is_rate THEN 'rate'
                          ELSE 'set' || (row_number() OVER (PARTITION BY sensor_id, is_rate ORDER BY path) - 1) / 64 END
                          AS part FROM drift
            )
            INSERT INTO command (command_id, serial, name, arguments, issuer, state, issued_at, expires_at, send_at)
            SELECT concat_ws(':', 'twin', sensor_id, desired_version, coalesce(boot_id, 0), part), serial,
                   CASE WHEN is_rate THEN 'change_sample_frequency' ELSE 'set' END,
                   jsonb_object_agg(CASE WHEN is_rate THEN 'hertz' ELSE path END,
                       CASE WHEN jsonb_typeof(wanted) IN ('number', 'boolean', 'string') THEN wanted
                            ELSE to_jsonb(wanted::text) END),
                   'twin', 'queued', now(), now() + INTERVAL '10 minutes', now()
              FROM part GROUP BY sensor_id, serial, desired_version, boot_id, part, is_rate
            ON CONFLICT (command_id) DO NOTHING
            """, [.integers(sensors)])
        try query(
            "UPDATE sensor SET delta_version = desired_version WHERE sensor_id = ANY ($1::int[]) AND delta_version < desired_version",
            [.integers(sensors)])
    }
}
