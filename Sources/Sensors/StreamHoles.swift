/// A message's place in a partition, over all lives of its stream.
public struct StreamPlace: Sendable, Hashable, Comparable {
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
    public static func < (left: StreamPlace, right: StreamPlace) -> Bool {
        (left.incarnation, left.offset) < (right.incarnation, right.offset)
    }
}

/// Messages of a stream that were gone before they were stored.
public struct StreamHole: Sendable, Hashable {
    /// The first of them.
    public var first: StreamPlace
    /// `brokerRetention` or `streamReset`.
    public var cause: LossCause

    /// A hole that begins there.
    public init(first: StreamPlace, cause: LossCause) {
        self.first = first
        self.cause = cause
    }
}

/// The holes of one stream, in order.
public struct StreamHoles: Sendable, Equatable {
    /// Most that are looked at, the newest: older ones explain nothing that is new.
    public static let countMax = 1000

    private var holes: [StreamHole]

    /// Those holes.
    public init(_ holes: some Sequence<StreamHole> = []) {
        self.holes = holes.sorted { $0.first < $1.first }
    }

    /// Adds a hole.
    public mutating func insert(_ hole: StreamHole) {
        holes.insert(hole, at: index(behind: hole.first))
        if holes.count > Self.countMax { holes.removeFirst() }
    }

    /// Why messages between two places are missing: the cause of the newest hole that begins between them; nil: there
    /// is none.
    /// - Parameters:
    ///   - after: the last place that was seen.
    ///   - before: the next place that was seen; nil: the end of the stream.
    public func cause(after: StreamPlace, before: StreamPlace?) -> LossCause? {
        let end = before.map(index(behind:)) ?? holes.count
        guard end > 0, holes[end - 1].first > after else { return nil }
        return holes[end - 1].cause
    }

    /// How many holes begin at or before a place.
    private func index(behind place: StreamPlace) -> Int {
        var low = 0
        var high = holes.count
        while low < high {
            let middle = (low + high) / 2
            if holes[middle].first <= place { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
