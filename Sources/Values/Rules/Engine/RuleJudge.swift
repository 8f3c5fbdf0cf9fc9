internal import Model
internal import Time

/// Judges all rules of one sensor by one frame or tick.
struct RuleJudge {
    /// Triggers of a rule on a sensor within `flapSeconds` from which on it is flapping, the last one included.
    static let flapTriggers = 5
    /// Seconds.
    static let flapSeconds: Int64 = 600
    /// The most conditions of a rule.
    static let nodesMax = 32

    let moment: RuleMoment
    let plan: SensorPlan
    let budget: RuleBudget
    /// By the rule's index.
    let isFailed: [Bool]
    /// The rules that exceeded their budget now.
    private(set) var failed: [Int] = []
    /// The samples of a block as numbers, for the rules that follow one another.
    private var numbers: (block: Int, samples: [Double]) = (-1, [])

    init(_ moment: RuleMoment, _ plan: SensorPlan, budget: RuleBudget, isFailed: [Bool]) {
        self.moment = moment
        self.plan = plan
        self.budget = budget
        self.isFailed = isFailed
    }

    mutating func run(
        _ words: inout MutableSpan<UInt64>, _ windows: inout [SignalWindow], into transitions: inout [RuleTransition]
    ) {
        var (spent, last) = (0, -1)
        let instances = plan.instances
        for index in instances.indices {
            if let rule = instances[index].rule {
                if isFailed[rule] { continue }
                if rule != last { (spent, last) = (0, rule) }
                spent = spent &+ cost(of: instances[index])
                if spent > budget.operationsMax {
                    if failed.last != rule { failed.append(rule) }
                    continue
                }
            }
            if moment.isTick, instances[index].program.silenceMin == nil { continue }
            judge(instances[index], &words, &windows, &transitions)
        }
    }

    private func cost(of instance: SensorPlan.Instance) -> Int {
        let nodes = instance.program.nodes
        guard instance.program.touchesSamples, !moment.isTick else { return nodes.count * budget.perBlock }
        var cost = 0
        for node in nodes {
            cost += budget.perBlock
            guard node.touchesSamples else { continue }
            let block = self.block(node, instance)
            guard block >= 0 else { continue }
            cost +=
                moment.frame.blocks[block].samples.count
                * (node.isFiltered ? budget.perFilteredSample : budget.perSample)
        }
        return cost
    }

    /// The index of the block that a leaf is about; -1: the frame has none.
    @inline(__always)
    private func block(_ node: RuleNode, _ instance: SensorPlan.Instance) -> Int {
        let channel = node.named.map { instance.named[$0] } ?? instance.channel ?? -1
        return channel < 0 || moment.blockOf.isEmpty ? -1 : moment.blockOf[channel]
    }

    // MARK: the tree

    private mutating func judge(
        _ instance: SensorPlan.Instance, _ words: inout MutableSpan<UInt64>, _ windows: inout [SignalWindow],
        _ transitions: inout [RuleTransition]
    ) {
        let nodes = instance.program.nodes
        var truths = Truths(repeating: .unknown)
        if nodes.count == 1, nodes[0].wordCount > 0 {
            let base = instance.firstWord + nodes[0].firstWord
            guard judgeLeaf(nodes[0], instance, base, &words, &windows) else { return }
            truths[0] = RuleTruth(rawValue: words[base]) ?? .unknown
            return change(instance, to: truths[0], truths, &words, &transitions)
        }
        var fresh: UInt64 = 0
        for index in nodes.indices {
            let base = instance.firstWord + nodes[index].firstWord
            let isFresh: Bool
            switch nodes[index].operation {
            case .all(let count):
                (truths[index], isFresh) = join(nodes, index, count, truths, fresh, decisive: .no)
            case .any(let count):
                (truths[index], isFresh) = join(nodes, index, count, truths, fresh, decisive: .yes)
            case .not:
                isFresh = fresh & (1 << UInt64(index - 1)) != 0
                let inner = truths[index - 1]
                truths[index] = inner == .unknown ? .unknown : inner.holds ? .no : .yes
            case .sustained(let nanoseconds):
                isFresh = fresh & (1 << UInt64(index - 1)) != 0
                if isFresh, !moment.isTick { sustain(truths[index - 1], nanoseconds, base, &words) }
                truths[index] =
                    switch words[base] {
                    case 0: .unknown
                    case 2: .yes
                    default: .no
                    }
            default:
                isFresh = judgeLeaf(nodes[index], instance, base, &words, &windows)
                truths[index] = RuleTruth(rawValue: words[base]) ?? .unknown
            }
            if isFresh { fresh |= 1 << UInt64(index) }
        }
        let root = nodes.count - 1
        guard root >= 0, fresh & (1 << UInt64(root)) != 0, truths[root] != .unknown else { return }
        change(instance, to: truths[root], truths, &words, &transitions)
    }

    /// All parts, if `decisive` is `no`; any of them, if it is `yes`.
    private func join(
        _ nodes: [RuleNode], _ index: Int, _ count: Int, _ truths: Truths, _ fresh: UInt64, decisive: RuleTruth
    ) -> (RuleTruth, isFresh: Bool) {
        var (part, isFresh, isUnknown, isDecided) = (index - 1, false, false, false)
        for _ in 0..<count {
            if fresh & (1 << UInt64(part)) != 0 { isFresh = true }
            switch truths[part] {
            case .unknown: isUnknown = true
            case .no: if decisive == .no { isDecided = true }
            case .yes, .low: if decisive == .yes { isDecided = true }
            }
            part -= nodes[part].size
        }
        if isDecided { return (decisive, isFresh) }
        return (isUnknown || count == 0 ? .unknown : decisive == .no ? .yes : .no, isFresh)
    }

    /// Words: 0 unknown, 1 not held, 2 held long enough, 3 held for some time; since when.
    private func sustain(
        _ inner: RuleTruth, _ nanoseconds: Int64, _ base: Int, _ words: inout MutableSpan<UInt64>
    ) {
        switch inner {
        case .unknown: return
        case .no: (words[base], words[base + 1]) = (1, 0)
        case .yes, .low:
            if words[base] < 2 {
                words[base] = 3
                words[time: base + 1] = moment.tau
            }
            if moment.tauEnd.nanoseconds(since: words[time: base + 1]) >= nanoseconds { words[base] = 2 }
        }
    }

    private mutating func judgeLeaf(
        _ node: RuleNode, _ instance: SensorPlan.Instance, _ base: Int,
        _ words: inout MutableSpan<UInt64>, _ windows: inout [SignalWindow]
    ) -> Bool {
        switch node.route {
        case .block:
            let block = self.block(node, instance)
            return block >= 0 && node.judge(block, moment, at: base, &words)
        case .samples:
            let block = self.block(node, instance)
            guard block >= 0, case .signal(let condition) = node.operation, let window = node.window else {
                return false
            }
            if numbers.block != block { numbers = (block, moment.frame.blocks[block].samples.numbers) }
            return condition.judge(
                numbers.samples.span, moment, at: base, &words, &windows[instance.firstWindow + window])
        case .place:
            guard let place = moment.frame.place else { return false }
            return node.judge(place: place, at: base, &words)
        case .silence: return judgeSilence(node, instance, base, &words)
        case .parts: return false
        }
    }

    private func judgeSilence(
        _ node: RuleNode, _ instance: SensorPlan.Instance, _ base: Int,
        _ words: inout MutableSpan<UInt64>
    ) -> Bool {
        guard case .silence(let after, let isOfChannel) = node.operation else { return false }
        if !isOfChannel {
            let heard = moment.isTick ? moment.heard : nil
            return node.judgeSilence(after, heard: heard, listened: moment.listened, at: base, &words)
        }
        guard moment.isTick else {
            let block = self.block(node, instance)
            return block >= 0 && node.judge(block, moment, at: base, &words)
        }
        let heard = Int64(bitPattern: words[base + 2]) &- 1
        return node.judgeSilence(after, heard: heard, listened: moment.listened, at: base, &words)
    }

    // MARK: alarms

    private func change(
        _ instance: SensorPlan.Instance, to truth: RuleTruth, _ truths: Truths,
        _ words: inout MutableSpan<UInt64>, _ transitions: inout [RuleTransition]
    ) {
        let base = instance.firstWord
        if truth == .unknown || !truth.holds && words[base] & 1 == 0 { return }
        let program = instance.program
        var alarm = RuleAlarmState(words.span, at: base)
        if alarm.isOn, !truth.holds || program.isTwoSided && truth != alarm.side {
            let decider = decide(program, truths, isOn: false)
            var transition = self.transition(.clear, instance, alarm, decider, side: alarm.side, words)
            transition.isFlapping = alarm.isFlapping
            transitions.append(transition)
            alarm.clear()
            alarm.write(to: &words, at: base)
        }
        guard truth.holds, !alarm.isOn, program.calendar?.isMaintenance(at: moment.time) != true else { return }
        let decider = decide(program, truths, isOn: true)
        alarm.raise(at: moment.decided, side: truth, time: moment.time)
        var transition = self.transition(.trigger, instance, alarm, decider, side: truth, words)
        transition.isFlapping = alarm.isFlapping
        transition.isQuiet = program.calendar?.isQuiet(at: moment.time) ?? false
        (alarm.value, alarm.limit) = (transition.value, transition.limit)
        transitions.append(transition)
        alarm.write(to: &words, at: base)
    }

    /// The leaf that decided: the first that holds if the whole holds, the first that does not if it does not.
    private func decide(_ program: RuleProgram, _ truths: Truths, isOn: Bool) -> Int {
        let nodes = program.nodes
        var (index, wanted) = (nodes.count - 1, isOn)
        while nodes[index].size > 1 {
            let count =
                switch nodes[index].operation {
                case .all(let count), .any(let count): count
                default: 1
                }
            if case .not = nodes[index].operation { wanted.toggle() }
            var part = index - 1
            var found = part
            for _ in 0..<count {
                if truths[part].holds == wanted, truths[part] != .unknown || count == 1 { found = part }
                part -= nodes[part].size
            }
            index = found
        }
        return index
    }

    private func transition(
        _ edge: Alarm.Edge, _ instance: SensorPlan.Instance, _ alarm: RuleAlarmState, _ decider: Int,
        side: RuleTruth, _ words: borrowing MutableSpan<UInt64>
    ) -> RuleTransition {
        let node = instance.program.nodes[decider]
        let base = instance.firstWord + node.firstWord
        var value = node.wordCount > 0 ? Double(bitPattern: words[base + RuleNode.Word.value]) : 0
        if case .threshold(of: .sample, _) = node.operation {
            let block = self.block(node, instance)
            if block >= 0 {
                let statistics = moment.statistics[block]
                value = (side == .low ? statistics.min : statistics.max) ?? value
            }
        }
        let index = node.named.map { instance.named[$0] } ?? instance.channel
        let channel = index.flatMap { $0 >= 0 ? plan.channels[$0] : nil }
        let stored = node.wordCount > 2 ? Double(bitPattern: words[base + 2]) : 0
        let limit = node.limit(side, value: value, stored: stored)
        let words = RuleWords(
            program: instance.program, node: node, serial: moment.serial, channel: channel, value: value, limit: limit)
        return RuleTransition(
            edge, instance.program, leaf: instance.program.leaf(side), moment.serial,
            instance.alarmChannel.map { plan.channels[$0] }, value: value, limit: limit, unit: words.unit,
            text: words.text(edge, side), at: moment.time, position: moment.frame.position, decided: moment.decided,
            raised: alarm.raised)
    }

    /// What the conditions of a rule say, by the index of their node.
    private struct Truths {
        private var values: InlineArray<32, RuleTruth>

        init(repeating truth: RuleTruth) { values = InlineArray(repeating: truth) }

        subscript(index: Int) -> RuleTruth {
            get { values[index] }
            set { values[index] = newValue }
        }
    }
}
