/// When a rule raises an alarm: one kind of condition, or several joined.
///
/// In YAML and JSON a condition is an object with one key, which names the kind, and perhaps `for`:
/// `{threshold: {above: 80}, for: 10s}`. docs/rules.md describes every kind.
public indirect enum Condition: Sendable, Equatable {
    /// A value is above or below a limit.
    case threshold(Threshold)
    /// A value changes faster than a limit.
    case rateOfChange(RateOfChange)
    /// Nothing arrives.
    case noData(NoData)
    /// The root mean square within a band of frequencies.
    case band(Band)
    /// A severity zone of ISO 20816.
    case machine(Machine)
    /// Peak over root mean square.
    case crestFactor(Shape)
    /// The fourth standardised moment; 3 for normally distributed noise.
    case kurtosis(Shape)
    /// Peak particle velocity against a curve over frequency.
    case particleVelocity(ParticleVelocity)
    /// Outside of what is usual.
    case baseline(Baseline)
    /// Always the same value.
    case flatline(Flatline)
    /// At the rails of the converter.
    case clipping(Clipping)
    /// The mean has moved.
    case shift(Shift)
    /// Not even noise.
    case dead(Dead)
    /// The sensor left or entered a place.
    case place(Place)
    /// A counter counts faster or slower than a limit.
    case counter(Counter)
    /// All of these, of one sensor.
    case all([Condition])
    /// At least one of these, of one sensor.
    case any([Condition])
    /// The opposite; it holds only once the condition could be judged.
    case not(Condition)
    /// The condition has held for that long without interruption, in signal time.
    case sustained(Condition, for: RuleDuration)
    /// On at least so many sensors of a target. Not evaluated yet: `problems` refuses it.
    case several(Several)
    /// A word that the sensor reports, such as its state. Not evaluated yet: `problems` refuses it.
    case word(Word)

    /// The kind's name in YAML.
    public var kind: String {
        switch self {
        case .threshold: "threshold"
        case .rateOfChange: "rate_of_change"
        case .noData: "no_data"
        case .band: "band"
        case .machine: "machine"
        case .crestFactor: "crest_factor"
        case .kurtosis: "kurtosis"
        case .particleVelocity: "particle_velocity"
        case .baseline: "baseline"
        case .flatline: "flatline"
        case .clipping: "clipping"
        case .shift: "shift"
        case .dead: "dead"
        case .place: "place"
        case .counter: "counter"
        case .all: "all"
        case .any: "any"
        case .not: "not"
        case .sustained(let inner, _): inner.kind
        case .several: "several"
        case .word: "word"
        }
    }

    /// The conditions that this one joins; empty for a leaf.
    public var parts: [Condition] {
        switch self {
        case .all(let parts), .any(let parts): parts
        case .not(let part), .sustained(let part, for: _): [part]
        case .several(let several): [several.condition]
        default: []
        }
    }

    /// Whether two conditions have the same kinds in the same places, so that the state of one goes on as that of the other.
    public func isSameKind(as other: Condition) -> Bool {
        guard kind == other.kind, isSustained == other.isSustained else { return false }
        return parts.count == other.parts.count && zip(parts, other.parts).allSatisfy { $0.isSameKind(as: $1) }
    }

    private var isSustained: Bool { if case .sustained = self { true } else { false } }
}

/// The fields of one kind of condition: an object that refuses unknown keys.
protocol ConditionFields: Codable, Sendable, Equatable {
    /// The names of all fields.
    static var names: [String] { get }
}
