public import Model
public import Time

/// An alarm of one rule on one sensor begins or ends.
public struct RuleTransition: Sendable, Equatable {
    /// Why an alarm ended, if it was not the signal. The raw value is what `Alarm.cause` holds.
    public enum Cause: String, Sendable, CaseIterable {
        /// The rule has another kind of condition now.
        case ruleChanged = "rule_changed"
        /// The rule does not select the sensor or channel any more.
        case noLongerSelected = "no_longer_selected"
        /// The sensor was deleted or renamed.
        case sensorDeleted = "sensor_deleted"
        /// The rule was disabled, by an operator or because it failed.
        case ruleDisabled = "rule_disabled"
        /// The rule was removed.
        case ruleRemoved = "rule_removed"
    }

    /// Whether the alarm begins or ends.
    public var edge: Alarm.Edge
    /// Of a clear: why, if it was not the signal.
    public var cause: Cause?
    /// The rule's name; `limit:<channel>` for limits.
    public var rule: String
    /// Which part of the rule: `high` or `low` of a limit, `failed` of a rule that was disabled because it failed, else empty.
    public var leaf: String
    /// How urgent.
    public var severity: Alarm.Severity
    /// The sensor.
    public var serial: SerialNumber
    /// The channel; nil if the rule concerns the whole sensor.
    public var channel: RuleRevision.Channel?
    /// The value that decided. For a clear with a cause it is the value of the trigger.
    public var value: Double
    /// The limit it was compared with.
    public var limit: Double
    /// The unit of both; empty if unknown.
    public var unit: String
    /// The trusted time of the frame that decided; of a tick or revision: the broker's stamp.
    public var time: Timestamp
    /// The frame that decided, if it was a frame and its device numbers frames.
    public var position: FramePosition?
    /// The message of the stream that decided.
    public var decided: StreamPosition
    /// The message that raised the alarm: with rule, leaf, sensor and channel its identity.
    public var raised: StreamPosition
    /// A description in one sentence.
    public var text: String
    /// The rule's link; empty if none.
    public var runbook: String
    /// What the rule sets off; a clear has the actions on clear.
    public var actions: [RuleAction]
    /// Whether nobody is to be notified, because of the rule's quiet hours.
    public var isQuiet: Bool
    /// Whether the rule triggers so often on this sensor that it is flapping.
    public var isFlapping: Bool

    /// The name under which alarms are published: the rule's, with the leaf of a limit (`limit:temperature:high`).
    public var publicRule: String { leaf.isEmpty ? rule : "\(rule):\(leaf)" }

    /// The identity of the alarm: the same for a trigger and its clear, different for any two alarms.
    public var id: String {
        "\(serial)/\(channel?.name ?? "")/\(publicRule)/\(raised.incarnation)/\(raised.offset)"
    }
}

extension RuleTransition {
    /// The message that says it.
    /// - Parameters:
    ///   - stream: the stream that was evaluated.
    ///   - epoch: the epoch of the lease under which it was.
    ///   - isLate: whether it was evaluated long after its time.
    public func alarm(stream: String, epoch: Int64, isLate: Bool = false) -> Alarm {
        var alarm = Alarm(
            id: id, rule: publicRule, severity: severity, channel: channel?.number ?? 0, value: value, limit: limit,
            at: time, position: position, text: text)
        alarm.channelName = channel?.name ?? ""
        alarm.unit = unit
        alarm.runbook = runbook
        alarm.cause = cause?.rawValue ?? ""
        alarm.origin = Alarm.Origin(stream: stream, epoch: epoch, offset: decided.offset)
        alarm.isLate = isLate
        return alarm
    }
}
