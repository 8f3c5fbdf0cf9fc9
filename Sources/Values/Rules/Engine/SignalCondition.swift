internal import Model
internal import Signals
internal import Time

/// A condition that needs filters or moments of the samples.
final class SignalCondition: Sendable {
    private enum Measure: Equatable {
        /// The root mean square of a band over a window in seconds.
        case band(SignalBand, window: Double)
        /// Of a window in nanoseconds; nil: of each frame.
        case crestFactor(window: Int64?)
        case kurtosis(window: Int64?)
        /// The share of a curve.
        case particleVelocity(SignalBand, VelocityCurve)
    }

    /// The channel that it names.
    let channel: String?
    /// What is measured, for people.
    let name: String
    /// The unit of the value; nil: the channel's.
    let unit: String?
    private let measure: Measure
    private let bounds: RuleNode.Bounds

    /// - Returns: nil for other conditions, and for those with problems.
    init?(_ condition: Condition) {
        channel = condition.channelName
        switch condition {
        case .band(let fields):
            guard let band = SignalBand(from: fields.from, to: fields.to) else { return nil }
            measure = .band(band, window: fields.window?.seconds ?? 1)
            name = "rms of \(RuleWords.text(fields.from)) to \(RuleWords.text(fields.to)) Hz"
            unit = nil
            bounds = RuleNode.Bounds(above: fields.above, below: fields.below, hysteresis: fields.hysteresis)
        case .machine(let fields):
            guard let zones = fields.zones,
                let band = SeverityZones.band(
                    isSlow: fields.isSlow ?? false, isAcceleration: fields.unit.isAcceleration,
                    factor: fields.unit.factor)
            else { return nil }
            measure = .band(band, window: fields.window?.seconds ?? 1)
            name = "vibration velocity"
            unit = "mm/s"
            bounds = RuleNode.Bounds(
                above: zones.border(of: fields.zone.severity), below: nil, hysteresis: fields.hysteresis)
        case .crestFactor(let fields):
            measure = .crestFactor(window: fields.window?.nanoseconds)
            (name, unit) = ("crest factor", "")
            bounds = RuleNode.Bounds(above: fields.above, below: nil, hysteresis: fields.hysteresis)
        case .kurtosis(let fields):
            measure = .kurtosis(window: fields.window?.nanoseconds)
            (name, unit) = ("kurtosis", "")
            bounds = RuleNode.Bounds(above: fields.above, below: nil, hysteresis: fields.hysteresis)
        case .particleVelocity(let fields):
            guard let curve = fields.velocityCurve,
                let band = ParticleVelocity.band(
                    isAcceleration: fields.unit.isAcceleration, factor: fields.unit.factor)
            else { return nil }
            measure = .particleVelocity(band, curve)
            (name, unit) = ("share of the curve of particle velocity", "")
            bounds = RuleNode.Bounds(above: fields.share ?? 1, below: nil, hysteresis: fields.hysteresis)
        default: return nil
        }
    }

    /// Whether the samples go through a filter.
    var isFiltered: Bool {
        switch measure {
        case .band, .particleVelocity: true
        case .crestFactor, .kurtosis: false
        }
    }

    /// Whether a window of one is of use for the other.
    func remembersTheSame(as other: SignalCondition) -> Bool { measure == other.measure }

    func limit(_ side: RuleTruth) -> Double? { bounds.limit(of: side) }

    /// Judges the samples of a frame.
    /// - Returns: false if they say nothing, for example because the window is not full yet.
    func judge(
        _ samples: borrowing Span<Double>, _ moment: RuleMoment, at base: Int,
        _ words: inout MutableSpan<UInt64>, _ window: inout SignalWindow
    ) -> Bool {
        let follows = moment.isContinuous && window.frame == moment.number &- 1
        window.frame = moment.number
        switch measure {
        case .band(let band, let seconds):
            guard let rate = moment.frame.rate?.hertz else { return false }
            var level: BandLevel = if case .band(let level) = window.memory { level } else { BandLevel() }
            let reading = level.add(samples, rate: rate, isContinuous: follows, band: band, window: seconds)
            window.memory = .band(level)
            guard let reading else { return false }
            return set(reading.lowest, reading.highest, base, &words)
        case .crestFactor(let length):
            guard let moments = moments(samples, length, moment, &window), let value = moments.crestFactor else {
                return false
            }
            return set(value, value, base, &words)
        case .kurtosis(let length):
            guard let moments = moments(samples, length, moment, &window), let value = moments.kurtosis else {
                return false
            }
            return set(value, value, base, &words)
        case .particleVelocity(let band, let curve):
            guard let rate = moment.frame.rate?.hertz else { return false }
            var velocity: ParticleVelocity =
                if case .velocity(let velocity) = window.memory { velocity } else { ParticleVelocity() }
            let peak = velocity.add(samples, rate: rate, isContinuous: follows, band: band, curve: curve)
            window.memory = .velocity(velocity)
            guard let peak else { return false }
            return set(peak.share, peak.share, base, &words)
        }
    }

    private func moments(
        _ samples: borrowing Span<Double>, _ length: Int64?, _ moment: RuleMoment,
        _ window: inout SignalWindow
    ) -> SampleMoments? {
        let moments = SampleMoments(samples)
        guard let length else { return moments.count > 1 ? moments : nil }
        guard moments.count > 0 else { return nil }
        var sums: MomentWindow = if case .moments(let sums) = window.memory { sums } else { MomentWindow() }
        let all = sums.add(moments, at: moment.tau.unixNanoseconds, window: length)
        window.memory = .moments(sums)
        return all
    }

    private func set(_ lowest: Double, _ highest: Double, _ base: Int, _ words: inout MutableSpan<UInt64>) -> Bool {
        guard lowest.isFinite, highest.isFinite else { return false }
        let before = RuleTruth(rawValue: words[base]) ?? .unknown
        let truth = bounds.judge(before, minimum: lowest, maximum: highest)
        words[base + RuleNode.Word.truth] = truth.rawValue
        let isLow = (truth.holds ? truth : before) == .low
        words[number: base + RuleNode.Word.value] = isLow ? lowest : highest
        return true
    }
}
