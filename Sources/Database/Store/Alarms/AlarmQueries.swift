public import Postgres
public import Time

/// An alarm from its trigger to its clear.
public struct AlarmRecord: Sendable, Equatable {
    /// Its id, as in the messages.
    public var id: String
    /// The sensor.
    public var serial: String
    /// The channel's number.
    public var channel: Int16
    /// The channel's name; empty if the alarm concerns the whole sensor, nil if the sensor never announced one.
    public var channelName: String?
    /// The channel's unit; empty if the sensor never announced one.
    public var unit: String
    /// The rule that raised it, such as "limit:temperature:high".
    public var rule: String
    /// The time of the samples that raised it; nil if only the clear has arrived yet.
    public var raisedAt: Timestamp?
    /// The time of the samples that cleared it; nil while it is active.
    public var clearedAt: Timestamp?
    /// The value that raised it.
    public var value: Double?
    /// The limit that it crossed.
    public var limit: Double?
    /// The value that cleared it.
    public var clearValue: Double?
    /// Why it was cleared: `sensor_deleted`; nil: its samples cleared it, or it is active.
    public var clearCause: String?
    /// A description of one sentence.
    public var text: String

    /// Whether the alarm is active.
    public var isActive: Bool { clearedAt == nil }
}

/// Selects alarms.
public struct AlarmFilter: Sendable {
    /// Whether to read only active alarms.
    public var activeOnly: Bool
    /// Whether to read only cleared alarms.
    public var clearedOnly: Bool
    /// Only alarms that were raised or cleared within this time before the database's clock; nil: all.
    public var within: Duration?
    /// Only alarms of these sensors; nil: of all sensors.
    public var serials: [String]?
    /// The maximum number of alarms; the newest are read.
    public var countMax: Int

    /// A filter with these conditions.
    public init(
        activeOnly: Bool = false, clearedOnly: Bool = false, within: Duration? = nil, serials: [String]? = nil,
        countMax: Int = 1000
    ) {
        self.activeOnly = activeOnly
        self.clearedOnly = clearedOnly
        self.within = within
        self.serials = serials
        self.countMax = countMax
    }
}

extension StoreConnection {
    /// Reads alarms, newest first.
    /// - Throws: `StoreError`.
    public func alarms(_ filter: AlarmFilter) throws -> [AlarmRecord] {
        try transaction(timeout: .seconds(30)) { session in try session.alarms(filter) }
    }
}

// MARK: statements

extension Session {
    func alarms(_ filter: AlarmFilter) throws -> [AlarmRecord] {
        let isWanted: SQL = """
            (NOT \(filter.activeOnly)::boolean OR cleared_at IS NULL)
            AND (NOT \(filter.clearedOnly)::boolean OR cleared_at IS NOT NULL)
            \(ifPresent: filter.within, {
                "AND greatest(raised_at, cleared_at) >= now() - make_interval(secs => \($0.seconds))"
            })
            \(ifPresent: filter.serials, {
                "AND sensor_id = ANY (ARRAY (SELECT sensor_id FROM sensor WHERE serial = ANY (\($0)::text[])))"
            })
            """
        // An alarm that has only its clear so far is rare, and the others are read by the index on raised_at.
        return try fetch(
            """
            SELECT a.alarm_id, s.serial, a.channel, a.rule, a.value,
                -- Since step 9 an alarm without a channel's name concerns the whole sensor.
                CASE WHEN a.stream IS NULL THEN c.name ELSE coalesce(a.judged_channel, '') END AS name,
                coalesce(a.judged_unit, c.unit, '') AS unit,
                a.limit_value, a.clear_value, a.clear_cause, a.text,
                \(microseconds("a.raised_at")) AS raised_us, \(microseconds("a.cleared_at")) AS cleared_us
            FROM ((SELECT * FROM alarm WHERE raised_at IS NOT NULL AND \(isWanted)
                    ORDER BY raised_at DESC, alarm_id LIMIT \(filter.countMax))
                UNION ALL
                (SELECT * FROM alarm WHERE raised_at IS NULL AND \(isWanted)
                    ORDER BY cleared_at DESC, alarm_id LIMIT \(filter.countMax))) a
                JOIN sensor s USING (sensor_id) LEFT JOIN channel c USING (sensor_id, channel)
            ORDER BY coalesce(a.raised_at, a.cleared_at) DESC, a.alarm_id LIMIT \(filter.countMax)
            """
        ).map(alarm)
    }
}

// MARK: rows

private func alarm(_ row: Row) throws -> AlarmRecord {
    AlarmRecord(
        id: try row.text("alarm_id"), serial: try row.text("serial"),
        channel: try row.integer("channel", as: Int16.self), channelName: try row.optionalText("name"),
        unit: try row.text("unit"), rule: try row.text("rule"), raisedAt: try row.optionalTime("raised_us"),
        clearedAt: try row.optionalTime("cleared_us"), value: try row.optionalDouble("value"),
        limit: try row.optionalDouble("limit_value"), clearValue: try row.optionalDouble("clear_value"),
        clearCause: try row.optionalText("clear_cause"), text: try row.text("text"))
}
