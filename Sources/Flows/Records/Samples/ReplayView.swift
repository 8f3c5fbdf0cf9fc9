public import Archive
public import Time

/// The result of reading the streams again (docs/iotctl-json.md, "replay").
public struct ReplayView: Codable, Sendable, Equatable {
    /// Number of streams that were read to their ends.
    public var streams: Int
    /// Number of messages within the requested time and of the requested sensors.
    public var messages: Int
    /// Number of frames written.
    public var frames: Int
    /// Number of samples in these frames.
    public var samples: Int
    /// Number of rows in these frames.
    public var rows: Int
    /// Number of repeated frames, which were written once.
    public var duplicates: Int
    /// Number of messages that an ingester would put into quarantine.
    public var unreadable: Int
    /// Start of the requested time, inclusive.
    public var from: Timestamp
    /// End of the requested time, exclusive; nil if no end was requested.
    public var to: Timestamp?
    /// Start times of the streams that have dropped a part of the requested time, by their names.
    public var beginsLater: [String: Timestamp]
    /// Duration in seconds, to the millisecond.
    public var seconds: Double

    private enum CodingKeys: String, CodingKey {
        case streams, messages, frames, samples, rows, duplicates, unreadable, from, to
        case beginsLater = "begins_later"
        case seconds
    }
}

extension ReplayView {
    /// The view of a replay's summary.
    /// - Parameters:
    ///   - from: start of the requested time, inclusive.
    ///   - to: end of the requested time, exclusive; nil if no end was requested.
    ///   - duration: the time that the replay took.
    public init(_ summary: ReplayStreams.Summary, from: Timestamp, to: Timestamp?, duration: Duration) {
        self.init(
            streams: summary.streams, messages: summary.messages, frames: summary.frames, samples: summary.samples,
            rows: summary.rows, duplicates: summary.duplicates, unreadable: summary.unreadable, from: from, to: to,
            beginsLater: summary.beginsLater, seconds: duration.secondsToMillisecond)
    }
}
