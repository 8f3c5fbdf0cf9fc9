public import Model
public import Time

extension RuleAction.Command {
    /// Seconds after the alarm's time in which the sensor may run the command: an alarm about samples that came late
    /// commands nothing.
    public static let validitySeconds: Int64 = 60

    /// The message to the alarm's sensor.
    ///
    /// Its id follows from the alarm's id, the edge and the number of the action in its rule, so that a repeat of the alarm is
    /// the same command: "rule:", 16 hexadecimal digits of a hash, the edge and the number. An argument that reads as a number,
    /// as `true` or as `false` is one.
    /// - Parameters:
    ///   - index: the number of the action in its rule.
    ///   - now: when the command is issued.
    public func message(for alarm: Alarm, index: Int, now: Timestamp) -> Model.Command {
        let hash = String(UInt64(bitPattern: Fingerprint.payload(Array(alarm.id.utf8))), radix: 16)
        return Model.Command(
            id: "rule:\(String(repeating: "0", count: 16 - hash.count))\(hash):\(moment.rawValue):\(index)", name: name,
            arguments: arguments.mapValues(Self.value), issued: now,
            expires: alarm.at.advanced(bySeconds: Self.validitySeconds),
            issuer: "rule:\(alarm.rule)".cut(toBytes: 128))
    }

    private static func value(_ text: String) -> Model.Command.Value {
        switch text {
        case "true": .flag(true)
        case "false": .flag(false)
        default: Double(text).flatMap { $0.isFinite ? .number($0) : nil } ?? .text(text)
        }
    }
}

extension Rule {
    /// The commands that the rule sends when an alarm of it begins or ends; none if it is disabled.
    public func commands(for alarm: Alarm, _ edge: Alarm.Edge, now: Timestamp) -> [Model.Command] {
        guard isEnabled || edge == .clear else { return [] }
        return actions.enumerated().compactMap { index, action in
            guard case .command(let command) = action, command.moment.rawValue == edge.rawValue else { return nil }
            return command.message(for: alarm, index: index, now: now)
        }
    }
}
