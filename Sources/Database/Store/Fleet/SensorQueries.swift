public import Model
public import Postgres
public import Time

/// A sensor's summary, as `iotctl get sensors` shows it.
public struct SensorSummary: Sendable, Equatable {
    /// Its serial number.
    public var serial: String
    /// The kind, such as "vibration" or "climate"; empty until the sensor has announced itself.
    public var kind: String
    /// The firmware as announced; empty until then.
    public var firmware: String
    /// The operating state: `unknown`, `awake`, `asleep` or `stopped`.
    public var state: String
    /// The presence: `unknown`, `online`, `lost` or `offline`.
    public var presence: String
    /// The sample rate as reported, otherwise that of its newest samples; nil if neither is known.
    public var rate: SampleRate?
    /// When its newest message arrived at the broker: an announcement, an answer, a Last Will or a stored value.
    public var lastSeen: Timestamp?
    /// The time since then, by the database's clock.
    public var lastSeenAge: Duration?
    /// When its newest value was measured, by its own clock where that can be trusted.
    public var lastValue: Timestamp?
    /// The age of that value, by the database's clock.
    public var lastValueAge: Duration?
    /// The verdict on its clock when its newest frame arrived; nil before the first.
    public var clock: ClockVerdict?
    /// How far its clock is ahead of the broker's, in seconds, minus the transit time of that frame: negative for a
    /// correct clock. Nil: the sensor has no clock.
    public var clockOffsetSeconds: Double?
    /// The machine that carries it.
    public var target: String?
    /// Its tags, a JSON object.
    public var tagsJSON: String
    /// The boot that its newest announcement belongs to.
    public var boot: Int64?
    /// The number of frames that the sensor dropped in that boot, as announced.
    public var framesDropped: Int64?
    /// The newest values of its channels by the channels' names; in a brief summary only the first, and without its time.
    public var values: [ChannelValue] = []
    /// The number of channels that have a value.
    public var valueCount: Int64 = 0
    /// The name of its place, as the sensor reports it (`location.name`).
    public var place: String?
    /// Its position, as its frames said last.
    public var position: GeoPosition?

    /// How much of sensors is read.
    public enum Extent: Sendable {
        /// Everything.
        case full
        /// What a line of a list shows: serial number, kind, state, presence, rate, time of the newest message, name of the
        /// place, and the value of the first channel by name. The rest is nil or empty. Half the database's work.
        case brief
    }
}

/// The newest value of a channel.
public struct ChannelValue: Sendable, Equatable {
    /// The channel's number in frames.
    public var channel: Int16
    /// The channel's name; its number if no name is known.
    public var name: String
    /// The unit; empty if none is known.
    public var unit: String
    /// The last sample of the newest row, in `unit`.
    public var value: Double?
    /// When the value was measured.
    public var time: Timestamp?
    /// The time since then, by the database's clock.
    public var age: Duration?
}

/// A channel and its newest value.
public struct ChannelRecord: Sendable, Equatable {
    /// Its number in frames.
    public var channel: Int16
    /// The name, such as "x" or "temperature".
    public var name: String
    /// The quantity, such as "acceleration"; may be empty.
    public var quantity: String
    /// The unit, such as "m/s²"; may be empty.
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
    /// The age of that value, by the database's clock.
    public var age: Duration?
}

/// What is stored of one boot of a sensor.
public struct BootRecord: Sendable, Equatable {
    /// The boot's number.
    public var boot: Int64
    /// The number of stored frames.
    public var frames: Int64
    /// The number of frames below the highest stored one that never arrived (`sequence_gap`).
    public var missing: Int64
    /// The number of frames that arrived again and were not stored again.
    public var duplicates: Int64
    /// One above the highest sequence stored.
    public var nextSequence: Int64
    /// When its first frame was stored.
    public var firstAt: Timestamp?
}

/// The desired properties of a sensor.
public struct DesiredRecord: Sendable, Equatable {
    /// The sensor.
    public var serial: String
    /// The properties, a JSON object.
    public var json: String
    /// The version; grows by one with each change.
    public var version: Int64
    /// When the properties last changed.
    public var changedAt: Timestamp?
}

/// Everything that is known of a sensor, as `iotctl describe sensor` shows it.
public struct SensorDetail: Sendable, Equatable {
    /// The sensor's summary.
    public var summary: SensorSummary
    /// When the registry first received a message from it.
    public var firstSeen: Timestamp?
    /// The desired properties.
    public var desired: DesiredRecord
    /// The reported properties, a JSON object.
    public var reportedJSON: String
    /// The version of the reported properties; grows by one with each change.
    public var reportedVersion: Int64
    /// The sequence number that its next frame will carry, as announced: a higher number than was stored means that the
    /// newest frames are missing.
    public var announcedNextSequence: Int64?
    /// The channels, by number.
    public var channels: [ChannelRecord]
    /// The boots, newest first, at most `bootsMax`.
    public var boots: [BootRecord]
    /// The commands, newest first, at most `commandsMax`.
    public var commands: [CommandRecord]
    /// The active alarms, newest first.
    public var activeAlarms: [AlarmRecord]

    /// The maximum number of boots returned.
    public static let bootsMax = 10
    /// The maximum number of commands returned.
    public static let commandsMax = 5
}

/// Queries about sensors. Each is one transaction of at most 30 s.
extension StoreConnection {
    /// Reads the sensors that exist among these serial numbers, or all, by serial number. Deleted ones are left out, as in
    /// all lists.
    /// - Throws: `StoreError`.
    public func sensorSummaries(
        _ serials: [String]? = nil, _ extent: SensorSummary.Extent = .full
    ) throws -> [SensorSummary] {
        try transaction(timeout: .seconds(30)) { session in try session.sensorSummaries(serials, extent) }
    }

    /// Reads existing serial numbers, in order, at most `countMax`.
    /// - Throws: `StoreError`.
    public func serials(countMax: Int = 100_000) throws -> [String] {
        try transaction(timeout: .seconds(30)) { session in
            try session.fetch("SELECT serial FROM sensor WHERE deleted_at IS NULL ORDER BY serial LIMIT \(countMax)")
                .map { try $0.text("serial") }
        }
    }

    /// Reads the channels of a sensor, with their newest values.
    /// - Throws: `StoreError`.
    public func channels(of serial: String) throws -> [ChannelRecord] {
        try transaction(timeout: .seconds(30)) { session in try session.channels(of: [serial])[serial] ?? [] }
    }

    /// Reads the channels of sensors by serial number, with their newest values.
    /// - Throws: `StoreError`.
    public func channels(of serials: [String]) throws -> [String: [ChannelRecord]] {
        try transaction(timeout: .seconds(30)) { session in try session.channels(of: serials) }
    }

    /// Reads everything that is known of a sensor; nil if there is no such sensor.
    /// - Throws: `StoreError`.
    public func sensorDetail(_ serial: String) throws -> SensorDetail? {
        try transaction(timeout: .seconds(30)) { session in try session.sensorDetail(serial) }
    }
}

// MARK: statements

extension Session {
    func sensorSummaries(_ serials: [String]?, _ extent: SensorSummary.Extent) throws -> [SensorSummary] {
        switch extent {
        case .full: try fullSummaries(serials)
        case .brief: try briefSummaries(serials)
        }
    }

    /// The condition on `sensor_id` for these serial numbers, or for all sensors.
    private func isAmong(_ serials: [String]?) -> SQL {
        guard let serials else { return "true" }
        return "sensor_id IN (SELECT sensor_id FROM sensor WHERE serial = ANY (\(serials)::text[]))"
    }

    private func briefSummaries(_ serials: [String]?) throws -> [SensorSummary] {
        try fetch(
            """
            SELECT s.serial, s.kind, s.state, s.presence, \(microseconds("greatest(s.last_seen, l.arrived)")) AS last_seen_us,
                \(reportedRate) AS rate_hz, l.channels, l.channel, l.name, l.unit, l.value, NULL AS time_us,
                (SELECT \(microseconds("now()"))) AS now_us, s.reported #>> '{location,name}' AS place
            FROM sensor s
                LEFT JOIN (SELECT sensor_id, max(received_at) AS arrived, max(sample_rate_hz) AS rate,
                        count(*) AS channels, min(name) AS name, first(channel, name) AS channel,
                        first(unit, name) AS unit, first(value, name) AS value
                    FROM (SELECT latest.*, coalesce(c.name, channel::text) AS name, coalesce(c.unit, '') AS unit
                        FROM latest LEFT JOIN channel c USING (sensor_id, channel) WHERE \(isAmong(serials))) named
                    GROUP BY sensor_id) l USING (sensor_id)
            WHERE s.deleted_at IS NULL \(ifPresent: serials, { "AND s.serial = ANY (\($0)::text[])" })
            ORDER BY s.serial
            """
        ).map(briefSummary)
    }

    private func fullSummaries(_ serials: [String]?) throws -> [SensorSummary] {
        var summaries = try fetch(
            """
            SELECT s.serial, s.kind, s.firmware, s.state, s.presence, s.tags::text AS tags, t.name AS target,
                s.boot_id, s.frames_dropped, \(microseconds("greatest(s.last_seen, l.arrived)")) AS last_seen_us,
                l.clock, l.clock_offset_s, \(microseconds("l.newest")) AS last_value_us,
                \(reportedRate) AS rate_hz, (SELECT \(microseconds("now()"))) AS now_us,
                s.reported #>> '{location,name}' AS place, p.latitude, p.longitude, p.altitude
            FROM sensor s LEFT JOIN target t USING (target_id) LEFT JOIN place p USING (sensor_id)
                LEFT JOIN (SELECT sensor_id, max("time") AS newest, max(received_at) AS arrived,
                        max(sample_rate_hz) AS rate, last(clock, received_at) AS clock,
                        last(clock_offset_s, received_at) AS clock_offset_s
                    FROM latest WHERE \(isAmong(serials)) GROUP BY sensor_id) l USING (sensor_id)
            WHERE s.deleted_at IS NULL \(ifPresent: serials, { "AND s.serial = ANY (\($0)::text[])" })
            ORDER BY s.serial
            """
        ).map(summary)
        let values = try fetch(
            """
            SELECT s.serial, channel, coalesce(c.name, channel::text) AS name, coalesce(c.unit, '') AS unit, v.value,
                \(microseconds("v.\"time\"")) AS time_us, (SELECT \(microseconds("now()"))) AS now_us
            FROM latest v JOIN sensor s USING (sensor_id) LEFT JOIN channel c USING (sensor_id, channel)
            WHERE \(isAmong(serials)) ORDER BY name
            """
        ).reduce(into: [String: [ChannelValue]]()) {
            $0[try $1.text("serial"), default: []].append(try value($1))
        }
        for index in summaries.indices {
            summaries[index].values = values[summaries[index].serial] ?? []
            summaries[index].valueCount = Int64(summaries[index].values.count)
        }
        return summaries
    }

    /// The channels of sensors by serial number; each sensor's in the order of their numbers.
    func channels(of serials: [String]) throws -> [String: [ChannelRecord]] {
        try fetch(
            """
            SELECT s.serial, c.channel, c.name, c.quantity, c.unit, l.value, l.min, l.max, l.rms,
                \(microseconds("l.\"time\"")) AS time_us, \(microseconds("now()")) AS now_us
            FROM sensor s JOIN channel c USING (sensor_id) LEFT JOIN latest l USING (sensor_id, channel)
            WHERE s.serial = ANY (\(serials)::text[]) ORDER BY c.channel
            """
        ).reduce(into: [:]) { $0[try $1.text("serial"), default: []].append(try channel($1)) }
    }

    fileprivate func boots(of serial: String, countMax: Int) throws -> [BootRecord] {
        try fetch(
            """
            SELECT b.boot_id, b.frames, b.duplicates, b.next_sequence, \(microseconds("b.first_at")) AS first_us,
                coalesce((SELECT sum(g.missing) FROM sequence_gap g
                    WHERE g.sensor_id = b.sensor_id AND g.boot_id = b.boot_id), 0)::bigint AS missing
            FROM sensor s JOIN sensor_boot b USING (sensor_id)
            WHERE s.serial = \(serial) ORDER BY b.boot_id DESC LIMIT \(countMax)
            """
        ).map(boot)
    }

    fileprivate func sensorDetail(_ serial: String) throws -> SensorDetail? {
        let twin = try fetch(
            """
            SELECT serial, desired::text AS desired, desired_version, reported::text AS reported, reported_version,
                next_sequence, \(microseconds("desired_changed_at")) AS desired_changed_us,
                \(microseconds("first_seen")) AS first_seen_us
            FROM sensor WHERE serial = \(serial)
            """)
        guard let row = twin.first, let summary = try sensorSummaries([serial], .full).first
        else { return nil }
        return SensorDetail(
            summary: summary, firstSeen: try row.time("first_seen_us"), desired: try desired(row),
            reportedJSON: try row.text("reported"), reportedVersion: try row.integer("reported_version"),
            announcedNextSequence: try row.optionalInteger("next_sequence"),
            channels: try channels(of: [serial])[serial] ?? [],
            boots: try boots(of: serial, countMax: SensorDetail.bootsMax),
            commands: try commands(
                CommandFilter(serials: [serial], countMax: SensorDetail.commandsMax)),
            activeAlarms: try alarms(AlarmFilter(activeOnly: true, serials: [serial])))
    }
}

/// The sample rate of a sensor `s` as it reports it, otherwise that of its newest values `l`. Not everything that a sensor
/// reports as its rate is a number.
private let reportedRate: SQL = """
    coalesce(CASE jsonb_typeof(s.reported->'rate_hz') WHEN 'number' THEN (s.reported->>'rate_hz')::float8 END, l.rate)
    """

// MARK: rows

private func briefSummary(_ row: Row) throws -> SensorSummary {
    SensorSummary(
        serial: try row.text("serial"), kind: try row.text("kind"), firmware: "", state: try row.text("state"),
        presence: try row.text("presence"), rate: try row.optionalDouble("rate_hz").flatMap(SampleRate.init),
        lastSeen: try row.optionalTime("last_seen_us"), lastSeenAge: try row.optionalAge("last_seen_us"),
        tagsJSON: "{}", values: try row.optionalText("name") == nil ? [] : [value(row)],
        valueCount: try row.optionalInteger("channels") ?? 0, place: try row.optionalText("place"))
}

private func summary(_ row: Row) throws -> SensorSummary {
    SensorSummary(
        serial: try row.text("serial"), kind: try row.text("kind"), firmware: try row.text("firmware"),
        state: try row.text("state"), presence: try row.text("presence"),
        // Not every number that a sensor reports is a rate.
        rate: try row.optionalDouble("rate_hz").flatMap(SampleRate.init),
        lastSeen: try row.optionalTime("last_seen_us"), lastSeenAge: try row.optionalAge("last_seen_us"),
        lastValue: try row.optionalTime("last_value_us"), lastValueAge: try row.optionalAge("last_value_us"),
        clock: try row.optionalValue("clock"), clockOffsetSeconds: try row.optionalDouble("clock_offset_s"),
        target: try row.optionalText("target"), tagsJSON: try row.text("tags"),
        boot: try row.optionalInteger("boot_id"), framesDropped: try row.optionalInteger("frames_dropped"),
        place: try row.optionalText("place"), position: try position(row))
}

private func value(_ row: Row) throws -> ChannelValue {
    ChannelValue(
        channel: try row.integer("channel", as: Int16.self), name: try row.text("name"), unit: try row.text("unit"),
        value: try row.optionalDouble("value"), time: try row.optionalTime("time_us"),
        age: try row.optionalAge("time_us"))
}

private func position(_ row: Row) throws -> GeoPosition? {
    guard let latitude = try row.optionalDouble("latitude"), let longitude = try row.optionalDouble("longitude"),
        let altitude = try row.optionalDouble("altitude")
    else { return nil }
    return GeoPosition(latitude: latitude, longitude: longitude, altitude: altitude)
}

private func channel(_ row: Row) throws -> ChannelRecord {
    ChannelRecord(
        channel: try row.integer("channel", as: Int16.self), name: try row.text("name"),
        quantity: try row.text("quantity"), unit: try row.text("unit"), value: try row.optionalDouble("value"),
        min: try row.optionalDouble("min"), max: try row.optionalDouble("max"), rms: try row.optionalDouble("rms"),
        time: try row.optionalTime("time_us"), age: try row.optionalAge("time_us"))
}

private func boot(_ row: Row) throws -> BootRecord {
    BootRecord(
        boot: try row.integer("boot_id"), frames: try row.integer("frames"), missing: try row.integer("missing"),
        duplicates: try row.integer("duplicates"), nextSequence: try row.integer("next_sequence"),
        firstAt: try row.time("first_us"))
}

/// Decodes the columns of `desired`.
func desired(_ row: Row) throws -> DesiredRecord {
    DesiredRecord(
        serial: try row.text("serial"), json: try row.text("desired"), version: try row.integer("desired_version"),
        changedAt: try row.optionalTime("desired_changed_us"))
}
