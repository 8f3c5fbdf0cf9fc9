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

    /// Writes what the registry's queue brought, in one transaction.
    ///
    /// What is said of one sensor, or of one command, counts in order. Commands go before answers, which may have been
    /// read first.
    /// - Throws: `StoreError`.
    public func record(_ messages: [RegistryMessage]) throws {
        var words = SensorWords()
        var commands: [Heard<Command>] = []
        var acks: [Heard<Ack>] = []
        for message in messages {
            switch message {
            case .announcement(let heard): words.note(heard)
            case .ack(let heard):
                words.note(heard)
                if !Command.isTime(id: heard.content.id) { acks.append(heard) }
            case .command(let heard): if !Command.isTime(id: heard.content.id) { commands.append(heard) }
            }
        }
        // Outside the transaction: a number that is drawn stays drawn.
        _ = try sensorIDs(for: words.announced)
        try transaction { [words, commands, acks] session in
            try session.record(commands)
            try session.record(acks)
            try session.record(words)
        }
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
