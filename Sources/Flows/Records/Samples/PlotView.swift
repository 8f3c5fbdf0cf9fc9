public import Model
public import Time

/// The course of a channel in a time range (docs/iotctl-json.md, "plot").
public struct PlotView: Codable, Sendable, Equatable {
    /// A sample, or the statistics of a bucket of samples.
    public struct Point: Codable, Sendable, Equatable {
        /// The time of the sample, or of the bucket's first sample.
        public var time: Timestamp
        /// Number of samples; 1 for a single sample.
        public var n: Int64
        /// The smallest finite sample; nil if none is finite.
        public var min: Double?
        /// The mean of the finite samples; nil if none is finite.
        public var mean: Double?
        /// The largest finite sample; nil if none is finite.
        public var max: Double?
        /// The root mean square of the finite samples; nil if none is finite.
        public var rms: Double?
    }

    /// A time between two points without samples.
    public struct Gap: Codable, Sendable, Equatable {
        /// When the next sample was expected.
        public var from: Timestamp
        /// When the next sample was taken.
        public var to: Timestamp
    }

    /// The sensor's serial number.
    public var sensor: String
    /// The channel's name.
    public var channel: String
    /// The unit of the values; may be empty.
    public var unit: String
    /// The start of the time range.
    public var from: Timestamp
    /// The end of the time range; samples lie before it.
    public var to: Timestamp
    /// What the points are: `samples` or `buckets`.
    public var source: String
    /// The points by time.
    public var points: [Point]
    /// The gaps by time.
    public var gaps: [Gap]
}

extension PlotView {
    /// The view of a channel's course in `range`.
    public init(_ series: ChannelSeries, sensor: String, channel: String, unit: String, range: Range<Timestamp>) {
        self.init(
            sensor: sensor, channel: channel, unit: unit, from: range.lowerBound, to: range.upperBound,
            source: series.isSampled ? "samples" : "buckets",
            points: series.points.map { point in
                Point(
                    time: point.time, n: point.count, min: point.min, mean: point.mean, max: point.max, rms: point.rms)
            }, gaps: series.gaps.map { Gap(from: $0.from, to: $0.to) })
    }
}
