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

extension Condition {
    /// Which number of a frame is judged.
    public enum Statistic: String, Sendable, Codable, CaseIterable {
        /// Every sample: above holds if any sample is above, and no more once all are back.
        case sample
        /// The smallest sample.
        case min
        /// The largest sample.
        case max
        /// The arithmetic mean.
        case mean
        /// The root mean square.
        case rms
        /// The largest sample by magnitude.
        case peak
        /// The largest minus the smallest sample.
        case span
        /// The root mean square about the mean.
        case deviation
    }

    /// What a channel measures, for conditions that need velocity in mm/s.
    public enum MotionUnit: String, Sendable, Codable, CaseIterable {
        /// Acceleration in multiples of 9.80665 m/s².
        case g
        /// Acceleration in m/s².
        case metresPerSecondSquared = "m/s2"
        /// Velocity in mm/s.
        case millimetresPerSecond = "mm/s"
        /// Velocity in m/s.
        case metresPerSecond = "m/s"
    }

    /// Above or below a limit.
    public struct Threshold: ConditionFields {
        /// Which number of a frame; nil: `sample`.
        public var of: Statistic?
        /// Holds above this.
        public var above: Double?
        /// Holds below this.
        public var below: Double?
        /// How far the value must come back; nil: 0.
        public var hysteresis: Double?
        /// The channel's name; nil: each channel that the rule selects.
        public var channel: String?

        /// Limits on one side or both.
        public init(
            of: Statistic? = nil, above: Double? = nil, below: Double? = nil, hysteresis: Double? = nil,
            channel: String? = nil
        ) {
            self.of = of
            self.above = above
            self.below = below
            self.hysteresis = hysteresis
            self.channel = channel
        }

        static let names = ["of", "above", "below", "hysteresis", "channel"]
    }

    /// A change of the mean of frames in a time.
    public struct RateOfChange: ConditionFields {
        /// Holds above this change in `per`.
        public var above: Double?
        /// Holds below this change in `per`; negative for a fall.
        public var below: Double?
        /// The time that the limits refer to; nil: 1s.
        public var per: RuleDuration?
        /// The time over which the change is measured at least; nil: from frame to frame.
        public var over: RuleDuration?
        /// How far the rate must come back; nil: 0.
        public var hysteresis: Double?
        /// The channel's name; nil: each channel that the rule selects.
        public var channel: String?

        /// Limits of a rate of change.
        public init(
            above: Double? = nil, below: Double? = nil, per: RuleDuration? = nil, over: RuleDuration? = nil,
            hysteresis: Double? = nil, channel: String? = nil
        ) {
            self.above = above
            self.below = below
            self.per = per
            self.over = over
            self.hysteresis = hysteresis
            self.channel = channel
        }

        static let names = ["above", "below", "per", "over", "hysteresis", "channel"]
    }

    /// Nothing arrives for a time, by the broker's stamps.
    public struct NoData: ConditionFields {
        /// For how long.
        public var after: RuleDuration
        /// A channel that must have a finite sample; nil: any frame of the sensor is data.
        public var channel: String?

        /// Nothing for that long.
        public init(after: RuleDuration, channel: String? = nil) {
            self.after = after
            self.channel = channel
        }

        static let names = ["after", "channel"]
    }

    /// The root mean square within a band of frequencies.
    public struct Band: ConditionFields {
        /// The lowest frequency in Hz.
        public var from: Double
        /// The highest frequency in Hz.
        public var to: Double
        /// Holds above this, in the channel's unit.
        public var above: Double?
        /// Holds below this.
        public var below: Double?
        /// How far the value must come back; nil: 0.
        public var hysteresis: Double?
        /// The time over which the root mean square is taken; nil: 1s.
        public var window: RuleDuration?
        /// The channel's name; nil: each channel that the rule selects.
        public var channel: String?

        /// A band with its limits.
        public init(
            from: Double, to: Double, above: Double? = nil, below: Double? = nil, hysteresis: Double? = nil,
            window: RuleDuration? = nil, channel: String? = nil
        ) {
            self.from = from
            self.to = to
            self.above = above
            self.below = below
            self.hysteresis = hysteresis
            self.window = window
            self.channel = channel
        }

        static let names = ["from", "to", "above", "below", "hysteresis", "window", "channel"]
    }

    /// A severity zone of ISO 20816 is reached.
    public struct Machine: ConditionFields {
        /// A class of machines; the word says which part of ISO 20816 it is of.
        public enum Group: String, Sendable, Codable, CaseIterable {
            /// ISO 20816-1, class I: small machines, up to 15 kW.
            case classI = "class-1"
            /// ISO 20816-1, class II: medium machines.
            case classII = "class-2"
            /// ISO 20816-1, class III: large machines on rigid foundations.
            case classIII = "class-3"
            /// ISO 20816-1, class IV: large machines on soft foundations.
            case classIV = "class-4"
            /// ISO 20816-3, group 1 (above 300 kW), rigid foundation.
            case largeRigid = "group-1-rigid"
            /// ISO 20816-3, group 1, flexible foundation.
            case largeFlexible = "group-1-flexible"
            /// ISO 20816-3, group 2 (15 kW to 300 kW), rigid foundation.
            case mediumRigid = "group-2-rigid"
            /// ISO 20816-3, group 2, flexible foundation.
            case mediumFlexible = "group-2-flexible"
        }

        /// A severity zone.
        public enum Zone: String, Sendable, Codable, CaseIterable {
            /// Acceptable for long operation.
            case b = "B"
            /// Not satisfactory for long operation.
            case c = "C"
            /// Severe enough to damage the machine.
            case d = "D"
        }

        /// The class of machines.
        public var group: Group
        /// Holds in this zone and in worse ones.
        public var zone: Zone
        /// What the channel measures.
        public var unit: MotionUnit
        /// How far the velocity must come back below the zone's border, in mm/s; nil: 0.
        public var hysteresis: Double?
        /// The time over which the root mean square is taken; nil: 1s.
        public var window: RuleDuration?
        /// The channel's name; nil: each channel that the rule selects.
        public var channel: String?

        /// That zone for machines of that class.
        public init(
            group: Group, zone: Zone, unit: MotionUnit, hysteresis: Double? = nil, window: RuleDuration? = nil,
            channel: String? = nil
        ) {
            self.group = group
            self.zone = zone
            self.unit = unit
            self.hysteresis = hysteresis
            self.window = window
            self.channel = channel
        }

        static let names = ["group", "zone", "unit", "hysteresis", "window", "channel"]
    }

    /// Crest factor or kurtosis.
    public struct Shape: ConditionFields {
        /// Holds above this.
        public var above: Double
        /// How far the value must come back; nil: 0.
        public var hysteresis: Double?
        /// The time over which the value is taken; nil: each frame by itself.
        public var window: RuleDuration?
        /// The channel's name; nil: each channel that the rule selects.
        public var channel: String?

        /// Above that.
        public init(
            above: Double, hysteresis: Double? = nil, window: RuleDuration? = nil, channel: String? = nil
        ) {
            self.above = above
            self.hysteresis = hysteresis
            self.window = window
            self.channel = channel
        }

        static let names = ["above", "hysteresis", "window", "channel"]
    }

    /// Peak particle velocity against a curve.
    public struct ParticleVelocity: ConditionFields {
        /// A point of the curve. Between points the limit is interpolated, before the first and after the last it stays.
        public struct Point: Codable, Sendable, Equatable {
            /// The frequency in Hz.
            public var hertz: Double
            /// The limit there, in mm/s.
            public var limit: Double

            /// That limit at that frequency.
            public init(hertz: Double, limit: Double) {
                self.hertz = hertz
                self.limit = limit
            }

            /// Reads `{hertz, limit}`.
            /// - Throws: `DecodingError`.
            public init(from decoder: any Decoder) throws {
                let object = try StrictContainer(decoder, ["hertz", "limit"])
                self.init(hertz: try object.required("hertz"), limit: try object.required("limit"))
            }
        }

        /// The curve, by frequency.
        public var curve: [Point]
        /// What the channel measures.
        public var unit: MotionUnit
        /// The share of the curve at which the condition holds; nil: 1.
        public var share: Double?
        /// How far the share must come back; nil: 0.
        public var hysteresis: Double?
        /// The channel's name; nil: each channel that the rule selects.
        public var channel: String?

        /// Against that curve.
        public init(
            curve: [Point], unit: MotionUnit, share: Double? = nil, hysteresis: Double? = nil, channel: String? = nil
        ) {
            self.curve = curve
            self.unit = unit
            self.share = share
            self.hysteresis = hysteresis
            self.channel = channel
        }

        static let names = ["curve", "unit", "share", "hysteresis", "channel"]
    }

    /// Outside of the usual range.
    public struct Baseline: ConditionFields {
        /// On which side.
        public enum Side: String, Sendable, Codable, CaseIterable {
            /// On either.
            case both
            /// Above only.
            case above
            /// Below only.
            case below
        }

        /// Which number of a frame; nil: `mean`. Not `sample`.
        public var of: Statistic?
        /// How many standard deviations from the mean.
        public var sigmas: Double
        /// The time over which mean and deviation are taken, with weights that fade.
        public var window: RuleDuration
        /// Whether each hour of the day has a mean and a deviation of its own; nil: false.
        public var byHour: Bool?
        /// The time zone of the hours, by its IANA name; nil: UTC.
        public var zone: String?
        /// On which side; nil: both.
        public var side: Side?
        /// How many frames are learned from before one is judged, for each hour if `byHour`; nil: 60.
        public var minimum: Int?
        /// The channel's name; nil: each channel that the rule selects.
        public var channel: String?

        /// So many deviations from the mean of such a window.
        public init(
            of: Statistic? = nil, sigmas: Double, window: RuleDuration, byHour: Bool? = nil, zone: String? = nil,
            side: Side? = nil, minimum: Int? = nil, channel: String? = nil
        ) {
            self.of = of
            self.sigmas = sigmas
            self.window = window
            self.byHour = byHour
            self.zone = zone
            self.side = side
            self.minimum = minimum
            self.channel = channel
        }

        private enum CodingKeys: String, CodingKey {
            case of, sigmas, window, zone, side, minimum, channel
            case byHour = "by_hour"
        }

        static let names = ["of", "sigmas", "window", "by_hour", "zone", "side", "minimum", "channel"]
    }

    /// The signal stays within a narrow range.
    public struct Flatline: ConditionFields {
        /// For how long, in signal time.
        public var after: RuleDuration
        /// The width of the range; nil: 0, the same value.
        public var within: Double?
        /// The channel's name; nil: each channel that the rule selects.
        public var channel: String?

        /// Within that range for that long.
        public init(after: RuleDuration, within: Double? = nil, channel: String? = nil) {
            self.after = after
            self.within = within
            self.channel = channel
        }

        static let names = ["after", "within", "channel"]
    }

    /// Samples at the rails of the converter.
    public struct Clipping: ConditionFields {
        /// The lower rail; nil: that of 16-bit counts, none for other samples.
        public var low: Double?
        /// The upper rail; nil: that of 16-bit counts, none for other samples.
        public var high: Double?
        /// The share of a frame's samples at which the condition holds, above 0 and up to 1; nil: any sample.
        public var share: Double?
        /// The channel's name; nil: each channel that the rule selects.
        public var channel: String?

        /// At those rails.
        public init(low: Double? = nil, high: Double? = nil, share: Double? = nil, channel: String? = nil) {
            self.low = low
            self.high = high
            self.share = share
            self.channel = channel
        }

        static let names = ["low", "high", "share", "channel"]
    }

    /// The mean has moved away from where it was.
    public struct Shift: ConditionFields {
        /// By how much, in the channel's unit, either way.
        public var by: Double
        /// The time over which the reference is taken, with weights that fade.
        public var window: RuleDuration
        /// How far the mean must come back; nil: 0.
        public var hysteresis: Double?
        /// The channel's name; nil: each channel that the rule selects.
        public var channel: String?

        /// By that much against such a window.
        public init(by: Double, window: RuleDuration, hysteresis: Double? = nil, channel: String? = nil) {
            self.by = by
            self.window = window
            self.hysteresis = hysteresis
            self.channel = channel
        }

        static let names = ["by", "window", "hysteresis", "channel"]
    }

    /// The channel has less than its noise.
    public struct Dead: ConditionFields {
        /// The root mean square about the mean below which a frame holds no signal.
        public var below: Double
        /// How far it must rise above that again; nil: 0.
        public var hysteresis: Double?
        /// The channel's name; nil: each channel that the rule selects.
        public var channel: String?

        /// Below that.
        public init(below: Double, hysteresis: Double? = nil, channel: String? = nil) {
            self.below = below
            self.hysteresis = hysteresis
            self.channel = channel
        }

        static let names = ["below", "hysteresis", "channel"]
    }

    /// A place on Earth, as a circle or a polygon.
    public struct Place: ConditionFields {
        /// Which side of the border holds.
        public enum Side: String, Sendable, Codable, CaseIterable {
            /// The sensor left the place.
            case outside
            /// The sensor entered the place.
            case inside
        }

        /// A circle.
        public struct Circle: Codable, Sendable, Equatable {
            /// Degrees of its centre, -90…90.
            public var latitude: Double
            /// Degrees of its centre, -180…180.
            public var longitude: Double
            /// Metres.
            public var radius: Double

            /// That circle.
            public init(latitude: Double, longitude: Double, radius: Double) {
                self.latitude = latitude
                self.longitude = longitude
                self.radius = radius
            }

            /// Reads `{latitude, longitude, radius}`.
            /// - Throws: `DecodingError`.
            public init(from decoder: any Decoder) throws {
                let object = try StrictContainer(decoder, ["latitude", "longitude", "radius"])
                self.init(
                    latitude: try object.required("latitude"), longitude: try object.required("longitude"),
                    radius: try object.required("radius"))
            }
        }

        /// A corner of a polygon.
        public struct Corner: Codable, Sendable, Equatable {
            /// Degrees, -90…90.
            public var latitude: Double
            /// Degrees, -180…180.
            public var longitude: Double

            /// That corner.
            public init(latitude: Double, longitude: Double) {
                self.latitude = latitude
                self.longitude = longitude
            }

            /// Reads `{latitude, longitude}`.
            /// - Throws: `DecodingError`.
            public init(from decoder: any Decoder) throws {
                let object = try StrictContainer(decoder, ["latitude", "longitude"])
                self.init(latitude: try object.required("latitude"), longitude: try object.required("longitude"))
            }
        }

        /// When the condition holds.
        public var when: Side
        /// A circle; nil if there is a polygon.
        public var circle: Circle?
        /// At least three corners; nil if there is a circle.
        public var polygon: [Corner]?
        /// How many metres the sensor must be back beyond the border before the alarm clears; nil: 0.
        public var margin: Double?

        /// Inside or outside of a circle or polygon.
        public init(when: Side, circle: Circle? = nil, polygon: [Corner]? = nil, margin: Double? = nil) {
            self.when = when
            self.circle = circle
            self.polygon = polygon
            self.margin = margin
        }

        static let names = ["when", "circle", "polygon", "margin"]
    }

    /// The rate of a counter that only grows; a fall is a restart from 0, or an overflow if `wrapsAt` says so.
    public struct Counter: ConditionFields {
        /// Holds above this many in `per`.
        public var above: Double?
        /// Holds below this many in `per`.
        public var below: Double?
        /// The time that the limits refer to; nil: 1s.
        public var per: RuleDuration?
        /// The time over which is counted at least; nil: from frame to frame.
        public var over: RuleDuration?
        /// How far the rate must come back; nil: 0.
        public var hysteresis: Double?
        /// The value at which the counter begins again at 0, such as 65536; nil: a fall is a restart.
        public var wrapsAt: Double?
        /// The channel's name; nil: each channel that the rule selects.
        public var channel: String?

        /// Limits of a counter's rate.
        public init(
            above: Double? = nil, below: Double? = nil, per: RuleDuration? = nil, over: RuleDuration? = nil,
            hysteresis: Double? = nil, wrapsAt: Double? = nil, channel: String? = nil
        ) {
            self.above = above
            self.below = below
            self.per = per
            self.over = over
            self.hysteresis = hysteresis
            self.wrapsAt = wrapsAt
            self.channel = channel
        }

        private enum CodingKeys: String, CodingKey {
            case above, below, per, over, hysteresis, channel
            case wrapsAt = "wraps_at"
        }

        static let names = ["above", "below", "per", "over", "hysteresis", "wraps_at", "channel"]
    }

    /// On at least so many sensors of a target.
    public struct Several: ConditionFields {
        /// How many sensors.
        public var count: Int
        /// What must hold on each of them.
        public var condition: Condition

        /// On so many sensors.
        public init(count: Int, condition: Condition) {
            self.count = count
            self.condition = condition
        }

        private enum CodingKeys: String, CodingKey {
            case count
            case condition = "when"
        }

        static let names = ["count", "when"]
    }

    /// A word that the sensor reports.
    public struct Word: ConditionFields {
        /// The property, such as `state`.
        public var property: String
        /// The words for which the condition holds.
        public var isOneOf: [String]

        /// One of those words.
        public init(property: String, isOneOf: [String]) {
            self.property = property
            self.isOneOf = isOneOf
        }

        private enum CodingKeys: String, CodingKey {
            case property
            case isOneOf = "is"
        }

        static let names = ["property", "is"]
    }
}
