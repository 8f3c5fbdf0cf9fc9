public import Model
public import Time

/// The service `iot.Control` of `proto/control.proto`: its name, and those of its calls.
public enum ControlMethod: String, Sendable, CaseIterable {
    /// Alarms as they happen.
    case watchAlarms = "WatchAlarms"
    /// Records that an alarm was seen.
    case acknowledge = "Acknowledge"
    /// A command to one sensor.
    case sendCommand = "SendCommand"
    /// One sensor.
    case getSensor = "GetSensor"
    /// Sensors, in pages.
    case listSensors = "ListSensors"

    /// The service's full name.
    public static let service = "iot.Control"
}

/// `WatchAlarmsRequest`, as it was sent: nothing is checked yet.
public struct WatchAlarmsRequest: Sendable, Equatable {
    /// The place to begin at.
    public enum Start: Sendable, Equatable {
        /// The end of the stream.
        case now
        /// The oldest alarm of the stream.
        case beginning
        /// Behind the response with this token.
        case after(String)
    }

    /// The place to begin at.
    public var start: Start
    /// Serial numbers or globs; empty: all.
    public var sensors: [String]
    /// The raw values of severities; empty: all.
    public var severities: [String]
    /// Names of rules or globs; empty: all.
    public var rules: [String]
    /// The raw value of an edge; empty: both.
    public var edge: String
}

/// `WatchAlarmsResponse`.
public struct WatchAlarmsResponse: Sendable, Equatable {
    /// An alarm of the alarm stream.
    public struct Event: Sendable, Equatable {
        /// The alarm, encoded as its evaluator published it, so that fields that this release does not know are kept.
        public var body: [UInt8]
        /// The alarm's sensor.
        public var sensor: SerialNumber
        /// Whether the alarm begins or ends.
        public var edge: Alarm.Edge
        /// When the broker had it.
        public var received: Timestamp
        /// Its offset in the alarm stream.
        public var offset: Int64

        /// An alarm with these properties.
        public init(body: [UInt8], sensor: SerialNumber, edge: Alarm.Edge, received: Timestamp, offset: Int64) {
            self.body = body
            self.sensor = sensor
            self.edge = edge
            self.received = received
            self.offset = offset
        }
    }

    /// The place in the stream behind this response.
    public var token: String
    /// The alarm; nil: only the place is told.
    public var event: Event?

    /// A response with that alarm, or without one.
    public init(token: String, event: Event? = nil) {
        self.token = token
        self.event = event
    }
}

/// `AcknowledgeRequest`, as it was sent.
public struct AcknowledgeRequest: Sendable, Equatable {
    /// The alarm's id.
    public var alarm: String
    /// Who has seen it.
    public var by: String
    /// A comment; may be empty.
    public var comment: String
}

/// `SendCommandRequest`, as it was sent.
public struct SendCommandRequest: Sendable, Equatable {
    /// The sensor.
    public var sensor: String
    /// The command's name.
    public var name: String
    /// The arguments by name.
    public var arguments: [String: Command.Value]
    /// Who sends it; empty: not said.
    public var issuer: String
    /// The answer to wait for; empty: not said.
    public var waitFor: String
    /// How long to wait, in milliseconds; 0: not said.
    public var timeoutMilliseconds: UInt32
    /// How long the command is valid, in milliseconds; 0: not said.
    public var validMilliseconds: UInt64
}

/// `SendCommandResponse`.
public struct SendCommandResponse: Sendable, Equatable {
    /// The command's id.
    public var id: String
    /// How it ended, in one word.
    public var outcome: String
    /// Why it went no further; may be empty.
    public var reason: String
    /// Seconds from its sending to this outcome.
    public var afterSeconds: Double

    /// A response with these values.
    public init(id: String, outcome: String, reason: String, afterSeconds: Double) {
        self.id = id
        self.outcome = outcome
        self.reason = reason
        self.afterSeconds = afterSeconds
    }
}

/// `Sensor`.
public struct ControlSensor: Sendable, Equatable {
    /// `SensorChannel`.
    public struct Channel: Sendable, Equatable {
        /// The newest value, with the statistics of its row.
        public struct Value: Sendable, Equatable {
            /// The last sample of the row.
            public var last: Double
            /// The smallest sample.
            public var min: Double
            /// The largest sample.
            public var max: Double
            /// The root mean square.
            public var rms: Double
            /// When the value was measured.
            public var at: Timestamp?

            /// A value with these statistics.
            public init(last: Double, min: Double, max: Double, rms: Double, at: Timestamp?) {
                self.last = last
                self.min = min
                self.max = max
                self.rms = rms
                self.at = at
            }
        }

        /// The channel's number.
        public var number: Int16
        /// The name.
        public var name: String
        /// The quantity; may be empty.
        public var quantity: String
        /// The unit; may be empty.
        public var unit: String
        /// The newest value; nil before the first.
        public var value: Value?

        /// A channel with these properties.
        public init(number: Int16, name: String, quantity: String, unit: String, value: Value?) {
            self.number = number
            self.name = name
            self.quantity = quantity
            self.unit = unit
            self.value = value
        }
    }

    /// The serial number.
    public var serial: String
    /// The kind; empty until it is known.
    public var kind = ""
    /// The firmware; empty until it is known.
    public var firmware = ""
    /// The operating state.
    public var state = ""
    /// The presence.
    public var presence = ""
    /// Samples a second and channel; nil: not known.
    public var rate: SampleRate?
    /// When its newest message arrived at the broker.
    public var lastSeen: Timestamp?
    /// The machine that carries it; empty: none.
    public var target = ""
    /// Its tags, a JSON object.
    public var tagsJSON = "{}"
    /// Its channels, by number.
    public var channels: [Channel] = []
    /// The ids of its active alarms.
    public var activeAlarms: [String] = []
    /// The desired properties, a JSON object; empty: not told.
    public var desiredJSON = ""
    /// The reported properties, a JSON object; empty: not told.
    public var reportedJSON = ""
    /// The name of its place; empty: none.
    public var place = ""
    /// Its position.
    public var position: GeoPosition?

    /// A sensor of which only the serial number is known.
    public init(serial: String) { self.serial = serial }
}

/// `ListSensorsRequest`, as it was sent.
public struct ListSensorsRequest: Sendable, Equatable {
    /// Serial numbers or globs; empty: all.
    public var sensors: [String]
    /// A selector; empty: all.
    public var selector: String
    /// The most sensors of the page; 0: not said.
    public var pageSize: UInt32
    /// The token of the page; empty: the first.
    public var pageToken: String
}
