public import Model
public import Time

extension RuleEngine {
    /// Whether no rule and no limit applies to any sensor: then frames and ticks say nothing to the engine.
    public var isEmpty: Bool { catalog.revision.sensors.isEmpty }

    /// Whether something is known of a sensor.
    public func knows(_ serial: SerialNumber) -> Bool { indexes[serial] != nil }

    /// Takes over what another evaluator knew of a limit: whether its alarm is on. Nothing is published of it.
    /// - Parameters:
    ///   - side: the side on which the alarm is on; nil: it is off.
    ///   - raised: the message that raised it.
    /// - Returns: false if no limit applies to that channel.
    public mutating func takeOver(
        _ side: LimitSide?, of serial: SerialNumber, channel: String, raised: StreamPosition, since: Timestamp
    ) -> Bool {
        guard let index = state(of: serial),
            let instance = states[index].plan.instance(of: Rule.limitName(of: channel), on: channel),
            let node = instance.program.nodes.first
        else { return false }
        var words = states[index].words.mutableSpan
        var alarm = RuleAlarmState(words.span, at: instance.firstWord)
        alarm.clear()
        let truth: RuleTruth =
            switch side {
            case nil: .no
            case .high: .yes
            case .low: .low
            }
        if side != nil {
            alarm.raise(at: raised, side: truth, time: since)
            alarm.limit = node.limit(truth, value: 0, stored: 0)
            alarm.value = alarm.limit
        }
        alarm.write(to: &words, at: instance.firstWord)
        words[instance.firstWord + node.firstWord] = truth.rawValue
        return true
    }
}
