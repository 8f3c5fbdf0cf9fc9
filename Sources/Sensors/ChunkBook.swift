/// Which chunks of a hypertable are known to be there: a pure value (design §4).
///
/// A chunk that is made inside a batch's transaction keeps every other writer that needs a new one waiting until the
/// batch is committed, for ever if its writer was stopped. So chunks are made before, in short transactions.
public struct ChunkBook: Sendable {
    /// Most chunks that one COPY may touch: each takes locks, and the server's memory for them is small.
    public static let perBatchMax = 16
    /// Most chunks remembered.
    private static let entriesMax = 10_000

    private var known: [Range<Timestamp>] = []

    /// An empty book.
    public init() {}

    /// The first time that lies in no known chunk; nil: all of them are there.
    public func firstUnknown(_ times: some Sequence<Timestamp>) -> Timestamp? {
        var recent = 0
        for time in times {
            if recent < known.count, known[recent].contains(time) { continue }
            guard let index = index(of: time) else { return time }
            recent = index
        }
        return nil
    }

    /// How many known chunks the times lie in.
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

    /// The time to make the next chunk for, when the one of `now` has less than a tenth of its length left and its
    /// successor is not there.
    public func due(now: Timestamp) -> Timestamp? {
        guard let index = index(of: now) else { return nil }
        let chunk = known[index]
        let length = chunk.upperBound.nanoseconds(since: chunk.lowerBound)
        guard chunk.upperBound.nanoseconds(since: now) < length / 10 else { return nil }
        return self.index(of: chunk.upperBound) == nil ? chunk.upperBound : nil
    }

    /// Notes that a chunk is there.
    public mutating func note(_ chunk: Range<Timestamp>) {
        if known.count >= Self.entriesMax { known = [] }
        let place = known.firstIndex { $0.lowerBound >= chunk.lowerBound } ?? known.count
        known.insert(chunk, at: place)
    }

    /// By binary search: the last chunk that begins at or before `time`, if it holds it.
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
