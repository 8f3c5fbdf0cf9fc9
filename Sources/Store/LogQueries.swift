public import Sensors

/// A stored line of a sensor's log.
public struct LogRecord: Sendable, Equatable {
    /// When it was written, by the sensor's clock where that can be trusted.
    public var time: Timestamp?
    /// The broker's stamp.
    public var receivedAt: Timestamp?
    /// The sensor.
    public var serial: String
    /// The start of the sensor.
    public var boot: Int64
    /// How grave.
    public var level: LogLine.Level
    /// What it says.
    public var text: String

    /// A line of these parts.
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

/// Which lines.
public struct LogFilter: Sendable {
    /// The sensor.
    public var serial: String
    /// Only those of this time before the database's now; nil: all.
    public var within: Duration?
    /// Only those as grave as this, or graver.
    public var levelMin: LogLine.Level
    /// At most so many, the newest.
    public var countMax: Int

    /// Those.
    public init(serial: String, within: Duration? = nil, levelMin: LogLine.Level = .debug, countMax: Int = 100) {
        self.serial = serial
        self.within = within
        self.levelMin = levelMin
        self.countMax = countMax
    }
}

extension StoreConnection {
    /// Lines of a sensor's log: the newest, in the order they were written.
    /// - Throws: `StoreError`.
    public func logs(_ filter: LogFilter) throws -> [LogRecord] {
        try transaction(timeout: .seconds(30)) { session in
            try session.query(
                """
                SELECT \(microseconds("l.\"time\"")) AS time_us, \(microseconds("l.received_at")) AS received_us,
                    l.boot_id, l.level, l.text
                FROM sensor_log l
                WHERE l.sensor_id = (SELECT sensor_id FROM sensor WHERE serial = $1) AND l.level >= $2
                    AND ($3::float8 IS NULL OR l."time" >= now() - make_interval(secs => $3::float8))
                ORDER BY l."time" DESC, l.received_at DESC LIMIT $4
                """,
                [
                    .text(filter.serial), .integer(Int64(filter.levelMin.rawValue)), .double(filter.within?.seconds),
                    .integer(Int64(filter.countMax)),
                ]
            ).rows.reversed().map { row in
                LogRecord(
                    time: row.time("time_us"), receivedAt: row.time("received_us"), serial: filter.serial,
                    boot: row.integer("boot_id") ?? 0,
                    level: row.integer("level").flatMap { LogLine.Level(rawValue: Int16($0)) } ?? .debug,
                    text: row.text("text"))
            }
        }
    }
}
