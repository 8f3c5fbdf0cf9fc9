public import Model
public import Time

/// Evaluates the rules of a revision over the messages of one partition: a pure value, a function of the stream.
///
/// It is told of frames, ticks and revisions in the order of the stream. Two engines that were told the same come to the same
/// transitions, also if one of them was encoded and decoded in between.
public struct RuleEngine: Sendable {
    /// What was seen and not judged, and rules that failed; for metrics and logs.
    public struct Counts: Sendable, Equatable {
        /// Frames that were judged.
        public var frames: Int64 = 0
        /// Frames that were older than the newest of their boot, or repeated: they are for history only.
        public var late: Int64 = 0
        /// Steps of sensors' clocks that held for two frames.
        public var clockSteps: Int64 = 0
        /// Rules that were disabled because they exceeded their budget.
        public var failures: Int64 = 0
    }

    /// A rule that the engine disabled by itself.
    public struct Failure: Sendable, Equatable {
        /// The rule's name.
        public var rule: String
        /// The sensor whose message it failed with.
        public var serial: SerialNumber
        /// Why, in one sentence.
        public var reason: String
        /// The message that it failed with.
        public var at: StreamPosition
    }

    /// The longest time between two ticks that counts as listening, in nanoseconds.
    public static let tickGapMax: Int64 = 3_000_000_000

    /// What was counted since the engine was made or decoded.
    public private(set) var counts = Counts()
    /// The rules that failed, in the order of their failures.
    public internal(set) var failures: [Failure] = []

    let clockRule: ClockRule
    let budget: RuleBudget
    var catalog: RuleCatalog
    var states: [SensorState] = []
    /// For each state the listened time at which silence is to be judged next.
    var silenceDue: [Int64] = []
    /// The index in `states` by serial number.
    var indexes: [SerialNumber: Int] = [:]
    /// Nanoseconds between ticks, gaps omitted.
    var listened: Int64 = 0
    var lastTick: Timestamp?
    private var blockOf: [Int] = []
    private var computed: [SampleStatistics] = []

    /// The number of the revision that is evaluated.
    public var revision: Int64 { catalog.revision.number }
    /// The number of (rule, sensor or channel) that have a state.
    public var stateCount: Int { states.reduce(0) { $0 + $1.plan.instances.count } }
    /// Names of enabled rules that are not evaluated because they have problems, with the first of each.
    public var refused: [(rule: String, problem: RuleProblem)] { catalog.refused }

    /// An engine that has heard nothing yet.
    /// - Parameters:
    ///   - clockRule: which device times to believe; it must be the ingester's, so that alarms and rows have the same times.
    public init(_ revision: RuleRevision, clockRule: ClockRule = ClockRule(), budget: RuleBudget = RuleBudget()) {
        self.clockRule = clockRule
        self.budget = budget
        catalog = RuleCatalog(revision)
    }

    // MARK: frames

    /// Judges a valid frame.
    /// - Parameters:
    ///   - statistics: those of each block, if they are known already; empty: they are computed.
    ///   - position: the message's place in the stream.
    ///   - received: the broker's stamp.
    ///   - transitions: what follows is appended, a clear before a trigger.
    public mutating func observe(
        _ frame: Frame, of serial: SerialNumber, statistics: [SampleStatistics] = [], at position: StreamPosition,
        received: Timestamp, into transitions: inout [RuleTransition]
    ) {
        guard let index = state(of: serial) else { return }
        let span = frame.spanNanoseconds
        let time = clockRule.judge(start: frame.start, spanNanoseconds: span, received: received).time
        let length = frame.rate.map { $0.nanoseconds(toSample: Int64(frame.length)) } ?? 0
        let tau: Timestamp
        switch states[index].clock.note(frame.position, start: time, length: length, received: received) {
        case .late:
            counts.late += 1
            return
        case .judge(let time): tau = time
        case .judgeAfterStep(let time):
            counts.clockSteps += 1
            tau = time
        }
        counts.frames += 1
        let plan = states[index].plan
        states[index].heard = listened + sinceTick(received)
        if let silence = plan.silenceMin { silenceDue[index] = min(silenceDue[index], listened + silence) }
        findBlocks(of: frame, plan.channels)
        if statistics.isEmpty { compute(frame) }
        let moment = RuleMoment(
            frame, states[index], statistics: statistics.isEmpty ? computed : statistics, blockOf: blockOf,
            decided: position, time: time, tau: tau, tauEnd: tau.advanced(byNanoseconds: span))
        judge(moment, index, into: &transitions)
    }

    /// The state of a sensor that rules select; nil for other sensors.
    private mutating func state(of serial: SerialNumber) -> Int? {
        if let index = indexes[serial] { return index }
        guard let plan = catalog.plan(of: serial) else { return nil }
        append(SensorState(serial, plan, heard: listened))
        return states.count - 1
    }

    mutating func append(_ state: SensorState) {
        indexes[state.serial] = states.count
        states.append(state)
        silenceDue.append(state.plan.silenceMin.map { state.heard + $0 } ?? .max)
    }

    /// How long before this the last tick was, as far as it counts.
    private func sinceTick(_ stamp: Timestamp) -> Int64 {
        guard let lastTick else { return 0 }
        let elapsed = stamp.nanoseconds(since: lastTick)
        return elapsed > Self.tickGapMax ? 0 : max(0, elapsed)
    }

    private mutating func findBlocks(of frame: Frame, _ channels: [RuleRevision.Channel]) {
        blockOf.removeAll(keepingCapacity: true)
        for index in channels.indices {
            if index < frame.blocks.count, Self.isBlock(frame.blocks[index].channel, of: channels[index]) {
                blockOf.append(index)
            } else {
                blockOf.append(frame.blocks.firstIndex { Self.isBlock($0.channel, of: channels[index]) } ?? -1)
            }
        }
    }

    private static func isBlock(_ key: ChannelKey, of channel: borrowing RuleRevision.Channel) -> Bool {
        switch key {
        case .number(let number): channel.number == number
        case .name(let name): channel.name == name
        }
    }

    /// The statistics of the blocks that rules ask for.
    private mutating func compute(_ frame: Frame) {
        computed.removeAll(keepingCapacity: true)
        for index in frame.blocks.indices {
            let samples = frame.blocks[index].samples
            computed.append(SampleStatistics(blockOf.contains(index) ? samples : .floats([])))
        }
    }

    private mutating func judge(_ moment: RuleMoment, _ index: Int, into transitions: inout [RuleTransition]) {
        var judge = RuleJudge(moment, states[index].plan, budget: budget, isFailed: catalog.isFailed)
        var windows: [SignalWindow] = []
        swap(&windows, &states[index].windows)
        var words = states[index].words.mutableSpan
        judge.run(&words, &windows, into: &transitions)
        states[index].windows = windows
        for rule in judge.failed { fail(rule, moment, into: &transitions) }
    }

    // MARK: ticks

    /// Goes on to the time of a tick: silence is judged. If the tick before is longer ago than `tickGapMax`, the time
    /// between the two does not count as silence.
    public mutating func tick(
        _ stamp: Timestamp, at position: StreamPosition, into transitions: inout [RuleTransition]
    ) {
        listened += sinceTick(stamp)
        lastTick = max(lastTick ?? stamp, stamp)
        for index in silenceDue.indices where silenceDue[index] <= listened {
            let moment = RuleMoment(tick: stamp, states[index], decided: position, listened: listened)
            judge(moment, index, into: &transitions)
            silenceDue[index] = states[index].nextSilence(listened)
        }
    }

    // MARK: failures

    private mutating func fail(_ rule: Int, _ moment: RuleMoment, into transitions: inout [RuleTransition]) {
        guard let program = catalog.programs[rule], !catalog.isFailed[rule] else { return }
        catalog.isFailed[rule] = true
        counts.failures += 1
        let failure = Failure(
            rule: program.rule.name, serial: moment.serial,
            reason: "it needs more than \(budget.operationsMax) operations for one message", at: moment.decided)
        failures.append(failure)
        for index in states.indices {
            clear(at: index, .ruleDisabled, moment.decided, moment.time, into: &transitions) { $0.rule == rule }
        }
        transitions.append(
            RuleTransition(.trigger, failure, program.rule, at: moment.time, decided: moment.decided))
    }

    /// Clears the alarms of a sensor's instances.
    mutating func clear(
        at index: Int, _ cause: RuleTransition.Cause, _ decided: StreamPosition, _ time: Timestamp,
        into transitions: inout [RuleTransition], where isMeant: (SensorPlan.Instance) -> Bool
    ) {
        let (plan, serial) = (states[index].plan, states[index].serial)
        var words = states[index].words.mutableSpan
        for instance in plan.instances where isMeant(instance) {
            var alarm = RuleAlarmState(words.span, at: instance.firstWord)
            guard alarm.isOn else { continue }
            transitions.append(
                RuleTransition(cause, instance, plan.channels, serial, alarm, at: time, decided: decided))
            alarm.clear()
            alarm.write(to: &words, at: instance.firstWord)
        }
    }
}
