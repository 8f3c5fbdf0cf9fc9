extension Condition {
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
}
