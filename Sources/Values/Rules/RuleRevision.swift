/// All rules and limits as of one moment, with selectors resolved: an immutable value with a number that grows.
///
/// The resolver makes it from rules, limits, tags and channels in the database. Every evaluator that adopts the revisions of
/// a stream in their order comes to the same transitions.
public struct RuleRevision: Sendable, Equatable, Codable {
    /// A channel of a sensor.
    public struct Channel: Sendable, Equatable, Hashable, Codable {
        /// The channel's name.
        public var name: String
        /// Its number in frames; nil: frames name it, or it is not known yet.
        public var number: Int16?
        /// Its unit; nil if unknown.
        public var unit: String?

        /// That channel.
        public init(name: String, number: Int16? = nil, unit: String? = nil) {
            self.name = name
            self.number = number
            self.unit = unit
        }
    }

    /// A rule that selects a sensor.
    public struct Selection: Sendable, Equatable, Hashable, Codable {
        /// The rule's index in `rules`.
        public var rule: Int
        /// The indexes, in the sensor's `channels`, of the channels that the rule selects.
        public var channels: [Int]

        /// That rule, with those channels.
        public init(rule: Int, channels: [Int]) {
            self.rule = rule
            self.channels = channels
        }
    }

    /// Limits of one channel, as `iotctl set … limits.*` sets them.
    public struct Limits: Sendable, Equatable, Hashable, Codable {
        /// The channel's index in the sensor's `channels`.
        public var channel: Int
        /// Above this is `high`.
        public var high: Double?
        /// Below this is `low`.
        public var low: Double?
        /// How far a value must come back.
        public var hysteresis: Double?

        /// Limits of that channel.
        public init(channel: Int, high: Double? = nil, low: Double? = nil, hysteresis: Double? = nil) {
            self.channel = channel
            self.high = high
            self.low = low
            self.hysteresis = hysteresis
        }

        /// Limits of that channel.
        public init(channel: Int, _ limits: ChannelLimits) {
            self.init(
                channel: channel, high: limits.high, low: limits.low,
                hysteresis: limits.hysteresis == 0 ? nil : limits.hysteresis)
        }
    }

    /// A sensor to which a rule or limit applies.
    public struct Sensor: Sendable, Equatable, Codable {
        /// The serial number.
        public var serial: String
        /// The machine that it is mounted on; nil if none.
        public var target: String?
        /// The channels that rules or limits refer to: those that rules select, and those that conditions name.
        public var channels: [Channel]
        /// The rules that select the sensor, by index.
        public var rules: [Selection]
        /// The limits of its channels.
        public var limits: [Limits]

        /// That sensor with its rules and limits.
        public init(
            serial: String, target: String? = nil, channels: [Channel] = [], rules: [Selection] = [],
            limits: [Limits] = []
        ) {
            self.serial = serial
            self.target = target
            self.channels = channels
            self.rules = rules
            self.limits = limits
        }
    }

    /// The revision's number; a later one is greater.
    public var number: Int64
    /// All rules, disabled ones too.
    public var rules: [Rule]
    /// The sensors that have a rule or limit.
    public var sensors: [Sensor]
    /// Serial numbers of sensors that were deleted or renamed since the revision before.
    public var deleted: [String]
    /// The time zones that rules name.
    public var zones: [String: ZoneOffsets]

    /// A revision of these parts; by default without any rule.
    public init(
        number: Int64, rules: [Rule] = [], sensors: [Sensor] = [], deleted: [String] = [],
        zones: [String: ZoneOffsets] = [:]
    ) {
        self.number = number
        self.rules = rules
        self.sensors = sensors
        self.deleted = deleted
        self.zones = zones
    }
}
