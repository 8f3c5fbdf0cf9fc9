extension Condition {
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

        /// Borders of zones in mm/s that a contract or a manufacturer sets.
        public struct Borders: Codable, Sendable, Equatable {
            /// Between A and B.
            public var ab: Double
            /// Between B and C.
            public var bc: Double
            /// Between C and D.
            public var cd: Double

            /// These borders.
            public init(ab: Double, bc: Double, cd: Double) {
                self.ab = ab
                self.bc = bc
                self.cd = cd
            }

            /// Reads `{ab, bc, cd}`.
            /// - Throws: `DecodingError`.
            public init(from decoder: any Decoder) throws {
                let object = try StrictContainer(decoder, ["ab", "bc", "cd"])
                self.init(
                    ab: try object.required("ab"), bc: try object.required("bc"), cd: try object.required("cd"))
            }
        }

        /// The class of machines; nil if there are borders.
        public var group: Group?
        /// Borders in place of those of a class.
        public var borders: Borders?
        /// Whether the machine turns slower than 600 times a minute, so that the band begins at 2 Hz and not at 10 Hz; nil: false.
        public var isSlow: Bool?
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

        /// That zone for machines of that class, or with those borders.
        public init(
            group: Group? = nil, borders: Borders? = nil, zone: Zone, unit: MotionUnit, isSlow: Bool? = nil,
            hysteresis: Double? = nil, window: RuleDuration? = nil, channel: String? = nil
        ) {
            self.group = group
            self.borders = borders
            self.isSlow = isSlow
            self.zone = zone
            self.unit = unit
            self.hysteresis = hysteresis
            self.window = window
            self.channel = channel
        }

        private enum CodingKeys: String, CodingKey {
            case group, borders, zone, unit, hysteresis, window, channel
            case isSlow = "slow"
        }

        static let names = ["group", "borders", "zone", "unit", "slow", "hysteresis", "window", "channel"]
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

        /// How the limit goes from one point to the next.
        public enum Interpolation: String, Sendable, Codable, CaseIterable {
            /// Straight on paper with linear axes.
            case linear
            /// Straight on paper with logarithmic axes.
            case logarithmic
        }

        /// The name of a standard's curve, such as `din-4150-3-line-2`; nil if there is a curve.
        public var standard: String?
        /// The curve, by frequency; nil if there is a standard.
        public var curve: [Point]?
        /// Between the points of the curve; nil: linear.
        public var interpolation: Interpolation?
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
            standard: String? = nil, curve: [Point]? = nil, interpolation: Interpolation? = nil, unit: MotionUnit,
            share: Double? = nil, hysteresis: Double? = nil, channel: String? = nil
        ) {
            self.standard = standard
            self.curve = curve
            self.interpolation = interpolation
            self.unit = unit
            self.share = share
            self.hysteresis = hysteresis
            self.channel = channel
        }

        static let names = ["standard", "curve", "interpolation", "unit", "share", "hysteresis", "channel"]
    }
}
