internal import Model
internal import Time

extension RuleTransition {
    /// An edge that the signal made.
    init(
        _ edge: Alarm.Edge, _ program: RuleProgram, leaf: String, _ serial: SerialNumber,
        _ channel: RuleRevision.Channel?, value: Double, limit: Double, unit: String, text: String, at time: Timestamp,
        position: FramePosition?, decided: StreamPosition, raised: StreamPosition
    ) {
        let rule = program.rule
        self.init(
            edge: edge, cause: nil, rule: rule.name, leaf: leaf, severity: rule.severity, serial: serial,
            channel: channel, value: value, limit: limit, unit: unit, time: time, position: position, decided: decided,
            raised: raised, text: text, runbook: rule.runbook ?? "", actions: rule.actions(on: edge), isQuiet: false,
            isFlapping: false)
    }

    /// A clear that the signal did not make.
    init(
        _ cause: Cause, _ instance: SensorPlan.Instance, _ channels: [RuleRevision.Channel], _ serial: SerialNumber,
        _ alarm: RuleAlarmState, at time: Timestamp, decided: StreamPosition
    ) {
        let program = instance.program
        let channel = instance.alarmChannel.map { channels[$0] }
        let subject = channel.map { "\(serial) \($0.name)" } ?? serial.text
        self.init(
            .clear, program, leaf: program.leaf(alarm.side), serial, channel, value: alarm.value, limit: alarm.limit,
            unit: channel?.unit ?? "", text: "\(subject): \(cause.sentence)", at: time, position: nil,
            decided: decided, raised: alarm.raised)
        self.cause = cause
        if cause == .sensorDeleted { actions = [] }
        isFlapping = alarm.isFlapping
    }

    /// The alarm about a rule that failed, or its end.
    init(
        _ edge: Alarm.Edge, _ failure: RuleEngine.Failure, _ rule: Rule, at time: Timestamp, decided: StreamPosition
    ) {
        self.init(
            edge: edge, cause: nil, rule: failure.rule, leaf: "failed", severity: rule.severity, serial: failure.serial,
            channel: nil, value: 0, limit: 0, unit: "", time: time, position: nil, decided: decided,
            raised: failure.at, text: "rule \(failure.rule) was disabled: \(failure.reason)",
            runbook: rule.runbook ?? "", actions: [], isQuiet: false, isFlapping: false)
    }
}

extension RuleTransition.Cause {
    fileprivate var sentence: String {
        switch self {
        case .ruleChanged: "the rule has another condition now"
        case .noLongerSelected: "the rule does not select it any more"
        case .sensorDeleted: "the sensor was deleted or renamed"
        case .ruleDisabled: "the rule was disabled"
        case .ruleRemoved: "the rule was removed"
        }
    }
}

extension Rule {
    fileprivate func actions(on edge: Alarm.Edge) -> [RuleAction] {
        actions.filter {
            switch $0 {
            case .command(let command): command.moment.rawValue == edge.rawValue
            }
        }
    }
}
