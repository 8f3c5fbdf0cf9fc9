internal import Model
public import Store
public import Time

/// The summary of a sensor (docs/iotctl-json.md, "sensor").
public struct SensorView: Codable, Sendable, Equatable {
    /// The sensor's serial number.
    public var serial: String
    /// The kind, such as "vibration" or "climate"; empty until the sensor has announced itself.
    public var kind: String
    /// The state: `unknown`, `awake`, `asleep` or `stopped`.
    public var state: String
    /// The presence: `unknown`, `online`, `lost` or `offline`.
    public var presence: String
    /// The sample rate in Hz; nil if it is not known.
    public var rateHz: Double?
    /// When the newest message of the sensor arrived at the broker: an announcement, an answer, a Last Will or a stored
    /// value.
    public var lastSeen: Timestamp?
    /// Seconds since `lastSeen` by the database's clock, to the millisecond.
    public var lastSeenAgeSeconds: Double?
    /// When the newest stored value was measured, by the sensor's clock where that can be trusted.
    public var lastValue: Timestamp?
    /// Seconds since `lastValue` by the database's clock, to the millisecond.
    public var lastValueAgeSeconds: Double?
    /// The firmware's version as announced; empty until then.
    public var firmware: String
    /// The machine that carries the sensor; nil if none does.
    public var target: String?
    /// The sensor's tags as an object.
    public var tags: JSONValue
    /// The boot of the newest announcement.
    public var bootID: Int64?
    /// Number of frames that the sensor itself dropped in that boot.
    public var framesDropped: Int64?
    /// `ok`, or the reason why the time of arrival was stored for the newest frame: `future`, `past`, `none`.
    public var clock: String?
    /// Seconds by which the sensor's clock is ahead of the broker's, minus the transit time of its newest frame.
    public var clockOffsetSeconds: Double?
    /// The newest values of the channels, by name.
    public var values: [ChannelValueView]
    /// The name of the sensor's place, as it reports it.
    public var place: String?
    /// The sensor's position, as its frames said last.
    public var position: PositionView?

    private enum CodingKeys: String, CodingKey {
        case serial, kind, state, presence
        case rateHz = "rate_hz"
        case lastSeen = "last_seen"
        case lastSeenAgeSeconds = "last_seen_age_s"
        case lastValue = "last_value"
        case lastValueAgeSeconds = "last_value_age_s"
        case firmware, target, tags
        case bootID = "boot_id"
        case framesDropped = "frames_dropped"
        case clock
        case clockOffsetSeconds = "clock_offset_s"
        case values, place, position
    }
}

extension SensorView {
    /// The view of a stored sensor.
    public init(_ summary: SensorSummary) {
        self.init(
            serial: summary.serial, kind: summary.kind, state: summary.state, presence: summary.presence,
            rateHz: summary.rate?.hertz, lastSeen: summary.lastSeen,
            lastSeenAgeSeconds: summary.lastSeenAge?.secondsToMillisecond, lastValue: summary.lastValue,
            lastValueAgeSeconds: summary.lastValueAge?.secondsToMillisecond, firmware: summary.firmware,
            target: summary.target, tags: JSONValue(json: summary.tagsJSON) ?? .null, bootID: summary.boot,
            framesDropped: summary.framesDropped, clock: summary.clock.map { "\($0)" },
            clockOffsetSeconds: summary.clockOffsetSeconds, values: summary.values.map(ChannelValueView.init),
            place: summary.place, position: summary.position.map(PositionView.init))
    }
}
