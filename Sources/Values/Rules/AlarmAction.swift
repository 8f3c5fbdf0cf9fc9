public import Model
public import Time

/// A command that a rule sends to the sensor of its alarm, when the alarm begins or ends.
public struct AlarmAction: Sendable, Equatable {
    /// Seconds after the alarm's time in which the sensor may run the command, if the rule does not say it.
    public static let validitySecondsDefault: Int64 = 60

    /// When it is sent.
    public var edge: Alarm.Edge
    /// The command's name: `sleep`, `awake`, `change_sample_frequency` or any other word of a routing key.
    public var name: String
    /// The command's arguments.
    public var arguments: [String: Command.Value]
    /// Seconds after the alarm's time in which the sensor may run it: an alarm of old samples commands nothing.
    public var validitySeconds: Int64

    /// An action with that command.
    public init(
        on edge: Alarm.Edge, _ name: String, _ arguments: [String: Command.Value] = [:],
        validitySeconds: Int64 = validitySecondsDefault
    ) {
        self.edge = edge
        self.name = name
        self.arguments = arguments
        self.validitySeconds = validitySeconds
    }

    /// The command for an alarm.
    ///
    /// Its id follows from the alarm's id, the edge and the number of the action in its rule, so that a repeat of the alarm is
    /// the same command: "rule:", 16 hexadecimal digits of a hash, the edge and the number.
    /// - Parameters:
    ///   - index: the number of the action in its rule.
    ///   - now: when the command is issued.
    public func command(for alarm: Alarm, index: Int, now: Timestamp) -> Command {
        let hash = String(UInt64(bitPattern: Fingerprint.payload(Array(alarm.id.utf8))), radix: 16)
        return Command(
            id: "rule:\(String(repeating: "0", count: 16 - hash.count))\(hash):\(edge.rawValue):\(index)", name: name,
            arguments: arguments, issued: now, expires: alarm.at.advanced(bySeconds: validitySeconds),
            issuer: "rule:\(alarm.rule)".cut(toBytes: 128))
    }
}
