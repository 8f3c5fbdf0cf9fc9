public import Time

/// An alarm that begins or ends, as the evaluator publishes it.
public struct Alarm: Sendable, Equatable {
    /// Whether the alarm begins or ends.
    public enum Edge: String, Sendable, CaseIterable {
        /// The rule's condition became true: the alarm begins.
        case trigger
        /// The rule's condition became false, or no longer applies: the alarm ends.
        case clear
    }

    /// How urgent an alarm is. The raw value is the word in messages, tables and rule files.
    public enum Severity: String, Sendable, CaseIterable, Codable, Comparable {
        /// Worth knowing; nothing has to be done.
        case info
        /// An operator should look at it.
        case warning
        /// An operator must act.
        case critical

        /// By urgency.
        public static func < (first: Self, second: Self) -> Bool { first.rank < second.rank }

        private var rank: Int {
            switch self {
            case .info: 0
            case .warning: 1
            case .critical: 2
            }
        }
    }

    /// The message on which an alarm was decided, and the replica that decided it.
    public struct Origin: Sendable, Equatable {
        /// The stream that the message is in.
        public var stream: String
        /// The epoch of the lease under which it was evaluated. A higher epoch overrules a lower one of the same stream.
        public var epoch: Int64
        /// The message's offset in the stream.
        public var offset: Int64

        /// That message, under that lease.
        public init(stream: String, epoch: Int64, offset: Int64) {
            self.stream = stream
            self.epoch = epoch
            self.offset = offset
        }
    }

    /// The alarm's id, the same for a trigger and the clear that ends it.
    public var id: String
    /// The rule's name, such as "limit:temperature:high" for a limit that was set with `iotctl set`.
    public var rule: String
    /// How urgent it is.
    public var severity: Severity = .warning
    /// The channel's number; 0 if the rule concerns the whole sensor.
    public var channel: Int16
    /// The channel's name; empty if the rule concerns the whole sensor, or the sender did not say.
    public var channelName = ""
    /// The unit of value and limit; empty if unknown.
    public var unit = ""
    /// The value that decided.
    public var value: Double
    /// The limit that the value was compared with.
    public var limit: Double
    /// The trusted time of the frame that caused the change.
    public var at: Timestamp
    /// The position of the frame that caused the change, if its device numbers frames.
    public var position: FramePosition?
    /// A description in one sentence.
    public var text: String
    /// A link for the operator; empty if there is none.
    public var runbook = ""
    /// Of a clear: why the alarm ended if it was not the signal, such as "rule_changed"; empty otherwise.
    public var cause = ""
    /// Where it was decided; nil if the sender did not say.
    public var origin: Origin?
    /// Whether it was evaluated long after its time, because its evaluator was away.
    public var isLate = false

    /// An alarm of these parts; the others have their defaults.
    public init(
        id: String, rule: String, severity: Severity = .warning, channel: Int16, value: Double, limit: Double,
        at: Timestamp, position: FramePosition?, text: String
    ) {
        self.id = id
        self.rule = rule
        self.severity = severity
        self.channel = channel
        self.value = value
        self.limit = limit
        self.at = at
        self.position = position
        self.text = text
    }
}
