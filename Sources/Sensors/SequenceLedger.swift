/// Which frames of one boot of one sensor have come: the next sequence expected, and the holes below it.
///
/// A value: the ingester changes a copy, writes what changed in the transaction that stores the frames, and keeps the
/// copy only if that commits.
public struct SequenceLedger: Sendable, Equatable {
    /// What became of a frame.
    public enum Verdict: Sendable, Equatable {
        /// It continues or extends what is there: store it.
        case new
        /// It fills a hole: store it.
        case late
        /// It is there already: don't store it.
        case duplicate
    }

    /// Most holes kept apart for a boot; beyond it the oldest two are joined, which overstates the loss.
    public static let gapsMax = 1000

    /// One above the highest sequence seen.
    public private(set) var next: Int64
    /// What is missing below `next`: disjoint, in order, never adjacent.
    public private(set) var gaps: [ClosedRange<Int64>]

    /// The ledger of a boot of which nothing has come; or one read from the database.
    public init(next: Int64 = 0, gaps: [ClosedRange<Int64>] = []) {
        self.next = next
        self.gaps = gaps
    }

    /// Frames missing below `next`.
    public var missing: Int64 { gaps.reduce(0) { $0 + Int64($1.count) } }

    /// Notes that the frame `sequence` came.
    public mutating func note(_ sequence: Int64) -> Verdict {
        if sequence >= next {
            if sequence > next { open(next...(sequence - 1)) }
            next = sequence + 1
            return .new
        }
        guard let index = gapIndex(of: sequence) else { return .duplicate }
        close(sequence, inGap: index)
        return .late
    }

    private mutating func open(_ gap: ClosedRange<Int64>) {
        gaps.append(gap)
        joinOldest()
    }

    private mutating func joinOldest() {
        while gaps.count > Self.gapsMax {
            gaps.replaceSubrange(0...1, with: [gaps[0].lowerBound...gaps[1].upperBound])
        }
    }

    /// The hole that holds `sequence`, by binary search.
    private func gapIndex(of sequence: Int64) -> Int? {
        var low = 0
        var high = gaps.count
        while low < high {
            let middle = (low + high) / 2
            if gaps[middle].upperBound < sequence { low = middle + 1 } else { high = middle }
        }
        return low < gaps.count && gaps[low].contains(sequence) ? low : nil
    }

    private mutating func close(_ sequence: Int64, inGap index: Int) {
        let gap = gaps[index]
        var rest: [ClosedRange<Int64>] = []
        if gap.lowerBound < sequence { rest.append(gap.lowerBound...(sequence - 1)) }
        if sequence < gap.upperBound { rest.append((sequence + 1)...gap.upperBound) }
        gaps.replaceSubrange(index...index, with: rest)
        joinOldest()
    }
}
