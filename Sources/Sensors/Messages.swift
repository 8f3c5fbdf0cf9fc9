/// What a sensor says of itself.
public struct Announcement: Sendable, Equatable {
    /// One measured quantity.
    public struct Channel: Sendable, Equatable {
        /// As in `ChannelKey.number`.
        public var number: Int16
        /// "x", "temperature" …
        public var name: String
        /// "acceleration", "temperature" …
        public var quantity: String
        /// "m/s²", "°C" …
        public var unit: String

        /// Quantity and unit of the channel with that number and name.
        public init(number: Int16, name: String, quantity: String, unit: String) {
            self.number = number
            self.name = name
            self.quantity = quantity
            self.unit = unit
        }
    }

    /// What the sensor is doing. The raw value is what the `sensor` table holds.
    public enum State: String, Sendable, CaseIterable {
        /// Samples and sends.
        case awake
        /// Connected, obeys commands, does not sample.
        case asleep
        /// Said good-bye.
        case stopped
        /// Its connection broke: the broker published its Last Will.
        case lost
    }

    /// Seconds between the announcements of a sensor that does not say.
    public static let intervalSecondsDefault: Int64 = 10

    /// Grows with each start of the sensor.
    public var boot: Int64
    /// 1, 2, 3 … for each connection of one boot.
    public var connection: Int64
    /// "vibration", "climate" …
    public var kind: String
    /// The version of what runs on the sensor.
    public var firmware: String
    /// What it is doing.
    public var state: State
    /// Nil if the sensor did not say.
    public var rate: SampleRate?
    /// The sequence that its next frame will carry.
    public var nextSequence: Int64
    /// Frames of this boot that it could not keep until they were sent.
    public var framesDropped: Int64
    /// At most 64.
    public var channels: [Channel]
    /// When it said so, by its own clock.
    public var at: Timestamp?
    /// Whether it asks for the time.
    public var wantsTime: Bool
    /// What it has besides its rate, by the way through the twin: "location.name"; at most 64.
    public var properties: [String: Command.Value]
    /// Seconds to its next announcement; nil: it did not say, which means 10.
    public var intervalSeconds: Int64?

    /// An announcement of these parts.
    public init(
        boot: Int64, connection: Int64, kind: String, firmware: String, state: State, rate: SampleRate?,
        nextSequence: Int64, framesDropped: Int64, channels: [Channel], at: Timestamp?, wantsTime: Bool = false,
        properties: [String: Command.Value] = [:], intervalSeconds: Int64? = nil
    ) {
        self.boot = boot
        self.connection = connection
        self.kind = kind
        self.firmware = firmware
        self.state = state
        self.rate = rate
        self.nextSequence = nextSequence
        self.framesDropped = framesDropped
        self.channels = channels
        self.at = at
        self.wantsTime = wantsTime
        self.properties = properties
        self.intervalSeconds = intervalSeconds
    }
}

/// Something that a sensor is asked to do.
public struct Command: Sendable, Equatable {
    /// The value of an argument.
    public enum Value: Sendable, Equatable {
        /// A number, in the unit that the argument's name says.
        case number(Double)
        /// A text.
        case text(String)
        /// Yes or no.
        case flag(Bool)
    }

    /// A UUID; the same id delivered twice is run once.
    public var id: String
    /// "sleep", "awake", "change_sample_frequency": the last word of the routing key.
    public var name: String
    /// By name.
    public var arguments: [String: Value]
    /// When it was given.
    public var issued: Timestamp
    /// Not run after this; nil: never expires.
    public var expires: Timestamp?
    /// Who gave it.
    public var issuer: String

    /// A command of these parts.
    public init(
        id: String, name: String, arguments: [String: Value] = [:], issued: Timestamp, expires: Timestamp?,
        issuer: String
    ) {
        self.id = id
        self.name = name
        self.arguments = arguments
        self.issued = issued
        self.expires = expires
        self.issuer = issuer
    }

    /// The names of the commands that every sensor knows.
    public enum Name {
        /// Stop sampling, stay connected.
        public static let sleep = "sleep"
        /// Sample again.
        public static let awake = "awake"
        /// Sample at argument `hertz` from now on.
        public static let changeSampleFrequency = "change_sample_frequency"
        /// Take these properties of the twin; the arguments are named by their way, "location.name".
        public static let set = "set"
        /// Not to be answered: the time, in argument `unix_ns`, to a sensor that asked for it.
        public static let time = "time"
    }

    /// How long a sensor may still believe an answer to its question for the time, in seconds.
    public static let timeValiditySeconds: Int64 = 10

    private static let timeIDPrefix = "time:"

    /// The answer to a sensor that asks for the time.
    /// - Parameter id: what makes it unlike others, at most 59 bytes.
    public static func time(_ now: Timestamp, id: String) -> Command {
        Command(
            id: timeIDPrefix + id, name: Name.time, arguments: ["unix_ns": .text("\(now.unixNanoseconds)")],
            issued: now,
            expires: now.advanced(bySeconds: timeValiditySeconds), issuer: "sensor-registry")
    }

    /// Whether a command or an answer with this id is about the time: there are too many to keep.
    public static func isTime(id: String) -> Bool { id.hasPrefix(timeIDPrefix) }
}

/// A sensor's answer to a command.
public struct Ack: Sendable, Equatable {
    /// How far the command has come.
    public enum Outcome: String, Sendable, CaseIterable {
        /// Arrived; another answer follows.
        case received
        /// Done.
        case succeeded
        /// Tried in vain.
        case failed
        /// Not tried.
        case rejected
    }

    /// The reason of a rejection that came too late.
    public static let expired = "expired"

    /// The command's id.
    public var id: String
    /// How far it has come.
    public var outcome: Outcome
    /// Why it failed or was rejected; empty otherwise.
    public var reason: String
    /// When, by the sensor's clock.
    public var at: Timestamp?

    /// That answer to the command `id`.
    public init(id: String, outcome: Outcome, reason: String = "", at: Timestamp?) {
        self.id = id
        self.outcome = outcome
        self.reason = reason
        self.at = at
    }
}

/// A line of a sensor's log.
public struct LogLine: Sendable, Equatable {
    /// How grave. The raw value is what the `sensor_log` table holds.
    public enum Level: Int16, Sendable, CaseIterable {
        /// For whoever looks for a fault.
        case debug = 1
        /// The ordinary course.
        case info = 2
        /// Something to look at.
        case warning = 3
        /// Something that does not work.
        case error = 4
    }

    /// When, by the sensor's clock.
    public var at: Timestamp?
    /// How grave.
    public var level: Level
    /// What happened.
    public var text: String
    /// Which start of the sensor.
    public var boot: Int64

    /// A line of these parts.
    public init(at: Timestamp?, level: Level, text: String, boot: Int64) {
        self.at = at
        self.level = level
        self.text = text
        self.boot = boot
    }
}

/// A value that left its limits, or came back.
public struct Alarm: Sendable, Equatable {
    /// Which of the two.
    public enum Edge: String, Sendable {
        /// It left them.
        case trigger
        /// It came back.
        case clear
    }

    /// The same for a trigger and the clear that ends it.
    public var id: String
    /// "limit:temperature:high".
    public var rule: String
    /// The channel's number.
    public var channel: Int16
    /// What crossed the limit.
    public var value: Double
    /// The limit.
    public var limit: Double
    /// The trusted time of the frame that decided.
    public var at: Timestamp
    /// The frame that decided, if its device numbers frames.
    public var position: FramePosition?
    /// One sentence for people.
    public var text: String

    /// An alarm of these parts.
    public init(
        id: String, rule: String, channel: Int16, value: Double, limit: Double, at: Timestamp,
        position: FramePosition?, text: String
    ) {
        self.id = id
        self.rule = rule
        self.channel = channel
        self.value = value
        self.limit = limit
        self.at = at
        self.position = position
        self.text = text
    }
}
