public import Sensors

/// Every exchange, queue, key and topic name (design §1).
public enum Routing {
    /// The topic exchange that everything is published to, over AMQP and MQTT.
    public static let exchange = "sensor_streaming"
    /// The hash exchange behind it that spreads frames over the streams.
    public static let partitionsExchange = "sensor_streaming.partitions"
    /// Where the broker sends what fits no queue.
    public static let unroutedExchange = "sensor_streaming.unrouted"
    /// Where queues send what they give up on.
    public static let deadExchange = "sensor_streaming.dead"

    /// The queue of announcements, acks and commands.
    public static let registryQueue = "registry"
    /// The queue of log lines.
    public static let logsQueue = "logs"
    /// The queue of alarms.
    public static let alarmsQueue = "alarms"
    /// The queue of what fitted no other.
    public static let unroutedQueue = "unrouted"
    /// The queue of what other queues gave up on.
    public static let deadQueue = "dead_letters"

    /// The stream of partition `index`.
    public static func stream(_ index: Int) -> String { "measurements.\(index)" }

    /// The command queue of a sensor that speaks AMQP.
    public static func commandQueue(_ serial: SerialNumber) -> String { "sensor_\(serial)" }

    /// The command queue of all sensors of a gateway.
    public static func gatewayQueue(_ gateway: SerialNumber) -> String { "gateway_\(gateway)" }

    /// What a message is about: what follows the sensor in the key.
    public enum Subject: Sendable, Hashable {
        /// Frames.
        case data
        /// Announcements and Last Wills.
        case registry
        /// Answers to commands.
        case acks
        /// Log lines.
        case logs
        /// A command of that name.
        case command(String)
        /// An alarm that begins or ends.
        case alarm(Alarm.Edge)

        /// The words after `sensor_<i>.`.
        public var words: String {
            switch self {
            case .data: "data"
            case .registry: "registry"
            case .acks: "acks"
            case .logs: "logs"
            case .command(let name): "commands.\(name)"
            case .alarm(let edge): "alarms.\(edge.rawValue)"
            }
        }

        init?(words: [Substring]) {
            switch (words.first, words.count) {
            case ("data", 1): self = .data
            case ("registry", 1): self = .registry
            case ("acks", 1): self = .acks
            case ("logs", 1): self = .logs
            case ("commands", 2): self = .command(String(words[1]))
            case ("alarms", 2):
                guard let edge = Alarm.Edge(rawValue: String(words[1])) else { return nil }
                self = .alarm(edge)
            default: return nil
            }
        }
    }

    /// The routing key `sensor_<i>.<subject>`.
    public static func key(_ serial: SerialNumber, _ subject: Subject) -> String { "sensor_\(serial).\(subject.words)" }

    /// The same as an MQTT topic, `sensor_<i>/<subject>`.
    public static func topic(_ serial: SerialNumber, _ subject: Subject) -> String {
        var topic = "sensor_\(serial)/"
        for character in subject.words { topic.append(character == "." ? "/" : character) }
        return topic
    }

    /// The MQTT subscriptions of a sensor.
    public static func topicFilters(_ serial: SerialNumber) -> [String] {
        ["sensor_\(serial)/commands/#", "sensor_\(serial)/alarms/#"]
    }

    /// Reads a routing key.
    /// - Throws: `Rejection` with `badSerial` if it does not name a sensor and a subject that there is.
    public static func parse(key: String) throws(Rejection) -> (serial: SerialNumber, subject: Subject) {
        try parse(words: key.split(separator: ".", omittingEmptySubsequences: false), of: key)
    }

    /// Reads an MQTT topic.
    /// - Throws: as `parse(key:)`.
    public static func parse(topic: String) throws(Rejection) -> (serial: SerialNumber, subject: Subject) {
        try parse(words: topic.split(separator: "/", omittingEmptySubsequences: false), of: topic)
    }

    private static func parse(
        words: [Substring], of whole: String
    ) throws(Rejection) -> (serial: SerialNumber, subject: Subject) {
        guard let first = words.first, first.hasPrefix("sensor_"),
            let serial = SerialNumber(first.dropFirst("sensor_".count)),
            let subject = Subject(words: Array(words.dropFirst()))
        else { throw Rejection(.badSerial, "no sensor and subject in \(whole.prefix(256))") }
        return (serial, subject)
    }
}
