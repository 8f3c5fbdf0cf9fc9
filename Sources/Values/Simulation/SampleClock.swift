public import Model
public import Time

/// The times at which a sensor's samples are taken: sample k of a segment at `start + k / rate`, by index, so that the
/// times do not drift.
///
/// A segment ends where the rate changes or the sensor sleeps. No sample is taken twice or skipped.
public struct SampleClock: Sendable, Equatable {
    /// The time of sample 0 of this segment.
    public private(set) var start: Timestamp
    /// Samples per second in this segment.
    public private(set) var rate: SampleRate
    /// The index within the segment of the first sample that has not been taken yet.
    public private(set) var next: Int64 = 0
    /// The number of samples taken in all segments together.
    public private(set) var taken: Int64 = 0
    /// The time of the last sample of the earlier segments.
    private var lastOfEarlier: Timestamp?

    /// A clock whose first sample is taken at `start`.
    public init(start: Timestamp, rate: SampleRate) {
        self.start = start
        self.rate = rate
    }

    /// The time of sample `index` of this segment.
    public func time(ofSample index: Int64) -> Timestamp {
        start.advanced(byNanoseconds: rate.nanoseconds(toSample: index))
    }

    /// The time of the next sample.
    public var nextTime: Timestamp { time(ofSample: next) }

    /// The number of samples that are due at `now` and not taken yet.
    public func samplesDue(at now: Timestamp) -> Int64 {
        max(0, rate.samples(within: now.nanoseconds(since: start)) - next)
    }

    /// Counts the next `count` samples as taken.
    public mutating func take(_ count: Int) {
        precondition(count >= 0, "a negative number of samples")
        next += Int64(count)
        taken += Int64(count)
    }

    /// The time of the last sample taken.
    private var last: Timestamp? { next > 0 ? time(ofSample: next - 1) : lastOfEarlier }

    /// Begins a segment at another rate. All samples due at `now` must have been taken.
    ///
    /// The new segment starts at the time of the next sample. If the new rate is faster, it starts as soon as that rate
    /// allows, so that a sensor that samples once an hour obeys at once.
    public mutating func change(to rate: SampleRate, at now: Timestamp) {
        var start = nextTime
        if let last {
            start = min(start, max(now, last.advanced(byNanoseconds: rate.nanoseconds(toSample: 1))))
        }
        begin(at: start, rate: rate)
    }

    /// Begins a segment after a pause: the next sample is taken at `now`.
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
