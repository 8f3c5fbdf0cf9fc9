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
}
