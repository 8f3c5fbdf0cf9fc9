public import Model
public import Postgres
public import Time

/// A stored line of a sensor's log.
public struct LogRecord: Sendable, Equatable {
    /// When the sensor wrote the line, by its clock where that can be trusted.
    public var time: Timestamp?
    /// The broker's timestamp.
    public var receivedAt: Timestamp?
    /// The sensor.
    public var serial: String
    /// The boot of the sensor.
    public var boot: Int64
    /// The severity.
    public var level: LogLine.Level
    /// The message.
    public var text: String

    /// A line with these fields.
    public init(
        time: Timestamp?, receivedAt: Timestamp?, serial: String, boot: Int64, level: LogLine.Level, text: String
    ) {
        self.time = time
        self.receivedAt = receivedAt
        self.serial = serial
        self.boot = boot
        self.level = level
        self.text = text
    }
}

/// Selects log lines.
public struct LogFilter: Sendable {
    /// The sensors.
    public var serials: [String]
    /// Only lines of this time before the database's clock; nil: all.
    public var within: Duration?
    /// Only lines of this severity or higher.
    public var levelMin: LogLine.Level
    /// The maximum number of lines of all the sensors together; the newest are read.
    public var countMax: Int

    /// A filter with these conditions.
    public init(serials: [String], within: Duration? = nil, levelMin: LogLine.Level = .debug, countMax: Int = 100) {
        self.serials = serials
        self.within = within
        self.levelMin = levelMin
        self.countMax = countMax
    }
}

extension StoreConnection {
    /// Reads the newest lines of sensors' logs, in the order in which they were written.
    /// - Throws: `StoreError`.
    public func logs(_ filter: LogFilter) throws -> [LogRecord] {
        try transaction(timeout: .seconds(30)) { session in
            // A look-up in the index for each sensor: (sensor_id, time).
            try session.fetch(
                """
                SELECT s.serial, \(microseconds("l.\"time\"")) AS time_us,
                    \(microseconds("l.received_at")) AS received_us, l.boot_id, l.level, l.text
                FROM sensor s CROSS JOIN LATERAL (
                    SELECT * FROM sensor_log n
                    WHERE n.sensor_id = s.sensor_id AND n.level >= \(filter.levelMin)
                        \(ifPresent: filter.within, { "AND n.\"time\" >= now() - make_interval(secs => \($0.seconds))" })
                    ORDER BY n."time" DESC, n.received_at DESC LIMIT \(filter.countMax)) l
                WHERE s.serial = ANY (\(filter.serials)::text[])
                ORDER BY l."time" DESC, l.received_at DESC LIMIT \(filter.countMax)
                """
            ).reversed().map { row in
                LogRecord(
                    time: try row.time("time_us"), receivedAt: try row.time("received_us"),
                    serial: try row.text("serial"),
                    boot: try row.integer("boot_id"), level: try row.value("level"), text: try row.text("text"))
            }
        }
    }
}
