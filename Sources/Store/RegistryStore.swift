public import Sensors

/// What an announcement, an answer or a command says of a sensor, with the broker's stamp.
public struct Heard<Content: Sendable>: Sendable {
    /// The sensor.
    public var serial: SerialNumber
    /// When it arrived at the broker.
    public var received: Timestamp
    /// What it says.
    public var content: Content

    /// That, from that sensor, at that time.
    public init(serial: SerialNumber, received: Timestamp, content: Content) {
        self.serial = serial
        self.received = received
        self.content = content
    }
}

/// What the registry's queue brings.
public enum RegistryMessage: Sendable {
    /// A sensor announced itself, or its Last Will was published.
    case announcement(Heard<Announcement>)
    /// A sensor answered.
    case ack(Heard<Ack>)
    /// Somebody gave a command.
    case command(Heard<Command>)
}

extension StoreConnection {
    /// How many partitions there are; nil before the registry has said so.
    /// - Throws: `StoreError`.
    public func partitionCount() throws -> Int? {
        try query("SELECT value::text AS count FROM setting WHERE name = 'partitions'").first?.integer("count").map(
            Int.init)
    }

    /// Fixes the number of partitions, the first time, and makes their rows.
    /// - Parameter streams: their names, as many as are wanted.
    /// - Returns: how many there are, which is what was fixed the first time.
    /// - Throws: `StoreError`.
    public func fixPartitions(_ streams: [String]) throws -> Int {
        try transaction { session in
            try session.query(
                "INSERT INTO setting VALUES ('partitions', to_jsonb($1::int)) ON CONFLICT (name) DO NOTHING",
                [.integer(Int64(streams.count))])
            let count = try session.query("SELECT value::text AS count FROM setting WHERE name = 'partitions'")
                .first?.integer("count")
            guard let count, count == streams.count else { return Int(count ?? 0) }
            try session.query(
                "INSERT INTO ingest_partition (stream) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING",
                [.texts(streams)])
            return streams.count
        }
    }

    /// Writes what the registry's queue brought, in one transaction and in order.
    /// - Throws: `StoreError`.
    public func record(_ messages: [RegistryMessage]) throws {
        let announced = messages.compactMap { if case .announcement(let heard) = $0 { heard.serial } else { nil } }
        _ = try sensorIDs(for: announced)
        try transaction { session in
            for message in messages {
                switch message {
                case .announcement(let heard) where heard.content.state == .lost: try Self.recordWill(heard, session)
                case .announcement(let heard): try Self.record(heard, session)
                case .ack(let heard) where Command.isTime(id: heard.content.id): break
                case .ack(let heard): try Self.record(heard, session)
                case .command(let heard) where Command.isTime(id: heard.content.id): break
                case .command(let heard): try Self.record(heard, session)
                }
            }
        }
    }

    private static func record(_ heard: Heard<Announcement>, _ session: borrowing Session) throws {
        let announcement = heard.content
        try recordBoot(heard, session)
        let reported = announcement.rate.map { "{\"rate_hz\": \($0.hertz)}" } ?? "{}"
        let rows = try session.query(
            """
            UPDATE sensor
               SET kind = $2, firmware = $3, state = $4, presence = $5, boot_id = $6, connection = $7,
                   next_sequence = $8, frames_dropped = $9, reported = reported || $10::jsonb,
                   reported_version = reported_version + (NOT reported @> $10::jsonb)::int,
                   last_seen = greatest(last_seen, $11::timestamptz)
             WHERE serial = $1 AND ($6::bigint, $7::bigint) >= (coalesce(boot_id, 0), coalesce(connection, 0))
            RETURNING sensor_id
            """,
            [
                .text(heard.serial.text), .text(announcement.kind), .text(announcement.firmware),
                .text(announcement.state.rawValue), .text(announcement.state == .stopped ? "offline" : "online"),
                .integer(announcement.boot), .integer(announcement.connection), .integer(announcement.nextSequence),
                .integer(announcement.framesDropped), .text(reported), .time(heard.received),
            ])
        guard let sensor = rows.first?.integer("sensor_id"), !announcement.channels.isEmpty else { return }
        // A name that another channel of the sensor has is made different: one bad announcement stops nobody.
        try session.query(
            """
            INSERT INTO channel AS c (sensor_id, channel, name, quantity, unit)
            SELECT $1, a.channel,
                   CASE WHEN a.name = '' OR a.k > 1 OR EXISTS (SELECT 1 FROM channel o WHERE o.sensor_id = $1
                             AND o.name = a.name AND o.channel <> a.channel)
                        THEN (SELECT t.name FROM generate_series(0, 64) AS g(i), LATERAL (
                                  SELECT a.name || '#' || a.channel || CASE g.i WHEN 0 THEN '' ELSE '#' || g.i END
                              ) AS t(name)
                               WHERE t.name <> ALL ($3::text[]) AND NOT EXISTS (SELECT 1 FROM channel o
                                     WHERE o.sensor_id = $1 AND o.name = t.name AND o.channel <> a.channel)
                               ORDER BY g.i LIMIT 1)
                        ELSE a.name END, a.quantity, a.unit
              FROM (SELECT DISTINCT ON (channel) *, row_number() OVER (PARTITION BY name ORDER BY channel) AS k
                      FROM unnest($2::smallint[], $3::text[], $4::text[], $5::text[])
                        AS u(channel, name, quantity, unit)
                     ORDER BY channel) a
            ON CONFLICT (sensor_id, channel) DO UPDATE
            SET name = EXCLUDED.name, quantity = EXCLUDED.quantity, unit = EXCLUDED.unit
            WHERE (c.name, c.quantity, c.unit) IS DISTINCT FROM (EXCLUDED.name, EXCLUDED.quantity, EXCLUDED.unit)
            """,
            [
                .integer(sensor), .integers(announcement.channels.map { Int64($0.number) }),
                .texts(announcement.channels.map(\.name)), .texts(announcement.channels.map(\.quantity)),
                .texts(announcement.channels.map(\.unit)),
            ])
    }

    /// What it says of its boot, whether that is its newest or not; counts never go back.
    ///
    /// The earlier announcement is one that `LossAudit` may call due: it has to get older than `LossAudit.grace` even
    /// if the sensor announces every second, so it is kept for three times that long. While the sensor makes no frames
    /// it is kept for good: the older it is, the more certain.
    private static func recordBoot(_ heard: Heard<Announcement>, _ session: borrowing Session) throws {
        let announcement = heard.content
        let grace = "INTERVAL '\(LossAudit.grace.components.seconds) seconds'"
        let moves = """
            b.earlier_at IS NULL OR b.next_sequence > b.earlier_next_sequence AND \
            (b.announced_at <= EXCLUDED.announced_at - \(grace) OR b.earlier_at <= EXCLUDED.announced_at - 3 * \(grace))
            """
        try session.query(
            """
            INSERT INTO boot_announcement AS b (sensor_id, boot_id, next_sequence, frames_dropped, state, first_at,
                                                announced_at)
            SELECT sensor_id, $2, $3, $4, $5, $6::timestamptz, $6::timestamptz FROM sensor WHERE serial = $1
            ON CONFLICT (sensor_id, boot_id) DO UPDATE
            SET earlier_next_sequence = CASE WHEN \(moves) THEN b.next_sequence ELSE b.earlier_next_sequence END,
                earlier_at = CASE WHEN \(moves) THEN b.announced_at ELSE b.earlier_at END,
                next_sequence = greatest(b.next_sequence, EXCLUDED.next_sequence),
                frames_dropped = greatest(b.frames_dropped, EXCLUDED.frames_dropped), state = EXCLUDED.state,
                announced_at = EXCLUDED.announced_at
            WHERE b.announced_at <= EXCLUDED.announced_at
            """,
            [
                .text(heard.serial.text), .integer(announcement.boot), .integer(announcement.nextSequence),
                .integer(announcement.framesDropped), .text(announcement.state.rawValue), .time(heard.received),
            ])
    }

    /// A Last Will says only that one connection broke; a newer one may stand by now.
    private static func recordWill(_ heard: Heard<Announcement>, _ session: borrowing Session) throws {
        try session.query(
            """
            UPDATE sensor SET presence = 'offline', boot_id = $2, connection = $3
             WHERE serial = $1 AND ($2::bigint, $3::bigint) >= (coalesce(boot_id, 0), coalesce(connection, 0)) AND state <> 'stopped'
            """,
            [
                .text(heard.serial.text), .integer(heard.content.boot), .integer(heard.content.connection),
            ])
    }

    private static func record(_ heard: Heard<Ack>, _ session: borrowing Session) throws {
        let ack = heard.content
        let isExpired = ack.outcome == .rejected && ack.reason == Ack.expired
        let state = ack.outcome == .received ? "delivered" : isExpired ? "expired" : ack.outcome.rawValue
        // Command and answer come from different publishers, so the answer may be read first: it makes the row, and the
        // command fills it in. A later answer never takes back a final one.
        try session.query(
            """
            INSERT INTO command AS c (command_id, state, reason, delivered_at, finished_at, serial, name, issued_at)
            VALUES ($1, $2, $3, $4::timestamptz, CASE WHEN $5::boolean THEN $4::timestamptz END, $6, '', $4::timestamptz)
            ON CONFLICT (command_id) DO UPDATE
            SET state = EXCLUDED.state, reason = EXCLUDED.reason,
                delivered_at = coalesce(c.delivered_at, EXCLUDED.delivered_at), finished_at = EXCLUDED.finished_at
            WHERE c.serial = EXCLUDED.serial AND c.state IN ('queued', 'delivered', 'timed_out')
              AND NOT (c.state = 'delivered' AND EXCLUDED.state = 'delivered')
            """,
            [
                .text(ack.id), .text(state), .text(ack.reason), .time(heard.received),
                .flag(ack.outcome != .received), .text(heard.serial.text),
            ])
        try session.query(
            """
            UPDATE sensor SET last_seen = greatest(last_seen, $2::timestamptz),
                   presence = CASE WHEN state = 'stopped' THEN presence ELSE 'online' END
            WHERE serial = $1
            """,
            [.text(heard.serial.text), .time(heard.received)])
    }

    private static func record(_ heard: Heard<Command>, _ session: borrowing Session) throws {
        let command = heard.content
        let names = command.arguments.keys.sorted()
        // The arguments as one JSON object, built by the database from two arrays.
        let values: [String] = names.map { name in
            switch command.arguments[name] {
            case .number(let number) where number.isFinite: "\(number)"
            case .number, nil: "null"
            case .flag(let flag): "\(flag)"
            case .text(let text): "\"" + Self.jsonEscaped(text) + "\""
            }
        }
        try session.query(
            """
            INSERT INTO command AS c (command_id, serial, name, arguments, issuer, state, issued_at, expires_at)
            VALUES ($1, $2, $3,
                    coalesce((SELECT jsonb_object_agg(a.name, a.value::jsonb)
                                FROM unnest($4::text[], $5::text[]) AS a(name, value)), '{}'),
                    $6, 'queued', $7, $8)
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
                .text(command.id), .text(heard.serial.text), .text(command.name), .texts(names), .texts(values),
                .text(command.issuer), .time(command.issued), .time(command.expires),
            ])
    }

    static func jsonEscaped(_ text: String) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": escaped += "\\\""
            case "\\": escaped += "\\\\"
            case _ where scalar.value < 0x20 || scalar.value == 0xFFFD: escaped += " "
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }

    /// Writes alarms that began or ended; the same again changes nothing, and a clear may come before its trigger.
    /// - Throws: `StoreError`.
    public func record(alarms: [(edge: Alarm.Edge, heard: Heard<Alarm>)]) throws {
        let ids = try sensorIDs(for: alarms.map(\.heard.serial))
        try transaction { session in
            for (edge, heard) in alarms {
                guard let sensor = ids[heard.serial] else { continue }
                let alarm = heard.content
                let common: [SQLValue] = [
                    .text(alarm.id), .integer(Int64(sensor)), .integer(Int64(alarm.channel)), .text(alarm.rule),
                    .time(alarm.at), .double(alarm.value),
                ]
                switch edge {
                case .trigger:
                    try session.query(
                        """
                        INSERT INTO alarm AS a (alarm_id, sensor_id, channel, rule, raised_at, value, limit_value, text)
                        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
                        ON CONFLICT (alarm_id) DO UPDATE
                        SET raised_at = EXCLUDED.raised_at, value = EXCLUDED.value, limit_value = EXCLUDED.limit_value,
                            text = EXCLUDED.text
                        WHERE a.raised_at IS NULL
                        """, common + [.double(alarm.limit), .text(alarm.text)])
                case .clear:
                    try session.query(
                        """
                        INSERT INTO alarm AS a (alarm_id, sensor_id, channel, rule, cleared_at, clear_value)
                        VALUES ($1, $2, $3, $4, $5, $6)
                        ON CONFLICT (alarm_id) DO UPDATE
                        SET cleared_at = EXCLUDED.cleared_at, clear_value = EXCLUDED.clear_value
                        WHERE a.cleared_at IS NULL
                        """, common)
                }
            }
        }
    }

    /// Writes log lines; times that can't be trusted are replaced by that of arrival.
    /// - Throws: `StoreError`.
    public func record(logs: [Heard<LogLine>], clockRule: ClockRule) throws {
        let ids = try sensorIDs(for: Array(Set(logs.map(\.serial))))
        let lines = logs.compactMap { heard in ids[heard.serial].map { (sensor: $0, heard: heard) } }
        try transaction { session in
            _ = try session.query(
                """
                INSERT INTO sensor_log ("time", received_at, boot_id, sensor_id, level, text)
                SELECT * FROM unnest($1::timestamptz[], $2::timestamptz[], $3::bigint[], $4::int[], $5::smallint[],
                                     $6::text[])
                """,
                [
                    .times(
                        lines.map { line in
                            clockRule.judge(
                                start: line.heard.content.at, spanNanoseconds: 0, received: line.heard.received
                            ).time
                        }),
                    .times(lines.map(\.heard.received)), .integers(lines.map(\.heard.content.boot)),
                    .integers(lines.map { Int64($0.sensor) }),
                    .integers(lines.map { Int64($0.heard.content.level.rawValue) }),
                    .texts(lines.map(\.heard.content.text)),
                ])
        }
    }

    /// Writes payloads that can't be stored.
    /// - Throws: `StoreError`.
    public func quarantine(_ payloads: [QuarantinedPayload]) throws {
        try transaction { session in try Self.write(payloads, session) }
    }
}
