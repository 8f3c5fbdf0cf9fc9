internal import Time

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
                operation, named: named, size: size, firstWord: wordCount, wordCount: words, window: window,
                touchesSamples: samples))
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
