public import Time

/// The course of a channel in a time range, with a limited number of points: single samples, or statistics of buckets.
public struct ChannelSeries: Sendable, Equatable {
    /// One sample, or the statistics of the samples of one bucket.
    public struct Point: Sendable, Equatable {
        /// The time of the sample, or of the bucket's first sample.
        public var time: Timestamp
        /// The number of samples, at least 1.
        public var count: Int64
        /// The smallest finite sample; nil if none is finite.
        public var min: Double?
        /// The mean of the finite samples; nil if none is finite.
        public var mean: Double?
        /// The largest finite sample; nil if none is finite.
        public var max: Double?
        /// The root mean square of the finite samples; nil if none is finite.
        public var rms: Double?

        /// Statistics of the samples of a bucket.
        public init(time: Timestamp, count: Int64, min: Double?, mean: Double?, max: Double?, rms: Double?) {
            self.time = time
            self.count = count
            self.min = min
            self.mean = mean
            self.max = max
            self.rms = rms
        }

        /// One sample.
        public init(time: Timestamp, value: Double) {
            let finite = value.isFinite ? value : nil
            self.init(time: time, count: 1, min: finite, mean: finite, max: finite, rms: finite.map { abs($0) })
        }
    }

    /// A time without samples between two points.
    public struct Gap: Sendable, Equatable {
        /// The index of the point before the gap.
        public var pointBefore: Int
        /// When the next sample was expected.
        public var from: Timestamp
        /// When the next sample was taken.
        public var to: Timestamp

        /// A gap after the point with that index.
        public init(pointBefore: Int, from: Timestamp, to: Timestamp) {
            self.pointBefore = pointBefore
            self.from = from
            self.to = to
        }
    }

    /// A time between two points that is longer than this many times the median is a gap, where no rate says it.
    private static let gapRatio = 2.5

    /// Whether the points are single samples.
    public var isSampled: Bool
    /// The points by time.
    public var points: [Point]
    /// The gaps by time.
    public var gaps: [Gap]
    /// The usual time from one point to the next in nanoseconds; 0 for fewer than two points.
    public var step: Int64

    /// The number of samples of all points.
    public var sampleCount: Int64 { points.reduce(0) { $0 + $1.count } }
    /// The total length of the gaps in nanoseconds.
    public var gapNanoseconds: Int64 { gaps.reduce(0) { $0 &+ $1.to.nanoseconds(since: $1.from) } }

    /// Statistics of buckets, by time.
    public init(buckets: [Point]) {
        isSampled = false
        points = buckets
        let step = Self.step(of: buckets)
        self.step = step
        gaps = Self.gaps(in: buckets) { _ in (step, Self.longest(step)) }
    }

    /// The samples of runs, by time. A run without a rate is one sample: the usual time between samples then says how
    /// long the next may take.
    public init(runs: [SampleRun]) {
        var samples: [(point: Point, period: Int64?)] = []
        for run in runs {
            let period = run.rate.map { $0.nanoseconds(toSample: 1) }
            for index in 0..<run.samples.count {
                samples.append((Point(time: run.time(of: index), value: run.samples[index]), period))
            }
        }
        samples.sort { $0.point.time < $1.point.time }
        isSampled = true
        points = samples.map(\.point)
        let step = Self.step(of: points)
        self.step = step
        gaps = Self.gaps(in: points) { index in
            guard let period = samples[index].period else { return (step, Self.longest(step)) }
            let (longest, overflow) = period.addingReportingOverflow(period / 2)
            return (period, overflow ? .max : longest)
        }
    }

    private static func longest(_ step: Int64) -> Int64 {
        Int64(exactly: (Double(step) * gapRatio).rounded()) ?? .max
    }

    /// The median time from one point to the next, in nanoseconds.
    private static func step(of points: [Point]) -> Int64 {
        let steps = zip(points, points.dropFirst()).map { $1.time.nanoseconds(since: $0.time) }.sorted()
        return steps.isEmpty ? 0 : steps[steps.count / 2]
    }

    /// The gaps between points.
    /// - Parameter wait: the expected time from the point with this index to the next one, and the longest that is no gap.
    private static func gaps(in points: [Point], wait: (Int) -> (expected: Int64, longest: Int64)) -> [Gap] {
        points.indices.dropLast().compactMap { index in
            let (here, next) = (points[index].time, points[index + 1].time)
            let (expected, longest) = wait(index)
            guard next.nanoseconds(since: here) > longest else { return nil }
            return Gap(pointBefore: index, from: here.advanced(byNanoseconds: expected), to: next)
        }
    }
}
