public import Sensors

/// A sensor in one line: what `iotctl get sensors` shows.
public struct SensorSummary: Sendable, Equatable {
    /// Its serial number.
    public var serial: String
    /// "vibration", "climate" …, empty until it has announced itself.
    public var kind: String
    /// As announced; empty until then.
    public var firmware: String
    /// `unknown`, `awake`, `asleep` or `stopped`.
    public var state: String
    /// `unknown`, `online` or `offline`.
    public var presence: String
    /// As reported, otherwise that of its newest samples; nil if neither is known.
    public var rate: SampleRate?
    /// When its newest announcement, answer or Last Will came.
    public var lastSeen: Timestamp?
    /// How long before the database's now that was.
    public var lastSeenAge: Duration?
    /// The time of its newest value.
    public var lastValue: Timestamp?
    /// How long before the database's now that was.
    public var lastValueAge: Duration?
    /// How far its clock was believed when its newest frame arrived; nil before the first.
    public var clock: ClockVerdict?
    /// How far its clock is ahead of the broker's, in seconds, less the way of that frame: below 0 where it is right.
    /// Nil: it has none.
    public var clockOffsetSeconds: Double?
    /// The machine it sits on.
    public var target: String?
    /// Labels, a JSON object.
    public var tagsJSON: String
    /// The start that its newest announcement belongs to.
    public var boot: Int64?
    /// Frames that the sensor dropped in that boot, as announced.
    public var framesDropped: Int64?
}

/// A channel and its newest value.
public struct ChannelRecord: Sendable, Equatable {
    /// Its number in frames.
    public var channel: Int16
    /// "x", "temperature" …
    public var name: String
    /// "acceleration" …, may be empty.
    public var quantity: String
    /// "m/s²" …, may be empty.
    public var unit: String
    /// The last sample of the newest row; nil before the first.
    public var value: Double?
    /// The smallest sample of that row.
    public var min: Double?
    /// The largest sample of that row.
    public var max: Double?
    /// The root mean square of that row.
    public var rms: Double?
    /// When the value was taken.
    public var time: Timestamp?
    /// How long before the database's now that was.
    public var age: Duration?
}

/// What is stored of one start of a sensor.
public struct BootRecord: Sendable, Equatable {
    /// The start.
    public var boot: Int64
    /// Frames stored.
    public var frames: Int64
    /// Frames below the highest one stored that never arrived (`sequence_gap`).
    public var missing: Int64
    /// Frames that came again and were not stored again.
    public var duplicates: Int64
    /// One above the highest sequence stored.
    public var nextSequence: Int64
    /// When its first frame was stored.
    public var firstAt: Timestamp?
}

/// What is wanted of a sensor.
public struct DesiredRecord: Sendable, Equatable {
    /// The sensor.
    public var serial: String
    /// The properties, a JSON object.
    public var json: String
    /// Grows by one with each change.
    public var version: Int64
    /// When they changed last.
    public var changedAt: Timestamp?
}

/// All that is known of a sensor: what `iotctl describe sensor` shows.
public struct SensorDetail: Sendable, Equatable {
    /// The sensor in one line.
    public var summary: SensorSummary
    /// When it was first heard of.
    public var firstSeen: Timestamp?
    /// What is wanted of it.
    public var desired: DesiredRecord
    /// What it says it has, a JSON object.
    public var reportedJSON: String
    /// Grows by one with each change of that.
    public var reportedVersion: Int64
    /// The sequence that its next frame will carry, as announced: more than was stored means loss at the tail.
    public var announcedNextSequence: Int64?
    /// By number.
    public var channels: [ChannelRecord]
    /// The newest first, at most `bootsMax`.
    public var boots: [BootRecord]
    /// The newest first, at most `commandsMax`.
    public var commands: [CommandRecord]
    /// Those that are on, the newest first.
    public var activeAlarms: [AlarmRecord]

    /// Most boots that are given.
    public static let bootsMax = 10
    /// Most commands that are given.
    public static let commandsMax = 5
}

/// What people ask the database. Each is one transaction of at most 30 s.
extension StoreConnection {
    /// The sensors of those serials that there are, or all, by serial.
    /// - Throws: `StoreError`.
    public func sensorSummaries(_ serials: [String]? = nil) throws -> [SensorSummary] {
        try transaction(timeout: .seconds(30)) { session in try session.sensorSummaries(serials) }
    }

    /// Which of those serials there are.
    /// - Throws: `StoreError`.
    public func knownSerials(among serials: [String]) throws -> Set<String> {
        try transaction(timeout: .seconds(30)) { session in
            let rows = try session.query(
                "SELECT serial FROM sensor WHERE serial = ANY($1::text[])", [.texts(serials)])
            return Set(rows.rows.compactMap { $0["serial"] })
        }
    }

    /// Serials that there are, in order, at most `countMax`.
    /// - Throws: `StoreError`.
    public func serials(countMax: Int = 100_000) throws -> [String] {
        try transaction(timeout: .seconds(30)) { session in
            let rows = try session.query(
                "SELECT serial FROM sensor ORDER BY serial LIMIT $1", [.integer(Int64(countMax))])
            return rows.rows.compactMap { $0["serial"] }
        }
    }

    /// The channels of a sensor, with their newest values.
    /// - Throws: `StoreError`.
    public func channels(of serial: String) throws -> [ChannelRecord] {
        try transaction(timeout: .seconds(30)) { session in try session.channels(of: [serial])[serial] ?? [] }
    }

    /// All that is known of a sensor; nil if there is none of that serial.
    /// - Throws: `StoreError`.
    public func sensorDetail(_ serial: String) throws -> SensorDetail? {
        try transaction(timeout: .seconds(30)) { session in try session.sensorDetail(serial) }
    }
}

// MARK: statements

extension Session {
    func sensorSummaries(_ serials: [String]?) throws -> [SensorSummary] {
        try query(
            """
            SELECT s.serial, s.kind, s.firmware, s.state, s.presence, s.tags::text AS tags, t.name AS target,
                s.boot_id, s.frames_dropped, \(microseconds("s.last_seen")) AS last_seen_us,
                l.clock, l.clock_offset_s, \(microseconds("l.newest")) AS last_value_us, \(microseconds("now()")) AS now_us,
                coalesce(CASE jsonb_typeof(s.reported->'rate_hz') WHEN 'number'
                    THEN (s.reported->>'rate_hz')::float8 END, l.rate) AS rate_hz
            FROM sensor s LEFT JOIN target t USING (target_id)
                LEFT JOIN LATERAL (SELECT max("time") AS newest, max(sample_rate_hz) AS rate,
                        (array_agg(latest.clock ORDER BY received_at DESC))[1] AS clock,
                        (array_agg(latest.clock_offset_s ORDER BY received_at DESC))[1] AS clock_offset_s
                    FROM latest WHERE latest.sensor_id = s.sensor_id) l ON true
            WHERE $1::text[] IS NULL OR s.serial = ANY($1::text[])
            ORDER BY s.serial
            """, [serials.map { .texts($0) } ?? .null]
        ).rows.map(summary)
    }

    /// The channels of sensors by serial; in the order of their numbers.
    func channels(of serials: [String]) throws -> [String: [ChannelRecord]] {
        try query(
            """
            SELECT s.serial, c.channel, c.name, c.quantity, c.unit, l.value, l.min, l.max, l.rms,
                \(microseconds("l.\"time\"")) AS time_us, \(microseconds("now()")) AS now_us
            FROM sensor s JOIN channel c USING (sensor_id) LEFT JOIN latest l USING (sensor_id, channel)
            WHERE s.serial = ANY ($1::text[]) ORDER BY c.channel
            """, [.texts(serials)]
        ).rows.reduce(into: [:]) { $0[$1.text("serial"), default: []].append(channel($1)) }
    }

    fileprivate func boots(of serial: String, countMax: Int) throws -> [BootRecord] {
        try query(
            """
            SELECT b.boot_id, b.frames, b.duplicates, b.next_sequence, \(microseconds("b.first_at")) AS first_us,
                coalesce((SELECT sum(g.missing) FROM sequence_gap g
                    WHERE g.sensor_id = b.sensor_id AND g.boot_id = b.boot_id), 0)::bigint AS missing
            FROM sensor s JOIN sensor_boot b USING (sensor_id)
            WHERE s.serial = $1 ORDER BY b.boot_id DESC LIMIT $2
            """, [.text(serial), .integer(Int64(countMax))]
        ).rows.map(boot)
    }

    fileprivate func sensorDetail(_ serial: String) throws -> SensorDetail? {
        let twin = try query(
            """
            SELECT serial, desired::text AS desired, desired_version, reported::text AS reported, reported_version,
                next_sequence, \(microseconds("desired_changed_at")) AS desired_changed_us,
                \(microseconds("first_seen")) AS first_seen_us
            FROM sensor WHERE serial = $1
            """, [.text(serial)])
        guard let row = twin.first, let summary = try sensorSummaries([serial]).first else { return nil }
        return SensorDetail(
            summary: summary, firstSeen: row.time("first_seen_us"), desired: desired(row),
            reportedJSON: row["reported"] ?? "{}", reportedVersion: row.integer("reported_version") ?? 0,
            announcedNextSequence: row.integer("next_sequence"), channels: try channels(of: [serial])[serial] ?? [],
            boots: try boots(of: serial, countMax: SensorDetail.bootsMax),
            commands: try commands(
                CommandFilter(serials: [serial], countMax: SensorDetail.commandsMax)),
            activeAlarms: try alarms(AlarmFilter(activeOnly: true, serials: [serial])))
    }
}

// MARK: rows

private func summary(_ row: Rows.Row) -> SensorSummary {
    SensorSummary(
        serial: row.text("serial"), kind: row.text("kind"), firmware: row.text("firmware"), state: row.text("state"),
        presence: row.text("presence"), rate: row.double("rate_hz").flatMap(SampleRate.init),
        lastSeen: row.time("last_seen_us"), lastSeenAge: row.age("last_seen_us"),
        lastValue: row.time("last_value_us"), lastValueAge: row.age("last_value_us"),
        clock: row.integer("clock").flatMap { ClockVerdict(rawValue: Int16($0)) },
        clockOffsetSeconds: row.double("clock_offset_s"), target: row["target"],
        tagsJSON: row["tags"] ?? "{}", boot: row.integer("boot_id"), framesDropped: row.integer("frames_dropped"))
}

private func channel(_ row: Rows.Row) -> ChannelRecord {
    ChannelRecord(
        channel: Int16(clamping: row.integer("channel") ?? 0), name: row.text("name"), quantity: row.text("quantity"),
        unit: row.text("unit"), value: row.double("value"), min: row.double("min"), max: row.double("max"),
        rms: row.double("rms"), time: row.time("time_us"), age: row.age("time_us"))
}

private func boot(_ row: Rows.Row) -> BootRecord {
    BootRecord(
        boot: row.integer("boot_id") ?? 0, frames: row.integer("frames") ?? 0, missing: row.integer("missing") ?? 0,
        duplicates: row.integer("duplicates") ?? 0, nextSequence: row.integer("next_sequence") ?? 0,
        firstAt: row.time("first_us"))
}

/// Of the columns of `desired`.
func desired(_ row: Rows.Row) -> DesiredRecord {
    DesiredRecord(
        serial: row.text("serial"), json: row["desired"] ?? "{}", version: row.integer("desired_version") ?? 0,
        changedAt: row.time("desired_changed_us"))
}
