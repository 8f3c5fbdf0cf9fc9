public import Model
public import Postgres
internal import Rules
public import Time

/// A command that the registry is to send.
public struct CommandToSend: Sendable, Equatable {
    /// The sensor that is to run it.
    public var serial: SerialNumber
    /// The command.
    public var command: Command
    /// When the registry took it, by the database's clock.
    public var taken: Timestamp
}

/// The commands that `StoreConnection.takeCommandsToSend` took.
public struct TakenCommands: Sendable {
    /// The commands to send.
    public var commands: [CommandToSend] = []
    /// The commands that cannot be sent; they have failed.
    public var failed: [FailedCommand] = []
}

/// A command that the registry has ended as failed, because it can never send it.
public struct FailedCommand: Sendable, Equatable {
    /// Its id.
    public var id: String
    /// The reason, which is also the one in its row.
    public var reason: String

    /// A command that failed for a reason.
    public init(id: String, reason: String) {
        self.id = id
        self.reason = reason
    }

    /// A command whose row cannot be decoded.
    fileprivate init(id: String, _ error: StoreError) {
        self.init(id: id, reason: "its row cannot be decoded: \(error)")
    }
}

extension StoreConnection {
    /// How long a taken command stays reserved for the registry that took it, in case that registry dies: another
    /// registry waits this many seconds before it sends the command.
    static let sendingSeconds = 5
    /// How many seconds a sensor that reconnects has for the copies that the broker kept for it, before the registry
    /// sends its own.
    static let returnSeconds = 2

    /// Takes commands that are due to be sent; other registries can't take them for `sendingSeconds`. A command whose row
    /// cannot be decoded fails.
    /// - Returns: at most `limit` commands. Call `sent` for those that the broker confirmed, and `giveBack` for the
    ///   others.
    /// - Throws: `StoreError`.
    public func takeCommandsToSend(atMost limit: Int) throws -> TakenCommands {
        let rows = try fetch(
            """
            UPDATE command c
               SET send_at = now() + make_interval(secs => \(Self.sendingSeconds))
              FROM (SELECT command_id FROM command
                     WHERE send_at <= now() AND state IN ('queued', 'delivered')
                       AND (expires_at IS NULL OR expires_at > now())
                     ORDER BY send_at LIMIT \(limit) FOR UPDATE SKIP LOCKED) due
             WHERE c.command_id = due.command_id
            RETURNING c.command_id, c.serial, c.name, c.issuer, \(microseconds("c.issued_at")) AS issued_us,
                \(microseconds("c.expires_at")) AS expires_us, \(microseconds("now()")) AS now_us,
                (SELECT array_to_string(array_agg(concat_ws(' ', encode(convert_to(a.key, 'UTF8'), 'hex'),
                        left(jsonb_typeof(a.value), 1), encode(convert_to(a.value #>> '{}', 'UTF8'), 'hex'))), ',')
                   FROM jsonb_each(CASE jsonb_typeof(c.arguments) WHEN 'object' THEN c.arguments
                                   ELSE '{"": []}'::jsonb END) a
                  WHERE jsonb_typeof(a.value) <> 'null') AS arguments
            """)
        var taken = TakenCommands()
        for row in rows {
            let id = try row.text("command_id")
            do { taken.commands.append(try CommandToSend(row)) } catch {
                guard case .undecodable = error else { throw error }
                taken.failed.append(FailedCommand(id: id, error))
            }
        }
        try fail(taken.failed)
        return taken
    }

    /// Ends open commands as failed, because they can never be sent.
    /// - Throws: `StoreError`.
    public func fail(_ commands: [FailedCommand]) throws {
        if commands.isEmpty { return }
        try transaction { session in try session.fail(commands) }
    }

    /// Records that the broker confirmed these commands, which were taken at `taken`; they are sent again only when
    /// their sensor reconnects.
    /// - Throws: `StoreError`.
    public func sent(_ ids: [String], taken: Timestamp) throws {
        if ids.isEmpty { return }
        try run(
            """
            UPDATE command SET send_at = NULL, sent_at = \(taken), sends = sends + 1
             WHERE command_id = ANY (\(ids)::text[])
            """)
    }

    /// Makes taken commands that the broker did not confirm due again at once. A command that has ended or was
    /// cancelled in the meantime stays unchanged.
    /// - Throws: `StoreError`; the commands are then due again after `sendingSeconds`.
    public func giveBack(_ ids: [String]) throws {
        if ids.isEmpty { return }
        try run(
            "UPDATE command SET send_at = now() WHERE command_id = ANY (\(ids)::text[]) AND send_at IS NOT NULL")
    }

    /// Ends commands that have expired; one whose row cannot be decoded fails.
    /// - Returns: the number of ended commands.
    /// - Throws: `StoreError`.
    public func expireCommands(atMost limit: Int = 1000) throws -> Int {
        try transaction { session in
            let rows = try session.fetch(
                """
                SELECT \(CommandRow.columns), \(microseconds("now()")) AS now_us FROM command
                 WHERE state IN ('queued', 'delivered')
                   AND expires_at < now() - make_interval(secs => \(CommandLife.expiryGraceSeconds))
                   AND (state = 'queued' OR greatest(expires_at, delivered_at)
                        < now() - make_interval(secs => \(CommandLife.resultGraceSeconds)))
                 ORDER BY expires_at LIMIT \(limit) FOR UPDATE SKIP LOCKED
                """)
            var failed: [FailedCommand] = []
            let ended = try rows.compactMap { row -> CommandRow? in
                let id = try row.text("command_id")
                do {
                    var command = try CommandRow(row)
                    command.life.expire(at: try row.time("now_us"))
                    return command.life.state.isOpen ? nil : command
                } catch let error as StoreError {
                    guard case .undecodable = error else { throw error }
                    failed.append(FailedCommand(id: id, error))
                    return nil
                }
            }
            try session.write(ended)
            try session.fail(failed)
            return ended.count + failed.count
        }
    }

    /// Turns desired properties of online sensors that were not requested yet into commands.
    /// - Returns: the number of sensors examined.
    /// - Throws: `StoreError`.
    public func queueDeltas(atMost limit: Int = 1000) throws -> Int {
        try transaction { session in
            let sensors = try session.fetch(
                """
                SELECT sensor_id FROM sensor WHERE desired_version > delta_version AND presence = 'online'
                 ORDER BY sensor_id LIMIT \(limit) FOR NO KEY UPDATE SKIP LOCKED
                """
            ).map { try $0.sensorID("sensor_id") }
            try session.queueDeltas(of: sensors)
            return sensors.count
        }
    }
}

extension CommandToSend {
    /// The row of `takeCommandsToSend`.
    fileprivate init(_ row: Row) throws(StoreError) {
        serial = try row.serial("serial")
        command = Command(
            id: try row.text("command_id"), name: try row.text("name"),
            // NULL: the command has no arguments.
            arguments: try row.optionalText("arguments", as: "arguments of a command", arguments) ?? [:],
            issued: try row.time("issued_us"), expires: try row.optionalTime("expires_us"),
            issuer: try row.text("issuer"))
        taken = try row.time("now_us")
    }
}

/// The arguments as `takeCommandsToSend` selects them: name, type and text of each; the texts in hexadecimal. Nil for
/// anything else, such as an argument that is an object or an array.
private func arguments(_ text: String) -> [String: Command.Value]? {
    var arguments: [String: Command.Value] = [:]
    for part in text.split(separator: ",") {
        let words = part.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 3, let name = String(hexadecimal: words[0]), let text = String(hexadecimal: words[2])
        else { return nil }
        switch words[1] {
        case "b": arguments[name] = .flag(text == "true")
        case "s": arguments[name] = .text(text)
        case "n":
            guard let number = Double(text) else { return nil }
            arguments[name] = .number(number)
        default: return nil
        }
    }
    return arguments
}

extension String {
    /// The text whose UTF-8 these hexadecimal digits are.
    fileprivate init?(hexadecimal digits: Substring) {
        guard let bytes = [UInt8](hexadecimal: String(digits)) else { return nil }
        self.init(validating: bytes, as: UTF8.self)
    }
}

/// The columns of a command's row that describe its progress.
private struct CommandRow {
    static let columns: SQL = """
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

    init(_ row: Row) throws(StoreError) {
        id = try row.text("command_id")
        serial = try row.serial("serial")
        life = CommandLife(
            state: try row.value("state"), reason: try row.text("reason"), expires: try row.optionalTime("expires_us"),
            delivered: try row.optionalTime("delivered_us"), finished: try row.optionalTime("finished_us"))
    }
}

extension Session {
    /// Writes issued commands. A command whose answer arrived first gets its name and its other columns now.
    func record(_ commands: [Received<Command>]) throws {
        var seen: Set<String> = []
        let commands = commands.filter { seen.insert($0.content.id).inserted }
        if commands.isEmpty { return }
        try run(
            """
            INSERT INTO command AS c (command_id, serial, name, arguments, issuer, state, issued_at, expires_at)
            SELECT u.command_id, u.serial, u.name, u.arguments, u.issuer, 'queued', u.issued_at, u.expires_at
              FROM unnest(\(commands.map(\.content.id))::text[], \(commands.map(\.serial))::text[],
                          \(commands.map(\.content.name))::text[],
                          \(commands.map { TwinJSON.object($0.content.arguments) })::jsonb[],
                          \(commands.map(\.content.issuer))::text[], \(commands.map(\.content.issued))::timestamptz[],
                          \(commands.map(\.content.expires))::timestamptz[])
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
            """)
    }

    /// Writes answers. An answer to an unknown command creates the command's row; an answer from a sensor that the
    /// command is not for changes nothing.
    func record(_ acks: [Received<Ack>]) throws {
        if acks.isEmpty { return }
        let known = try fetch(
            """
            SELECT \(CommandRow.columns) FROM command WHERE command_id = ANY (\(Set(acks.map(\.content.id)).sorted())::text[])
            ORDER BY command_id FOR UPDATE
            """)
        var commands = Dictionary(
            try known.map(CommandRow.init).map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
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

    /// Writes the progress of commands; none of them stays due to be sent.
    fileprivate func write(_ commands: [CommandRow]) throws {
        if commands.isEmpty { return }
        try run(
            """
            INSERT INTO command AS c (command_id, serial, name, state, reason, delivered_at, finished_at, issued_at)
            SELECT u.command_id, u.serial, '', u.state, u.reason, u.delivered_at, u.finished_at,
                   coalesce(u.delivered_at, now())
              FROM unnest(\(commands.map(\.id))::text[], \(commands.map(\.serial))::text[],
                          \(commands.map(\.life.state))::text[], \(commands.map(\.life.reason))::text[],
                          \(commands.map(\.life.delivered))::timestamptz[],
                          \(commands.map(\.life.finished))::timestamptz[])
                AS u(command_id, serial, state, reason, delivered_at, finished_at)
            ON CONFLICT (command_id) DO UPDATE
            SET state = EXCLUDED.state, reason = EXCLUDED.reason, delivered_at = EXCLUDED.delivered_at,
                finished_at = EXCLUDED.finished_at, send_at = NULL
            """)
    }

    /// Ends open commands as failed.
    fileprivate func fail(_ commands: [FailedCommand]) throws {
        if commands.isEmpty { return }
        try run(
            """
            UPDATE command c SET state = 'failed', reason = u.reason, finished_at = now(), send_at = NULL
              FROM unnest(\(commands.map(\.id))::text[], \(commands.map(\.reason))::text[]) AS u(command_id, reason)
             WHERE c.command_id = u.command_id AND c.state IN ('queued', 'delivered')
            """)
    }

    /// Writes the commands that follow from alarms by the actions of their rules, as these are now; the registry sends them. A
    /// sensor that was deleted gets none, and a rule that this release cannot read sends none.
    func queueCommands(of alarms: [(sensor: SensorID, edge: Alarm.Edge, alarm: Alarm)]) throws {
        if alarms.isEmpty { return }
        let rows = try fetch(
            """
            SELECT name, body::text AS body FROM alarm_rule
             WHERE name = ANY (\(Set(alarms.map(\.alarm.rule)).sorted())::text[]) AND body ? 'actions'
            """)
        if rows.isEmpty { return }
        let rules = Dictionary(
            try rows.map { (try $0.text("name"), try? $0.rule("body")) }, uniquingKeysWith: { first, _ in first })
        let commands = alarms.flatMap { sensor, edge, alarm in
            (rules[alarm.rule]??.commands(for: alarm, edge, now: .now) ?? []).map { (sensor: sensor, command: $0) }
        }
        if commands.isEmpty { return }
        try run(
            """
            INSERT INTO command (command_id, serial, name, arguments, issuer, state, issued_at, expires_at, send_at)
            SELECT u.command_id, s.serial, u.name, u.arguments, u.issuer, 'queued', now(), u.expires_at, now()
              FROM unnest(\(commands.map(\.command.id))::text[], \(commands.map(\.sensor))::int[],
                          \(commands.map(\.command.name))::text[],
                          \(commands.map { TwinJSON.object($0.command.arguments) })::jsonb[],
                          \(commands.map(\.command.issuer))::text[], \(commands.map(\.command.expires))::timestamptz[])
                AS u(command_id, sensor_id, name, arguments, issuer, expires_at)
              JOIN sensor s USING (sensor_id) WHERE s.deleted_at IS NULL ORDER BY u.command_id
            ON CONFLICT (command_id) DO NOTHING
            """)
    }

    /// Makes commands that are still valid due again for sensors that have reconnected.
    func resendCommands(to serials: [SerialNumber]) throws {
        if serials.isEmpty { return }
        try run(
            """
            UPDATE command SET send_at = now() + make_interval(secs => \(StoreConnection.returnSeconds))
             WHERE serial = ANY (\(serials)::text[]) AND state IN ('queued', 'delivered') AND name <> ''
               AND (expires_at IS NULL OR expires_at > now()) AND send_at IS NULL
            """)
    }

    /// Turns desired properties of these sensors that differ from the reported ones into commands, once for each
    /// version and boot: a rate into `change_sample_frequency`, the others into `set`, at most 64 properties in one
    /// command.
    func queueDeltas(of sensors: [SensorID]) throws {
        if sensors.isEmpty { return }
        try run(
            """
            WITH drift AS (
                SELECT s.sensor_id, s.serial, s.desired_version, s.boot_id, d.path, d.wanted,
                       d.path = 'rate_hz' AND jsonb_typeof(d.wanted) = 'number' AS is_rate
                  FROM sensor s, LATERAL twin_drift(s.desired, s.reported) d
                 WHERE s.sensor_id = ANY (\(sensors)::int[]) AND s.desired - 'limits' <> '{}'
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
            """)
        try run(
            """
            UPDATE sensor SET delta_version = desired_version
             WHERE sensor_id = ANY (\(sensors)::int[]) AND delta_version < desired_version
            """)
    }
}
