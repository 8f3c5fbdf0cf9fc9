internal import Time

/// A rule that was compiled: its conditions in the order in which they are evaluated, parts before the whole.
final class RuleProgram: Sendable {
    /// The words at the beginning of an instance's state.
    enum Header {
        /// Bit 0: an alarm is on. Bits 1…2: the truth that raised it.
        static let flags = 0
        /// The message that raised it.
        static let offset = 1
        static let incarnation = 2
        /// The value that raised it, and the limit.
        static let value = 3
        static let limit = 4
        /// The times of the four triggers before the last, in seconds, in half words.
        static let triggers = 5
        static let count = 7
    }

    let rule: Rule
    let nodes: [RuleNode]
    /// The channels that conditions name.
    let channelNames: [String]
    /// Whether there is an instance for each selected channel, and not one for the sensor.
    let isPerChannel: Bool
    /// The words of an instance's state.
    let wordCount: Int
    /// The windows of an instance.
    let windowCount: Int
    /// The shortest silence that it waits for; nil: it does not.
    let silenceMin: Int64?
    let calendar: RuleCalendar?
    let touchesSamples: Bool
    /// Whether an alarm says on which side the value is.
    let isTwoSided: Bool

    init(_ rule: Rule, zones: [String: ZoneOffsets]) {
        var compiler = RuleCompiler(zones: zones)
        compiler.add(rule.condition)
        self.rule = rule
        nodes = compiler.nodes
        channelNames = compiler.channelNames
        isPerChannel = compiler.isPerChannel
        wordCount = compiler.wordCount
        windowCount = compiler.windowCount
        silenceMin = compiler.silenceMin
        touchesSamples = compiler.nodes.contains(where: \.touchesSamples)
        calendar = rule.schedule.map { RuleCalendar($0, zone: zones[$0.zone] ?? ZoneOffsets(changes: [])) }
        isTwoSided =
            switch rule.condition {
            case .threshold: rule.isLimit
            default: false
            }
    }

    /// The part of the rule that an alarm is of.
    func leaf(_ truth: RuleTruth) -> String { isTwoSided ? truth == .low ? "low" : "high" : "" }
}

/// Turns a condition into nodes.
struct RuleCompiler {
    let zones: [String: ZoneOffsets]
    private(set) var nodes: [RuleNode] = []
    private(set) var channelNames: [String] = []
    private(set) var isPerChannel = false
    private(set) var wordCount = RuleProgram.Header.count
    private(set) var windowCount = 0
    private(set) var silenceMin: Int64?

    init(zones: [String: ZoneOffsets]) { self.zones = zones }

    mutating func add(_ condition: Condition) {
        switch condition {
        case .threshold(let fields):
            leaf(.threshold(of: fields.of ?? .sample, fields.bounds), fields.channel, words: 2)
        case .sustained(.threshold(let fields), for: let duration) where (fields.of ?? .sample) == .sample:
            leaf(.held(fields.bounds, nanoseconds: duration.nanoseconds), fields.channel, words: 4, samples: true)
        case .rateOfChange(let fields):
            leaf(
                .rate(fields.bounds, per: fields.per?.seconds ?? 1, over: fields.over?.nanoseconds ?? 0),
                fields.channel, words: 6)
        case .counter(let fields):
            leaf(
                .counter(
                    fields.bounds, per: fields.per?.seconds ?? 1, over: fields.over?.nanoseconds ?? 0,
                    wrapsAt: fields.wrapsAt ?? .nan), fields.channel, words: 9, samples: true)
        case .noData(let fields): add(fields)
        case .baseline(let fields): add(fields)
        case .flatline(let fields):
            leaf(
                .flatline(after: fields.after.nanoseconds, within: fields.within ?? 0), fields.channel, words: 6)
        case .clipping(let fields):
            leaf(
                .clipping(low: fields.low, high: fields.high, share: fields.share ?? 0), fields.channel, words: 2,
                samples: true)
        case .shift(let fields):
            leaf(
                .shift(by: fields.by, hysteresis: fields.hysteresis ?? 0, window: fields.window.nanoseconds),
                fields.channel, words: 6)
        case .dead(let fields):
            leaf(.dead(below: fields.below, hysteresis: fields.hysteresis ?? 0), fields.channel, words: 2)
        case .place(let fields):
            append(
                .place(PlaceBorder(fields), isOutside: fields.when == .outside, margin: fields.margin ?? 0), words: 2)
        case .band, .machine, .crestFactor, .kurtosis, .particleVelocity:
            guard let signal = SignalCondition(condition) else { return never() }
            leaf(.signal(signal), signal.channel, words: 2, samples: true)
        case .all(let parts): join(parts) { .all(count: $0) }
        case .any(let parts): join(parts) { .any(count: $0) }
        case .not(let part): join([part]) { _ in .not }
        case .sustained(let part, for: let duration):
            join([part], words: 2) { _ in .sustained(nanoseconds: duration.nanoseconds) }
        case .several, .word: never()
        }
    }

    /// A condition that is not evaluated: any of nothing.
    private mutating func never() { append(.any(count: 0), words: 0) }

    private mutating func add(_ fields: Condition.NoData) {
        let after = fields.after.nanoseconds
        silenceMin = min(silenceMin ?? after, after)
        if fields.channel == nil {
            append(.silence(after: after, isOfChannel: false), words: 2)
        } else {
            leaf(.silence(after: after, isOfChannel: true), fields.channel, words: 3)
        }
    }

    private mutating func add(_ fields: Condition.Baseline) {
        let isHourly = fields.byHour ?? false
        let zone = zones[fields.zone ?? "UTC"] ?? ZoneOffsets(changes: [])
        leaf(
            .baseline(
                RuleNode.Baseline(
                    of: fields.of ?? .mean, sigmas: fields.sigmas, window: fields.window.seconds,
                    hours: isHourly ? zone : nil, side: fields.side ?? .both, minimum: Double(fields.minimum ?? 60))),
            fields.channel, words: isHourly ? 4 + 3 * 24 : 7)
    }

    private mutating func join(
        _ parts: [Condition], words: Int = 0, _ operation: (Int) -> RuleNode.Operation
    ) {
        let first = nodes.count
        for part in parts { add(part) }
        append(operation(parts.count), words: words, size: nodes.count - first + 1)
    }

    private mutating func leaf(
        _ operation: RuleNode.Operation, _ channel: String?, words: Int, samples: Bool = false
    ) {
        var named: Int?
        if let channel {
            named = channelNames.firstIndex(of: channel) ?? channelNames.count
            if named == channelNames.count { channelNames.append(channel) }
        } else {
            isPerChannel = true
        }
        append(operation, named: named, words: words, samples: samples)
    }

    private mutating func append(
        _ operation: RuleNode.Operation, named: Int? = nil, words: Int, samples: Bool = false, size: Int = 1
    ) {
        var window: Int?
        if case .signal = operation {
            window = windowCount
            windowCount += 1
        }
        nodes.append(
            RuleNode(
                operation: operation, named: named, size: size, firstWord: wordCount, wordCount: words,
                window: window, touchesSamples: samples))
        wordCount += words
    }
}

extension Condition.Threshold {
    fileprivate var bounds: RuleNode.Bounds { RuleNode.Bounds(above: above, below: below, hysteresis: hysteresis) }
}

extension Condition.RateOfChange {
    fileprivate var bounds: RuleNode.Bounds { RuleNode.Bounds(above: above, below: below, hysteresis: hysteresis) }
}

extension Condition.Counter {
    fileprivate var bounds: RuleNode.Bounds { RuleNode.Bounds(above: above, below: below, hysteresis: hysteresis) }
}
