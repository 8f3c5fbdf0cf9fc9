public import Model
public import Postgres
public import Time

/// An event capture of which frames are stored in a batch.
public struct StoredCapture: Sendable, Hashable {
    /// The sensor.
    public var sensor: SensorID
    /// The boot of its frames.
    public var boot: Int64
    /// The channels with samples.
    public var channels: [Int16]
    /// Samples per second and channel.
    public var rateHertz: Double
    /// What the frames say of the capture.
    public var mark: CaptureMark

    /// The captures that a valid frame of that sensor belongs to; none for an ordinary frame.
    /// - Parameter channelNumber: the number of a channel.
    public static func all(
        of frame: Frame, sensor: SensorID, channelNumber: (ChannelKey) -> Int16?
    ) -> [StoredCapture] {
        guard frame.isCapture, let position = frame.position else { return [] }
        let channels = frame.blocks.compactMap { channelNumber($0.channel) }
        return frame.captures.map { mark in
            StoredCapture(
                sensor: sensor, boot: position.boot, channels: channels, rateHertz: frame.rate?.hertz ?? 0, mark: mark)
        }
    }
}

/// The samples of one channel around an alarm, at the sensor's full rate.
public struct AlarmCapture: Sendable, Equatable {
    /// The sensor's serial number.
    public var serial: String
    /// The channel. Its samples of captures are rows of `channel.ofCaptures`.
    public var channel: ChannelID
    /// The channel's name; nil if the sensor never announced one.
    public var channelName: String?
    /// The channel's unit; empty if the sensor never announced one.
    public var unit: String
    /// What the channel measures; empty if the sensor never announced it.
    public var quantity: String
    /// When the first sample was taken.
    public var from: Timestamp
    /// A time after the last sample.
    public var to: Timestamp
    /// Samples per second; 0 for a single sample without a rate.
    public var rateHertz: Double
    /// The samples that the sensor said it would send.
    public var samples: Int64
    /// Those of them that are stored now. Retention deletes them as it deletes other samples.
    public var stored: Int64
    /// The frames that they came in.
    public var frames: Int64

    /// Whether all samples of the capture are stored.
    public var isComplete: Bool { stored >= samples }
    /// The channel's name, or its number.
    public var label: String { channelName ?? "\(channel.number)" }
}

/// What a sensor said of an alarm of its own.
public struct AlarmAnswer: Sendable, Equatable {
    /// The sensor's serial number.
    public var serial: String
    /// When the broker received the sensor's first answer.
    public var acknowledgedAt: Timestamp
    /// What became of the event capture: `succeeded`, `failed` or `rejected`; nil: the sensor has not said, or it makes no
    /// captures.
    public var outcome: Ack.Outcome?
    /// Why the capture failed or was rejected; empty otherwise.
    public var reason: String
    /// When the broker received the answer with the outcome.
    public var answeredAt: Timestamp?
}

extension StoreConnection {
    /// Reads the event captures of an alarm, by sensor and channel. None while no frame of one is stored.
    /// - Throws: `StoreError`.
    public func captures(of alarm: String) throws -> [AlarmCapture] {
        let seconds: (SQL) -> SQL = { "to_timestamp(0) + \($0) / 1000 * INTERVAL '1 us'" }
        // Samples are counted as the frames were: sample k of a row was taken at start + k * step, to the nanosecond.
        let number: (SQL) -> SQL = { "ceil((\($0) - r.start_ns - 0.5)::float8 / r.step_ns)" }
        return try fetch(
            """
            SELECT s.serial, c.sensor_id, c.channel, n.name, coalesce(n.unit, '') AS unit,
                   coalesce(n.quantity, '') AS quantity, c.from_ns, c.to_ns, c.sample_rate_hz, c.samples, m.stored,
                   m.frames
              FROM alarm_capture c JOIN sensor s USING (sensor_id) LEFT JOIN channel n USING (sensor_id, channel)
             CROSS JOIN LATERAL (
                SELECT coalesce(sum(greatest(0, least(r.n, \(number("c.to_ns"))) - greatest(0, \(number("c.from_ns"))))),
                                0)::bigint AS stored, count(DISTINCT r.sequence) AS frames
                  FROM (SELECT (extract(epoch FROM i."time") * 1000000)::bigint * 1000 + i.time_ns AS start_ns,
                               coalesce(1e9 / nullif(i.sample_rate_hz, 0), 1e9) AS step_ns, i.n, i.sequence
                          FROM measurement i
                         WHERE i.sensor_id = c.sensor_id AND i.channel = (-1 - c.channel)::smallint
                           AND i.boot_id = c.boot_id
                           AND i."time" >= \(seconds("c.from_ns")) - INTERVAL '60 seconds'
                           AND i."time" < \(seconds("c.to_ns"))
                           AND row_end(i."time", i.n, i.sample_rate_hz) >= \(seconds("c.from_ns"))) r) m
             WHERE c.alarm_id = \(alarm) ORDER BY s.serial, c.channel
            """, timeout: .seconds(30)
        ).map { row in
            AlarmCapture(
                serial: try row.text("serial"), channel: try row.channelID(), channelName: try row.optionalText("name"),
                unit: try row.text("unit"), quantity: try row.text("quantity"),
                from: Timestamp(unixNanoseconds: try row.integer("from_ns")),
                to: Timestamp(unixNanoseconds: try row.integer("to_ns")), rateHertz: try row.double("sample_rate_hz"),
                samples: try row.integer("samples"), stored: try row.integer("stored"),
                frames: try row.integer("frames"))
        }
    }

    /// The serial number of the sensor of an alarm; nil: there is no such alarm.
    /// - Throws: `StoreError`.
    public func sensor(ofAlarm alarm: String) throws -> String? {
        try fetch("SELECT s.serial FROM alarm a JOIN sensor s USING (sensor_id) WHERE a.alarm_id = \(alarm)").first?
            .text("serial")
    }

    /// Reads what sensors said of an alarm, by serial number.
    /// - Throws: `StoreError`.
    public func answers(toAlarm alarm: String) throws -> [AlarmAnswer] {
        try fetch(
            """
            SELECT s.serial, \(microseconds("a.acknowledged_at")) AS acknowledged_us, a.outcome, a.reason,
                   \(microseconds("a.answered_at")) AS answered_us
              FROM alarm_answer a JOIN sensor s USING (sensor_id) WHERE a.alarm_id = \(alarm) ORDER BY s.serial
            """
        ).map { row in
            AlarmAnswer(
                serial: try row.text("serial"), acknowledgedAt: try row.time("acknowledged_us"),
                outcome: try row.optionalValue("outcome"), reason: try row.text("reason"),
                answeredAt: try row.optionalTime("answered_us"))
        }
    }

    /// Records captures, in the transaction that stores their frames.
    static func write(_ captures: Set<StoredCapture>, _ session: borrowing Session) throws {
        if captures.isEmpty { return }
        // In order, so that two writers of the same captures cannot wait for each other.
        let rows = captures.flatMap { capture in capture.channels.map { (capture, $0) } }
            .sorted { ($0.0.mark.alarm, $0.0.sensor, $0.1) < ($1.0.mark.alarm, $1.0.sensor, $1.1) }
        try session.run(
            """
            INSERT INTO alarm_capture (alarm_id, sensor_id, channel, boot_id, from_ns, to_ns, sample_rate_hz, samples)
            SELECT * FROM unnest(\(rows.map(\.0.mark.alarm))::text[], \(rows.map(\.0.sensor))::int[],
                                 \(rows.map(\.1))::smallint[], \(rows.map(\.0.boot))::bigint[],
                                 \(rows.map(\.0.mark.from.unixNanoseconds))::bigint[],
                                 \(rows.map(\.0.mark.to.unixNanoseconds))::bigint[],
                                 \(rows.map(\.0.rateHertz))::float8[], \(rows.map(\.0.mark.samples))::bigint[])
            ON CONFLICT DO NOTHING
            """)
    }
}

extension Session {
    /// Writes what sensors said of their alarms, in order of arrival. The first word of what became of a capture stays.
    func record(alarmAnswers: [Received<Ack>]) throws {
        struct Key: Hashable {
            var alarm: String
            var serial: SerialNumber
        }
        var answers: [Key: AlarmAnswer] = [:]
        for heard in alarmAnswers {
            let (ack, key) = (heard.content, Key(alarm: heard.content.id, serial: heard.serial))
            var answer =
                answers[key]
                ?? AlarmAnswer(serial: heard.serial.text, acknowledgedAt: heard.received, outcome: nil, reason: "")
            if ack.outcome != .received, answer.outcome == nil {
                (answer.outcome, answer.reason, answer.answeredAt) = (ack.outcome, ack.reason, heard.received)
            }
            answers[key] = answer
        }
        if answers.isEmpty { return }
        let rows = answers.sorted { ($0.key.alarm, $0.key.serial) < ($1.key.alarm, $1.key.serial) }
        try run(
            """
            INSERT INTO alarm_answer AS a (alarm_id, sensor_id, acknowledged_at, outcome, reason, answered_at)
            SELECT DISTINCT ON (u.alarm_id, id.sensor_id) u.alarm_id, id.sensor_id, u.acknowledged_at, u.outcome, u.reason,
                   u.answered_at
              FROM unnest(\(rows.map(\.key.alarm))::text[], \(rows.map(\.key.serial))::text[],
                          \(rows.map(\.value.acknowledgedAt))::timestamptz[], \(rows.map(\.value.outcome))::text[],
                          \(rows.map(\.value.reason))::text[], \(rows.map(\.value.answeredAt))::timestamptz[])
                AS u(alarm_id, serial, acknowledged_at, outcome, reason, answered_at)
              JOIN sensor s USING (serial)
             CROSS JOIN LATERAL (
                SELECT coalesce(CASE WHEN s.deleted_at IS NOT NULL THEN s.renamed_to END, s.sensor_id) AS sensor_id) id
             ORDER BY u.alarm_id, id.sensor_id
            ON CONFLICT (alarm_id, sensor_id) DO UPDATE
            SET acknowledged_at = least(a.acknowledged_at, EXCLUDED.acknowledged_at),
                outcome = coalesce(a.outcome, EXCLUDED.outcome),
                reason = CASE WHEN a.outcome IS NULL THEN EXCLUDED.reason ELSE a.reason END,
                answered_at = coalesce(a.answered_at, EXCLUDED.answered_at)
            """)
    }
}
