/// A message's place in a partition, over all lives of its stream.
public struct StreamPosition: Sendable, Hashable, Comparable {
    /// Which life of the stream.
    public var incarnation: Int64
    /// The offset in it.
    public var offset: Int64

    /// That offset in that life.
    public init(incarnation: Int64, offset: Int64) {
        self.incarnation = incarnation
        self.offset = offset
    }

    /// By life, then by offset.
    public static func < (left: StreamPosition, right: StreamPosition) -> Bool {
        (left.incarnation, left.offset) < (right.incarnation, right.offset)
    }
}

/// Messages of a stream that were gone before they were stored.
public struct StreamGap: Sendable, Hashable {
    /// The first of them.
    public var first: StreamPosition
    /// `brokerRetention` or `streamReset`.
    public var cause: LossCause

    /// A hole that begins there.
    public init(first: StreamPosition, cause: LossCause) {
        self.first = first
        self.cause = cause
    }
}

/// Offsets of a stream that a reader did not get.
public struct MissingOffsets: Sendable, Hashable {
    /// Why. The raw value is what `stream_hole.cause` holds.
    public enum Cause: String, Sendable {
        /// The stream's limits dropped them.
        case brokerRetention = "broker_retention"
        /// The broker can't deliver what stands there.
        case undeliverable
    }

    /// From the first to the last; at most so many messages.
    public var offsets: ClosedRange<Int64>
    /// Why.
    public var cause: Cause

    /// Those.
    public init(_ offsets: ClosedRange<Int64>, _ cause: Cause) {
        self.offsets = offsets
        self.cause = cause
    }
}

/// The holes of one stream, in order.
public struct StreamGaps: Sendable, Equatable {
    /// Most that are looked at, the newest: older ones explain nothing that is new.
    public static let countMax = 1000

    private var holes: [StreamGap]

    /// Those holes.
    public init(_ holes: some Sequence<StreamGap> = []) {
        self.holes = holes.sorted { $0.first < $1.first }
    }

    /// Adds a hole.
    public mutating func insert(_ hole: StreamGap) {
        holes.insert(hole, at: index(behind: hole.first))
        if holes.count > Self.countMax { holes.removeFirst() }
    }

    /// Why messages between two places are missing: the cause of the newest hole that begins between them; nil: there
    /// is none.
    /// - Parameters:
    ///   - after: the last place that was seen.
    ///   - before: the next place that was seen; nil: the end of the stream.
    public func cause(after: StreamPosition, before: StreamPosition?) -> LossCause? {
        let end = before.map(index(behind:)) ?? holes.count
        guard end > 0, holes[end - 1].first > after else { return nil }
        return holes[end - 1].cause
    }

    /// How many holes begin at or before a place.
    private func index(behind place: StreamPosition) -> Int {
        var low = 0
        var high = holes.count
        while low < high {
            let middle = (low + high) / 2
            if holes[middle].first <= place { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
