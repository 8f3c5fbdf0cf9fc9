public import Time

/// A sensor's announcement of itself.
public struct Announcement: Sendable, Equatable {
    /// One measured quantity.
    public struct Channel: Sendable, Equatable {
        /// The channel's number, as in `ChannelKey.number`.
        public var number: Int16
        /// The channel's name: "x", "temperature" …
        public var name: String
        /// The measured quantity: "acceleration", "temperature" …
        public var quantity: String
        /// The unit: "m/s²", "°C" …
        public var unit: String

        /// A channel with that number and name.
        public init(number: Int16, name: String, quantity: String, unit: String) {
            self.number = number
            self.name = name
            self.quantity = quantity
            self.unit = unit
        }
    }

    /// The state of a sensor. The raw value is stored in the `sensor` table.
    public enum State: String, Sendable, CaseIterable {
        /// The sensor samples and sends.
        case awake
        /// The sensor is connected and obeys commands, but does not sample.
        case asleep
        /// The sensor stopped and disconnected gracefully.
        case stopped
        /// The sensor's connection broke: the broker published its Last Will.
        case lost
    }

    /// Seconds between the announcements of a sensor that does not state its interval.
    public static let intervalSecondsDefault: Int64 = 10

    /// The boot's number, which grows with each start of the sensor.
    public var boot: Int64
    /// The connection's number within the boot: 1, 2, 3 …
    public var connection: Int64
    /// The sensor's kind: "vibration", "climate" …
    public var kind: String
    /// The firmware version.
    public var firmware: String
    /// The sensor's state.
    public var state: State
    /// The sample rate; nil if the sensor did not state it.
    public var rate: SampleRate?
    /// The sequence of the sensor's next frame.
    public var nextSequence: Int64
    /// Frames of this boot that the sensor had to drop before it could send them.
    public var framesDropped: Int64
    /// The sensor's channels, at most 64.
    public var channels: [Channel]
    /// The time of the announcement, by the sensor's clock.
    public var at: Timestamp?
    /// Whether the sensor asks for the time.
    public var wantsTime: Bool
    /// Further properties of the sensor, by their path in the twin: "location.name"; at most 64.
    public var properties: [String: Command.Value]
    /// Seconds until the next announcement; nil: not stated, which means 10.
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

/// A command to a sensor.
public struct Command: Sendable, Equatable {
    /// The value of an argument.
    public enum Value: Sendable, Equatable {
        /// A number, in the unit that the argument's name states.
        case number(Double)
        /// A text.
        case text(String)
        /// A boolean.
        case flag(Bool)
    }

    /// A UUID. A sensor executes a command once, even if it is delivered twice with the same id.
    public var id: String
    /// The command's name: "sleep", "awake", "change_sample_frequency". It is the last word of the routing key.
    public var name: String
    /// The arguments, by name.
    public var arguments: [String: Value]
    /// The time at which the command was issued.
    public var issued: Timestamp
    /// The time after which the sensor does not execute the command; nil: it never expires.
    public var expires: Timestamp?
    /// The user or program that issued the command.
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
        /// Stop sampling, but stay connected.
        public static let sleep = "sleep"
        /// Resume sampling.
        public static let awake = "awake"
        /// Sample at the rate in argument `hertz` from now on.
        public static let changeSampleFrequency = "change_sample_frequency"
        /// Adopt these properties of the twin; the arguments are named by their paths, "location.name".
        public static let set = "set"
        /// The time, in argument `unix_ns`, for a sensor that asked for it; the sensor does not answer this command.
        public static let time = "time"
    }

    /// Seconds for which an answer to a sensor's request for the time is valid.
    public static let timeValiditySeconds: Int64 = 10

    private static let timeIDPrefix = "time:"

    /// The answer to a sensor's request for the time.
    /// - Parameter id: a unique suffix for the command's id, at most 59 bytes.
    public static func time(_ now: Timestamp, id: String) -> Command {
        Command(
            id: timeIDPrefix + id, name: Name.time, arguments: ["unix_ns": .text("\(now.unixNanoseconds)")],
            issued: now,
            expires: now.advanced(bySeconds: timeValiditySeconds), issuer: "sensor-registry")
    }

    /// Whether a command or an answer with this id is about the time. The registry does not store these: there are too
    /// many.
    public static func isTime(id: String) -> Bool { id.hasPrefix(timeIDPrefix) }
}

/// A sensor's answer to a command, or to an alarm of its own.
public struct Ack: Sendable, Equatable {
    /// The progress that an answer reports.
    public enum Outcome: String, Sendable, CaseIterable {
        /// The sensor received the command; another answer follows.
        case received
        /// The sensor executed the command.
        case succeeded
        /// The sensor tried to execute the command and failed.
        case failed
        /// The sensor refused to execute the command.
        case rejected
    }

    /// The reason of the rejection of an expired command.
    public static let expired = "expired"

    /// The id of the command or alarm.
    public var id: String
    /// The reported progress.
    public var outcome: Outcome
    /// The reason for a failure or a rejection; empty otherwise.
    public var reason: String
    /// The time of the answer, by the sensor's clock.
    public var at: Timestamp?
    /// Whether `id` is that of an alarm: then `received` says that the sensor heard the alarm's trigger, and the other
    /// outcomes what became of the event capture.
    public var isOfAlarm: Bool

    /// An answer to the command or alarm with that id.
    public init(id: String, outcome: Outcome, reason: String = "", at: Timestamp?, isOfAlarm: Bool = false) {
        self.id = id
        self.outcome = outcome
        self.reason = reason
        self.at = at
        self.isOfAlarm = isOfAlarm
    }
}

/// A line of a sensor's log.
public struct LogLine: Sendable, Equatable {
    /// The severity. The raw value is stored in the `sensor_log` table.
    public enum Level: Int16, Sendable, CaseIterable {
        /// Details for troubleshooting.
        case debug = 1
        /// Normal operation.
        case info = 2
        /// A condition that an operator should look at.
        case warning = 3
        /// A failure.
        case error = 4
    }

    /// The time of the line, by the sensor's clock.
    public var at: Timestamp?
    /// The severity.
    public var level: Level
    /// The message.
    public var text: String
    /// The number of the sensor's boot.
    public var boot: Int64

    /// A log line of these parts.
    public init(at: Timestamp?, level: Level, text: String, boot: Int64) {
        self.at = at
        self.level = level
        self.text = text
        self.boot = boot
    }
}
