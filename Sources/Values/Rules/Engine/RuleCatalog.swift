internal import Model

/// A revision that was compiled: programs by rule, plans by sensor.
struct RuleCatalog: Sendable {
    private struct LimitKey: Hashable {
        var channel: String
        var limits: RuleRevision.Limits
    }

    let revision: RuleRevision
    /// By the rule's index; nil: it is not evaluated.
    let programs: [RuleProgram?]
    let refused: [(rule: String, problem: RuleProblem)]
    /// By the rule's index: whether the engine disabled it.
    var isFailed: [Bool]
    private let entries: [SerialNumber: Int]
    private var plans: [SensorPlan.Key: SensorPlan] = [:]
    private var limitPrograms: [LimitKey: RuleProgram] = [:]

    init(_ revision: RuleRevision) {
        self.revision = revision
        var programs: [RuleProgram?] = []
        var refused: [(rule: String, problem: RuleProblem)] = []
        for rule in revision.rules {
            let problem = rule.isEnabled ? rule.problems.first : nil
            if let problem { refused.append((rule.name, problem)) }
            programs.append(rule.isEnabled && problem == nil ? RuleProgram(rule, zones: revision.zones) : nil)
        }
        self.programs = programs
        self.refused = refused
        isFailed = Array(repeating: false, count: programs.count)
        var entries: [SerialNumber: Int] = [:]
        entries.reserveCapacity(revision.sensors.count)
        for (index, sensor) in revision.sensors.enumerated() {
            if let serial = SerialNumber(sensor.serial) { entries[serial] = index }
        }
        self.entries = entries
    }

    /// The plan of a sensor; nil if no rule or limit applies to it.
    mutating func plan(of serial: SerialNumber) -> SensorPlan? {
        guard let entry = entries[serial] else { return nil }
        let sensor = revision.sensors[entry]
        let key = SensorPlan.Key(sensor)
        if let plan = plans[key] { return plan }
        var rules: [(program: RuleProgram, rule: Int?, channels: [Int])] = []
        for selection in sensor.rules where programs.indices.contains(selection.rule) {
            guard let program = programs[selection.rule] else { continue }
            rules.append((program, selection.rule, selection.channels))
        }
        for limits in sensor.limits where sensor.channels.indices.contains(limits.channel) {
            rules.append((program(limits, channel: sensor.channels[limits.channel].name), nil, [limits.channel]))
        }
        let plan = SensorPlan(channels: sensor.channels, rules)
        plans[key] = plan
        return plan
    }

    private mutating func program(_ limits: RuleRevision.Limits, channel: String) -> RuleProgram {
        let key = LimitKey(channel: channel, limits: limits)
        if let program = limitPrograms[key] { return program }
        let values = ChannelLimits(high: limits.high, low: limits.low, hysteresis: limits.hysteresis ?? 0)
        let program = RuleProgram(Rule(values, channel: channel), zones: [:])
        limitPrograms[key] = program
        return program
    }
}
