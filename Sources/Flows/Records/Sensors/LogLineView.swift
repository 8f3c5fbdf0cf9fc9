internal import Model
public import Store
public import Time

/// A line of a sensor's log (docs/iotctl-json.md, "log line").
public struct LogLineView: Codable, Sendable, Equatable {
    /// When the line was written, by the sensor's clock if it is trusted.
    public var time: Timestamp?
    /// When the broker received the line.
    public var receivedAt: Timestamp?
    /// The sensor's serial number.
    public var sensor: String
    /// The sensor's boot.
    public var bootID: Int64
    /// The level: `debug`, `info`, `warning` or `error`.
    public var level: String
    /// The line's text.
    public var text: String

    private enum CodingKeys: String, CodingKey {
        case time
        case receivedAt = "received_at"
        case sensor
        case bootID = "boot_id"
        case level, text
    }
}

extension LogLineView {
    /// The view of a stored line.
    public init(_ record: LogRecord) {
        self.init(
            time: record.time, receivedAt: record.receivedAt, sensor: record.serial, bootID: record.boot,
            level: "\(record.level)", text: record.text)
    }
}
