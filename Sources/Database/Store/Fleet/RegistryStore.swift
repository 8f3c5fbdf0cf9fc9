public import Model
public import Postgres
public import Time

/// What an announcement, an answer or a command says of a sensor, with the broker's stamp.
public struct Received<Content: Sendable>: Sendable {
    /// The sensor.
    public var serial: SerialNumber
    /// When it arrived at the broker.
    public var received: Timestamp
    /// What it says.
    public var content: Content
    /// Whether the queue may have delivered it before: then it may be stored already.
    public var isRedelivered: Bool

    /// That, from that sensor, at that time.
    public init(serial: SerialNumber, received: Timestamp, content: Content, isRedelivered: Bool = false) {
        self.serial = serial
        self.received = received
        self.content = content
        self.isRedelivered = isRedelivered
    }
}

/// What the registry's queue brings.
public enum RegistryMessage: Sendable {
    /// A sensor announced itself, or its Last Will was published.
    case announcement(Received<Announcement>)
    /// A sensor answered.
    case ack(Received<Ack>)
    /// A client issued a command.
    case command(Received<Command>)
}

extension StoreConnection {
    /// How many partitions there are; nil before the registry has said so.
    /// - Throws: `StoreError`.
    public func partitionCount() throws -> Int? {
        try fetch("SELECT value::text AS count FROM setting WHERE name = 'partitions'").first?
            .integer("count", as: Int.self)
    }

    /// Fixes the number of partitions, the first time, and makes their rows.
    /// - Parameter streams: their names, as many as are wanted.
    /// - Returns: how many there are, which is what was fixed the first time.
    /// - Throws: `StoreError`.
    public func fixPartitions(_ streams: [String]) throws -> Int {
        try transaction { session in
            try session.run(
                """
                INSERT INTO setting VALUES ('partitions', to_jsonb(\(streams.count)::int)) ON CONFLICT (name) DO NOTHING
                """)
            let count = try session.fetchOne("SELECT value::text AS count FROM setting WHERE name = 'partitions'")
                .integer("count", as: Int.self)
            guard count == streams.count else { return count }
            try session.run(
                "INSERT INTO ingest_partition (stream) SELECT unnest(\(streams)::text[]) ON CONFLICT DO NOTHING")
            return count
        }
    }

    /// Writes what the registry's queue brought, in one transaction.
    ///
    /// What is said of one sensor, or of one command, counts in order. Commands go before answers, which may have been
    /// read first.
    /// - Throws: `StoreError`.
    public func record(_ messages: [RegistryMessage]) throws {
        var words = SensorWords()
        var commands: [Received<Command>] = []
        var acks: [Received<Ack>] = []
        var alarmAnswers: [Received<Ack>] = []
        for message in messages {
            switch message {
            case .announcement(let heard): words.note(heard)
            case .ack(let heard):
                words.note(heard)
                if heard.content.isOfAlarm {
                    alarmAnswers.append(heard)
                } else if !Command.isTime(id: heard.content.id) {
                    acks.append(heard)
                }
            case .command(let heard): if !Command.isTime(id: heard.content.id) { commands.append(heard) }
            }
        }
        // Outside the transaction: a number that is drawn stays drawn.
        // A deleted sensor's Last Will is no message from the sensor.
        _ = try sensorIDs(for: words.wills.map(\.serial), reviving: false)
        try withSensorIDs(for: words.announced) { [words, commands, acks, alarmAnswers] _, session in
            try session.record(commands)
            try session.record(acks)
            try session.record(alarmAnswers: alarmAnswers)
            try session.record(words)
        }
    }

    /// Writes alarms that began or ended; the same again changes nothing, and a clear may come before its trigger.
    ///
    /// An alarm that was on its way when its sensor was deleted is written as cleared by the deletion, or not at all if the
    /// history was deleted too; one of a renamed sensor belongs to the sensor with the new name.
    /// The commands of their rules are written in the same transaction, once for each beginning and end of an alarm.
    /// - Parameter subscriptions: who is told: the outbox gets a row for each change of an alarm and each receiver.
    /// - Throws: `StoreError`.
    public func record(
        alarms: [(edge: Alarm.Edge, heard: Received<Alarm>)], notifying subscriptions: [AlarmSubscription] = []
    ) throws {
        // In order of id, so that two writers of the same alarms cannot wait for each other.
        let alarms = alarms.sorted { $0.heard.content.id < $1.heard.content.id }
        if alarms.isEmpty { return }
        // No number was read before, so each version will do.
        try transaction(prelude: "SELECT names_hold(NULL)") { session in
            var news: [(sensor: SensorID, edge: Alarm.Edge, alarm: Alarm)] = []
            var began: [(alarm: String, serial: String, severity: Alarm.Severity, rule: String)] = []
            for (sensor, edge, heard) in try session.numbered(alarms) {
                let alarm = heard.content
                let changed: Int
                let common: SQL = """
                    \(alarm.id), \(sensor), \(alarm.channel), \(alarm.rule), \(alarm.severity.rawValue),
                    nullif(\(alarm.channelName), ''), nullif(\(alarm.unit), ''), nullif(\(alarm.runbook), ''),
                    \(alarm.origin?.stream), \(alarm.origin?.epoch), \(alarm.origin?.offset), \(alarm.isLate)
                    """
                switch edge {
                case .trigger:
                    changed = try session.run(
                        """
                        INSERT INTO alarm AS a (alarm_id, sensor_id, channel, rule, severity, judged_channel, judged_unit, runbook,
                                                stream, epoch, stream_offset, late, raised_at, value, limit_value, text)
                        VALUES (\(common), \(alarm.at), \(alarm.value), \(alarm.limit), \(alarm.text))
                        ON CONFLICT (alarm_id) DO UPDATE
                        SET raised_at = EXCLUDED.raised_at, value = EXCLUDED.value, limit_value = EXCLUDED.limit_value,
                            text = EXCLUDED.text, epoch = EXCLUDED.epoch, stream_offset = EXCLUDED.stream_offset,
                            late = EXCLUDED.late
                        WHERE a.raised_at IS NULL
                        """)
                    if changed > 0 { began.append((alarm.id, heard.serial.text, alarm.severity, alarm.rule)) }
                case .clear:
                    changed = try session.run(
                        """
                        INSERT INTO alarm AS a (alarm_id, sensor_id, channel, rule, severity, judged_channel, judged_unit, runbook,
                                                stream, epoch, stream_offset, late, cleared_at, clear_value, clear_cause)
                        VALUES (\(common), \(alarm.at), \(alarm.value), nullif(\(alarm.cause), ''))
                        ON CONFLICT (alarm_id) DO UPDATE
                        SET cleared_at = EXCLUDED.cleared_at, clear_value = EXCLUDED.clear_value,
                            clear_cause = EXCLUDED.clear_cause
                        WHERE a.cleared_at IS NULL
                        """)
                }
                if changed > 0 { news.append((sensor, edge, alarm)) }
            }
            try session.queueCommands(of: news)
            try session.run(
                """
                UPDATE alarm a SET cleared_at = greatest(a.raised_at, s.deleted_at), clear_cause = 'sensor_deleted'
                  FROM sensor s
                 WHERE s.sensor_id = a.sensor_id AND s.deleted_at IS NOT NULL AND a.cleared_at IS NULL
                   AND a.alarm_id = ANY (\(alarms.map(\.heard.content.id))::text[])
                """)
            try session.enqueue(began: began, all: alarms.map(\.heard.content.id), for: subscriptions)
        }
    }

    /// The number of a sensor that `sensorIDs` has looked up.
    private static func number(of serial: SerialNumber, in ids: [SerialNumber: SensorID]) throws -> SensorID {
        guard let sensor = ids[serial] else { throw StoreError.unexpected("sensor \(serial) has no number") }
        return sensor
    }

    /// Writes log lines; times that can't be trusted are replaced by that of arrival. Of lines that are delivered again
    /// as many are left out as are there: the same in all columns, arrival included, is taken for the same line.
    /// - Throws: `StoreError`.
    public func record(logs: [Received<LogLine>], clockRule: ClockRule) throws {
        let times = logs.map { clockRule.judge(start: $0.content.at, spanNanoseconds: 0, received: $0.received).time }
        try withSensorIDs(for: Array(Set(logs.map(\.serial)))) { ids, session in
            let sensors = try logs.map { try Self.number(of: $0.serial, in: ids) }
            _ = try session.run(
                """
                INSERT INTO sensor_log ("time", received_at, boot_id, sensor_id, level, text)
                SELECT u."time", u.received_at, u.boot_id, u.sensor_id, u.level, u.text
                  FROM (SELECT *, row_number() OVER (PARTITION BY "time", received_at, boot_id, sensor_id, level, text,
                                                                  is_redelivered) AS number
                          FROM unnest(\(times)::timestamptz[], \(logs.map(\.received))::timestamptz[],
                                      \(logs.map(\.content.boot))::bigint[], \(sensors)::int[],
                                      \(logs.map(\.content.level))::smallint[], \(logs.map(\.content.text))::text[],
                                      \(logs.map(\.isRedelivered))::bool[])
                            AS n("time", received_at, boot_id, sensor_id, level, text, is_redelivered)) u
                 WHERE NOT u.is_redelivered
                    OR u.number > (SELECT count(*) FROM sensor_log l
                                    WHERE l.sensor_id = u.sensor_id AND l."time" = u."time"
                                      AND l.received_at = u.received_at AND l.boot_id = u.boot_id
                                      AND l.level = u.level AND l.text = u.text)
                """)
        }
    }

    /// Writes payloads that can't be stored. One that the broker delivers again is not written again if it is there.
    /// - Returns: those that were written.
    /// - Throws: `StoreError`.
    @discardableResult
    public func quarantine(_ payloads: [QuarantinedPayload]) throws -> [QuarantinedPayload] {
        if payloads.isEmpty { return [] }
        return try transaction { session in
            let new = try session.withoutStored(payloads)
            try Self.write(new, session)
            return new
        }
    }
}

extension Session {
    /// Alarms with the numbers of their sensors, in a transaction in which no sensor is deleted or renamed. A deleted name
    /// stands for the sensor that was renamed from it. Unknown sensors are registered. Alarms that arrived before their
    /// sensor was deleted with its history are left out.
    fileprivate func numbered(
        _ alarms: [(edge: Alarm.Edge, heard: Received<Alarm>)]
    ) throws -> [(sensor: SensorID, edge: Alarm.Edge, heard: Received<Alarm>)] {
        let statement: SQL = """
            SELECT u.number - 1 AS index, u.serial,
                   coalesce(CASE WHEN s.deleted_at IS NOT NULL THEN s.renamed_to END, s.sensor_id) AS sensor_id
              FROM unnest(\(alarms.map(\.heard.serial))::text[], \(alarms.map(\.heard.received))::timestamptz[])
                   WITH ORDINALITY AS u(serial, received, number)
              LEFT JOIN sensor s USING (serial)
             WHERE NOT EXISTS (SELECT FROM operator_action o
                                WHERE o.serial = u.serial AND o.at >= u.received AND o.action = 'delete_with_history')
             ORDER BY u.number
            """
        var rows = try fetch(statement)
        let unknown = Set(
            try rows.filter { try $0.optionalInteger("sensor_id") == nil }.map { try $0.text("serial") })
        if !unknown.isEmpty {
            try run(
                """
                INSERT INTO sensor (serial) SELECT unnest(\(unknown.sorted())::text[]) ON CONFLICT (serial) DO NOTHING
                """)
            rows = try fetch(statement)
        }
        return try rows.map { row in
            let (edge, heard) = alarms[try row.integer("index", as: Int.self)]
            return (try row.sensorID("sensor_id"), edge, heard)
        }
    }
}
