public import Time

/// The chunks of a hypertable that are known to exist. A pure value without I/O.
///
/// A chunk that is created inside a batch's transaction blocks every other writer that needs a new chunk until the
/// batch commits, indefinitely if its writer was suspended. So chunks are created before, in short transactions.
public struct KnownChunks: Sendable {
    /// The most chunks that one COPY may touch: each takes locks, and the server's memory for locks is small.
    public static let perBatchMax = 16
    /// The most chunks remembered; beyond it all are forgotten.
    private static let entriesMax = 10_000

    private var known: [Range<Timestamp>] = []

    /// A value without known chunks.
    public init() {}

    /// The first time that lies in no known chunk; nil if all times lie in known chunks.
    public func firstUnknown(_ times: some Sequence<Timestamp>) -> Timestamp? {
        var recent = 0
        for time in times {
            if recent < known.count, known[recent].contains(time) { continue }
            guard let index = index(of: time) else { return time }
            recent = index
        }
        return nil
    }

    /// The number of known chunks that the times lie in.
    public func count(_ times: some Sequence<Timestamp>) -> Int {
        var touched = Set<Int>()
        var recent = -1
        for time in times {
            if recent >= 0, known[recent].contains(time) { continue }
            guard let index = index(of: time) else { continue }
            recent = index
            touched.insert(index)
        }
        return touched.count
    }

    /// The time to create the next chunk for, if the chunk of `now` has less than a tenth of its length left and its
    /// successor is not known.
    public func due(now: Timestamp) -> Timestamp? {
        guard let index = index(of: now) else { return nil }
        let chunk = known[index]
        let length = chunk.upperBound.nanoseconds(since: chunk.lowerBound)
        guard chunk.upperBound.nanoseconds(since: now) < length / 10 else { return nil }
        return self.index(of: chunk.upperBound) == nil ? chunk.upperBound : nil
    }

    /// Records that a chunk exists.
    public mutating func note(_ chunk: Range<Timestamp>) {
        if known.count >= Self.entriesMax { known = [] }
        let place = known.firstIndex { $0.lowerBound >= chunk.lowerBound } ?? known.count
        known.insert(chunk, at: place)
    }

    /// Finds by binary search the last chunk that begins at or before `time`; nil if that chunk does not contain
    /// `time`.
    private func index(of time: Timestamp) -> Int? {
        var low = 0
        var high = known.count
        while low < high {
            let middle = (low + high) / 2
            if known[middle].lowerBound <= time { low = middle + 1 } else { high = middle }
        }
        return low > 0 && known[low - 1].contains(time) ? low - 1 : nil
    }
}
