public import Model
public import Time

extension RuleEngine {
    /// Replaces the rules by those of another revision. Conditions of the same kind keep their state and are judged again at
    /// the next frame; other alarms clear with their cause. A revision that is not newer changes nothing.
    public mutating func adopt(
        _ revision: RuleRevision, at position: StreamPosition, stamp: Timestamp,
        into transitions: inout [RuleTransition]
    ) {
        guard revision.number > self.revision else { return }
        let old = catalog
        catalog = RuleCatalog(revision)
        let changes = RevisionChanges(from: old.revision, to: revision)
        keepFailures(changes, old, at: position, stamp: stamp, into: &transitions)
        let before = states
        states.removeAll(keepingCapacity: true)
        silenceDue.removeAll(keepingCapacity: true)
        indexes.removeAll(keepingCapacity: true)
        for state in before {
            move(state, changes, at: position, stamp: stamp, into: &transitions)
        }
    }

    /// Keeps failures of rules that did not change, and ends the alarms about the others.
    private mutating func keepFailures(
        _ changes: RevisionChanges, _ old: RuleCatalog, at position: StreamPosition, stamp: Timestamp,
        into transitions: inout [RuleTransition]
    ) {
        failures.removeAll { failure in
            let rule = catalog.revision.rules.firstIndex { $0.name == failure.rule }
            let cause: RuleTransition.Cause
            if let rule, changes.isSame(failure.rule) {
                catalog.isFailed[rule] = true
                return false
            } else if let rule {
                cause = catalog.revision.rules[rule].isEnabled ? .ruleChanged : .ruleDisabled
            } else {
                cause = .ruleRemoved
            }
            if let rule = old.revision.rules.first(where: { $0.name == failure.rule }) {
                var clear = RuleTransition(.clear, failure, rule, at: stamp, decided: position)
                clear.cause = cause
                transitions.append(clear)
            }
            return true
        }
    }

    /// Takes over what is known of a sensor.
    private mutating func move(
        _ state: SensorState, _ changes: RevisionChanges, at position: StreamPosition, stamp: Timestamp,
        into transitions: inout [RuleTransition]
    ) {
        let isDeleted = changes.deleted.contains(state.serial.text)
        let plan = isDeleted ? nil : catalog.plan(of: state.serial)
        var moved = plan.map { SensorState($0, state) }
        for instance in state.plan.instances {
            let place = plan?.instance(of: instance.program.rule.name, on: state.plan.name(of: instance.channel))
            // The channel that alarms are of is a part of their identity.
            if let plan, let place, instance.program.rule.condition.isSameKind(as: place.program.rule.condition),
                plan.name(of: place.alarmChannel) == state.plan.name(of: instance.alarmChannel)
            {
                moved?.take(instance, of: state, to: place)
                continue
            }
            let alarm = RuleAlarmState(state.words.span, at: instance.firstWord)
            guard alarm.isOn else { continue }
            let cause =
                isDeleted
                ? RuleTransition.Cause.sensorDeleted
                : changes.cause(instance.program.rule, isSelected: place != nil)
            transitions.append(
                RuleTransition(
                    cause, instance, state.plan.channels, state.serial, alarm, at: stamp, decided: position))
        }
        guard var moved else { return }
        moved.beginSilence()
        append(moved)
        silenceDue[states.count - 1] = moved.nextSilence(listened)
    }
}

/// What is different in a revision.
private struct RevisionChanges {
    let deleted: Set<String>
    private let before: [String: Rule]
    private let after: [String: Rule]

    init(from old: RuleRevision, to new: RuleRevision) {
        deleted = Set(new.deleted)
        before = Dictionary(old.rules.map { ($0.name, $0) }) { first, _ in first }
        after = Dictionary(new.rules.map { ($0.name, $0) }) { first, _ in first }
    }

    /// Whether a rule is as it was.
    func isSame(_ name: String) -> Bool { before[name] != nil && before[name] == after[name] }

    /// Why an alarm of a rule ends.
    func cause(_ rule: Rule, isSelected: Bool) -> RuleTransition.Cause {
        if isSelected { return .ruleChanged }
        if rule.isLimit { return .ruleRemoved }
        guard let now = after[rule.name] else { return .ruleRemoved }
        if !now.isEnabled { return .ruleDisabled }
        return now.condition.isSameKind(as: rule.condition) ? .noLongerSelected : .ruleChanged
    }
}

extension SensorState {
    /// The state of a sensor under another plan, without that of its instances.
    fileprivate init(_ plan: SensorPlan, _ other: SensorState) {
        self.init(other.serial, plan, heard: other.heard)
        clock = other.clock
        // The silence of channels begins when it began.
        for index in words.indices { words[index] = 0 }
    }

    /// Takes over the state of an instance. What a condition remembers of a signal is forgotten if it is about another channel
    /// or number now; whether it holds is not.
    fileprivate mutating func take(_ old: SensorPlan.Instance, of state: SensorState, to new: SensorPlan.Instance) {
        for word in 0..<RuleProgram.Header.count {
            words[new.firstWord + word] = state.words[old.firstWord + word]
        }
        for (before, after) in zip(old.program.nodes, new.program.nodes) {
            let (from, to) = (old.firstWord + before.firstWord, new.firstWord + after.firstWord)
            func channel(_ node: RuleNode, _ program: RuleProgram) -> String? {
                node.named.map { program.channelNames[$0] }
            }
            let isSame =
                before.wordCount == after.wordCount && channel(before, old.program) == channel(after, new.program)
                && before.operation.remembersTheSame(as: after.operation)
            let count = isSame ? before.wordCount : min(1, before.wordCount, after.wordCount)
            for word in 0..<count { words[to + word] = state.words[from + word] }
            if isSame, let source = before.window, let target = after.window {
                windows[new.firstWindow + target] = state.windows[old.firstWindow + source]
            }
        }
    }
}

extension RuleNode.Operation {
    /// Whether what is remembered for one is of use for the other: it is of the same number of the signal.
    fileprivate func remembersTheSame(as other: RuleNode.Operation) -> Bool {
        switch (self, other) {
        case (.threshold(let left, _), .threshold(let right, _)): left == right
        case (.baseline(let left), .baseline(let right)):
            left.of == right.of && (left.hours == nil) == (right.hours == nil)
        case (.counter(_, _, _, let left), .counter(_, _, _, let right)): left == right || left.isNaN && right.isNaN
        case (.signal(let left), .signal(let right)): left.remembersTheSame(as: right)
        default: true
        }
    }
}
