public import Model

/// The names of all exchanges, queues, routing keys and topics.
public enum Routing {
    /// The topic exchange that all messages are published to, over AMQP and MQTT.
    public static let exchange = "sensor_streaming"
    /// The hash exchange behind it that spreads frames over the streams.
    public static let partitionsExchange = "sensor_streaming.partitions"
    /// The alternate exchange, for messages that match no queue.
    public static let unroutedExchange = "sensor_streaming.unrouted"
    /// The dead-letter exchange of the queues.
    public static let deadExchange = "sensor_streaming.dead"

    /// The queue of announcements, acks and commands.
    public static let registryQueue = "registry"
    /// The queue of log lines.
    public static let logsQueue = "logs"
    /// The queue of alarms.
    public static let alarmsQueue = "alarms"
    /// The stream of alarms, from which any number of clients read, each from its own place.
    public static let alarmStream = "alarms.stream"
    /// The queue of messages that matched no other queue.
    public static let unroutedQueue = "unrouted"
    /// The queue of dead-lettered messages.
    public static let deadQueue = "dead_letters"

    /// The stream of partition `index`.
    public static func stream(_ index: Int) -> String { "measurements.\(index)" }

    /// The command queue of a sensor that speaks AMQP.
    public static func commandQueue(_ serial: SerialNumber) -> String { "sensor_\(serial)" }

    /// The command queue of all sensors of a gateway.
    public static func gatewayQueue(_ gateway: SerialNumber) -> String { "gateway_\(gateway)" }

    /// The subject of a message: the part of the routing key after the sensor.
    public enum Subject: Sendable, Hashable {
        /// Frames.
        case data
        /// Announcements and Last Wills.
        case registry
        /// A sensor's answers to commands.
        case acks
        /// Log lines.
        case logs
        /// A command of that name.
        case command(String)
        /// An alarm that begins or ends.
        case alarm(Alarm.Edge)

        /// The words of the routing key after `sensor_<i>.`.
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

        init?(_ words: Span<UInt8>, separator: Unicode.Scalar) {
            // Nearly every message carries data.
            if isSame(words, "data".utf8Span.span) {
                self = .data
                return
            }
            guard let text = try? UTF8Span(validating: words) else { return nil }
            let words = String(copying: text).split(separator: Character(separator), omittingEmptySubsequences: false)
            switch (words.first, words.count) {
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

    /// The MQTT topic `sensor_<i>/<subject>`.
    public static func topic(_ serial: SerialNumber, _ subject: Subject) -> String {
        var topic = "sensor_\(serial)/"
        for character in subject.words { topic.append(character == "." ? "/" : character) }
        return topic
    }

    /// The binding key of all alarms of a sensor.
    public static func alarmsPattern(_ serial: SerialNumber) -> String { "sensor_\(serial).alarms.#" }

    /// The MQTT subscriptions of a sensor.
    public static func topicFilters(_ serial: SerialNumber) -> [String] {
        ["sensor_\(serial)/commands/#", "sensor_\(serial)/alarms/#"]
    }

    /// Parses a routing key.
    /// - Throws: `Rejection` with `badSerial` if the key does not name a sensor and a known subject.
    public static func parse(key: String) throws(Rejection) -> (serial: SerialNumber, subject: Subject) {
        try parse(key, separator: ".")
    }

    /// Parses an MQTT topic.
    /// - Throws: as `parse(key:)`.
    public static func parse(topic: String) throws(Rejection) -> (serial: SerialNumber, subject: Subject) {
        try parse(topic, separator: "/")
    }

    /// Parses by bytes, not by characters, because this is called for every message of a stream.
    private static func parse(
        _ text: String, separator: Unicode.Scalar
    ) throws(Rejection) -> (serial: SerialNumber, subject: Subject) {
        let bytes = text.utf8Span.span
        let prefix = "sensor_".utf8Span.span
        var end = prefix.count
        while end < bytes.count, bytes[end] != UInt8(ascii: separator) { end += 1 }
        guard end < bytes.count, isSame(bytes.extracting(first: prefix.count), prefix),
            let serial = SerialNumber(utf8: bytes.extracting(prefix.count..<end)),
            let subject = Subject(bytes.extracting((end + 1)...), separator: separator)
        else { throw Rejection(.badSerial, "no sensor and subject in \(text.prefix(256))") }
        return (serial, subject)
    }
}

/// Whether two texts have the same bytes.
private func isSame(_ left: Span<UInt8>, _ right: Span<UInt8>) -> Bool {
    guard left.count == right.count else { return false }
    for index in left.indices where left[index] != right[index] { return false }
    return true
}
