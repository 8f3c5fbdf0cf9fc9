internal import Time

/// One condition of a compiled rule, with the place of its state. A class, so that no copies are made where frames are judged.
final class RuleNode: Sendable {
    /// By what a condition is judged.
    enum Route: Sendable {
        case block
        case samples
        case place
        case silence
        case parts
    }

    /// What it does. Limits that are absent are infinite.
    enum Operation: Sendable {
        case threshold(of: Condition.Statistic, Bounds)
        /// A threshold of samples under `for`: samples decide how long it was held.
        case held(Bounds, nanoseconds: Int64)
        case rate(Bounds, per: Double, over: Int64)
        case counter(Bounds, per: Double, over: Int64, wrapsAt: Double)
        case silence(after: Int64, isOfChannel: Bool)
        case baseline(Baseline)
        case flatline(after: Int64, within: Double)
        case clipping(low: Double?, high: Double?, share: Double)
        case shift(by: Double, hysteresis: Double, window: Int64)
        case dead(below: Double, hysteresis: Double)
        case place(PlaceBorder, isOutside: Bool, margin: Double)
        case signal(SignalCondition)
        case all(count: Int)
        case any(count: Int)
        case not
        case sustained(nanoseconds: Int64)
    }

    /// Limits on one side or both.
    struct Bounds: Sendable, Equatable {
        var above: Double
        var below: Double
        var hysteresis: Double

        init(above: Double?, below: Double?, hysteresis: Double?) {
            self.above = above ?? .infinity
            self.below = below ?? -.infinity
            self.hysteresis = max(0, hysteresis ?? 0)
        }

        /// Which limit is crossed after `truth`, if the values lie in this range; `no` for none.
        func judge(_ truth: RuleTruth, minimum: Double, maximum: Double) -> RuleTruth {
            switch truth {
            case .yes where maximum > above - hysteresis && above < .infinity: return .yes
            case .low where minimum < below + hysteresis && below > -.infinity: return .low
            default: return maximum > above ? .yes : minimum < below ? .low : .no
            }
        }

        /// On which side all samples are, if the smallest and the largest decide it; nil if the samples must be looked at.
        func decide(_ side: RuleTruth, minimum: Double, maximum: Double) -> RuleTruth? {
            if minimum > above || side == .yes && minimum > above - hysteresis { return .yes }
            if maximum < below || side == .low && maximum < below + hysteresis { return .low }
            return !side.holds && maximum <= above && minimum >= below ? .no : nil
        }

        /// The limit on a side; nil if there is none.
        func limit(of side: RuleTruth) -> Double? {
            let limit = side == .low || side != .yes && above == .infinity ? below : above
            return limit.isFinite ? limit : nil
        }
    }

    /// What a moving baseline is made of.
    struct Baseline: Sendable {
        var of: Condition.Statistic
        var sigmas: Double
        var window: Double
        /// Nil: one baseline for all hours.
        var hours: ZoneOffsets?
        var side: Condition.Baseline.Side
        var minimum: Double
    }

    let operation: Operation
    let route: Route
    /// The index in the program's `channelNames`; nil: the channel of the instance.
    let named: Int?
    /// The number of nodes of the tree of which this is the root.
    let size: Int
    /// The first word of its state, from the beginning of the instance's.
    let firstWord: Int
    let wordCount: Int
    /// The index of its window among the instance's; nil: it has none.
    let window: Int?
    /// Whether it touches samples.
    let touchesSamples: Bool

    init(
        _ operation: Operation, named: Int?, size: Int, firstWord: Int, wordCount: Int, window: Int?,
        touchesSamples: Bool
    ) {
        self.operation = operation
        self.named = named
        self.size = size
        self.firstWord = firstWord
        self.wordCount = wordCount
        self.window = window
        self.touchesSamples = touchesSamples
        route =
            switch operation {
            case .silence: .silence
            case .place: .place
            case .signal: .samples
            case .all, .any, .not, .sustained: .parts
            default: .block
            }
    }

    /// Whether samples go through a filter.
    var isFiltered: Bool { if case .signal(let condition) = operation { condition.isFiltered } else { false } }
}
