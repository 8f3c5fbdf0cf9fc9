public import Sensors

/// An alarm from its trigger to its clear.
public struct AlarmRecord: Sendable, Equatable {
    /// Its id, as in the messages.
    public var id: String
    /// The sensor.
    public var serial: String
    /// The channel's number.
    public var channel: Int16
    /// The channel's name; nil if nobody announced one.
    public var channelName: String?
    /// The channel's unit; empty if nobody announced one.
    public var unit: String
    /// "limit:temperature:high".
    public var rule: String
    /// The time of the samples that raised it; nil while only the clear has come.
    public var raisedAt: Timestamp?
    /// The time of the samples that cleared it; nil while it is on.
    public var clearedAt: Timestamp?
    /// The value that raised it.
    public var value: Double?
    /// The limit that it crossed.
    public var limit: Double?
    /// The value that cleared it.
    public var clearValue: Double?
    /// One sentence for people.
    public var text: String

    /// Whether it is on.
    public var isActive: Bool { clearedAt == nil }
}

/// Which alarms.
public struct AlarmFilter: Sendable {
    /// Only those that are on.
    public var activeOnly: Bool
    /// Only those that were raised or cleared within this time before the database's now; nil: all.
    public var within: Duration?
    /// Only those of these sensors; nil: of all.
    public var serials: [String]?
    /// At most so many, the newest.
    public var countMax: Int

    /// Those.
    public init(activeOnly: Bool = false, within: Duration? = nil, serials: [String]? = nil, countMax: Int = 1000) {
        self.activeOnly = activeOnly
        self.within = within
        self.serials = serials
        self.countMax = countMax
    }
}

extension StoreConnection {
    /// Alarms, the newest first.
    /// - Throws: `StoreError`.
    public func alarms(_ filter: AlarmFilter) throws -> [AlarmRecord] {
        try transaction(timeout: .seconds(30)) { session in try session.alarms(filter) }
    }
}

// MARK: statements

extension Session {
    func alarms(_ filter: AlarmFilter) throws -> [AlarmRecord] {
        try query(
            """
            SELECT a.alarm_id, s.serial, a.channel, c.name, coalesce(c.unit, '') AS unit, a.rule, a.value,
                a.limit_value, a.clear_value, a.text,
                \(microseconds("a.raised_at")) AS raised_us, \(microseconds("a.cleared_at")) AS cleared_us
            FROM alarm a JOIN sensor s USING (sensor_id) LEFT JOIN channel c USING (sensor_id, channel)
            WHERE (NOT $1::boolean OR a.cleared_at IS NULL)
                AND ($2::float8 IS NULL
                    OR greatest(a.raised_at, a.cleared_at) >= now() - make_interval(secs => $2::float8))
                AND ($3::text[] IS NULL OR s.serial = ANY ($3::text[]))
            ORDER BY coalesce(a.raised_at, a.cleared_at) DESC, a.alarm_id LIMIT $4
            """,
            [
                .flag(filter.activeOnly), .double(filter.within?.seconds),
                filter.serials.map { .texts($0) } ?? .null, .integer(Int64(filter.countMax)),
            ]
        ).rows.map(alarm)
    }
}

// MARK: rows

private func alarm(_ row: Rows.Row) -> AlarmRecord {
    AlarmRecord(
        id: row.text("alarm_id"), serial: row.text("serial"), channel: Int16(clamping: row.integer("channel") ?? 0),
        channelName: row["name"], unit: row.text("unit"), rule: row.text("rule"), raisedAt: row.time("raised_us"),
        clearedAt: row.time("cleared_us"), value: row.double("value"), limit: row.double("limit_value"),
        clearValue: row.double("clear_value"), text: row.text("text"))
}
