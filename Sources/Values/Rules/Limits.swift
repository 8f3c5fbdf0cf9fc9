/// The limits of one channel, with hysteresis: a first kind of alarm rule.
public struct ChannelLimits: Sendable, Equatable {
    /// A sample above this raises `high`.
    public var high: Double?
    /// A sample below this raises `low`.
    public var low: Double?
    /// How far a value must come back before the alarm clears, in the channel's unit; not negative.
    public var hysteresis: Double

    /// These limits; nil: none on that side.
    public init(high: Double? = nil, low: Double? = nil, hysteresis: Double = 0) {
        self.high = high
        self.low = low
        self.hysteresis = max(0, hysteresis)
    }
}

/// On which side of its limits a channel is. The raw value is what `alarm_state.side` holds.
public enum LimitSide: String, Sendable, CaseIterable {
    /// Above the high limit.
    case high
    /// Below the low limit.
    case low
}
