public import Sensors

/// When each sample of a sensor is taken: sample k of a segment at `start + k / rate`, by index, so that nothing drifts.
///
/// A segment ends where the rate changes or the sensor sleeps. No sample is taken twice and none is left out.
public struct SampleClock: Sendable, Equatable {
    /// When sample 0 of this segment is taken.
    public private(set) var start: Timestamp
    /// Samples a second in this segment.
    public private(set) var rate: SampleRate
    /// The index within the segment of the first sample that has not been taken yet.
    public private(set) var next: Int64 = 0
    /// Samples taken in all segments together.
    public private(set) var taken: Int64 = 0
    /// The last sample of the segments before this one.
    private var lastOfEarlier: Timestamp?

    /// A clock whose first sample is taken at `start`.
    public init(start: Timestamp, rate: SampleRate) {
        self.start = start
        self.rate = rate
    }

    /// When sample `index` of this segment is taken.
    public func time(ofSample index: Int64) -> Timestamp {
        start.advanced(byNanoseconds: rate.nanoseconds(toSample: index))
    }

    /// When the next sample is taken.
    public var nextTime: Timestamp { time(ofSample: next) }

    /// How many samples have not been taken yet though their time has come, `now` included.
    public func samplesDue(at now: Timestamp) -> Int64 {
        max(0, rate.samples(within: now.nanoseconds(since: start)) - next)
    }

    /// Counts the next `count` samples as taken.
    public mutating func take(_ count: Int) {
        precondition(count >= 0, "a negative number of samples")
        next += Int64(count)
        taken += Int64(count)
    }

    /// When the last sample was taken.
    private var last: Timestamp? { next > 0 ? time(ofSample: next - 1) : lastOfEarlier }

    /// Goes on at another rate. All samples due at `now` must have been taken.
    ///
    /// The new segment starts when the next sample was to be taken; where the new rate is the faster one, as soon as it
    /// allows, so that a sensor that samples once an hour obeys at once.
    public mutating func change(to rate: SampleRate, at now: Timestamp) {
        var start = nextTime
        if let last {
            start = min(start, max(now, last.advanced(byNanoseconds: rate.nanoseconds(toSample: 1))))
        }
        begin(at: start, rate: rate)
    }

    /// Goes on after a pause: the next sample is taken at `now`.
    public mutating func resume(at now: Timestamp) {
        begin(at: max(now, last?.advanced(byNanoseconds: 1) ?? start), rate: rate)
    }

    private mutating func begin(at start: Timestamp, rate: SampleRate) {
        lastOfEarlier = last
        self.start = start
        self.rate = rate
        next = 0
    }
}
