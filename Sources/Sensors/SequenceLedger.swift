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
        /// It lies in a joined hole, so that nobody knows whether it is there: don't store it, rather than twice.
        case unknown
    }

    /// Most holes kept apart for a boot (about 32 bytes each); beyond it the oldest two are joined.
    public static let gapsMax = 10_000

    /// One above the highest sequence seen.
    public private(set) var next: Int64
    /// What is missing below `next`: disjoint, in order, never adjacent. Only the first can be joined.
    public private(set) var gaps: [SequenceGap]

    /// The ledger of a boot of which nothing has come; or one read from the database.
    public init(next: Int64 = 0, gaps: [SequenceGap] = []) {
        self.next = next
        self.gaps = gaps
    }

    /// Frames missing below `next`.
    public var missing: Int64 { gaps.saturatingSum(\.missing) }

    /// Notes that the frame `sequence` came.
    /// - Parameter cause: asked why the frames before it are missing, if it leaves some out.
    public mutating func note(_ sequence: Int64, cause: () -> LossCause = { .late }) -> Verdict {
        if sequence >= next {
            if sequence > next {
                gaps.append(SequenceGap(next...(sequence - 1), cause: cause()))
                joinOldest()
            }
            next = sequence + 1
            return .new
        }
        guard let index = gapIndex(of: sequence) else { return .duplicate }
        if gaps[index].isJoined { return .unknown }
        close(sequence, inGap: index)
        return .late
    }

    private mutating func joinOldest() {
        while gaps.count > Self.gapsMax { gaps.replaceSubrange(0...1, with: [gaps[0].joined(with: gaps[1])]) }
    }

    /// The hole that holds `sequence`, by binary search.
    private func gapIndex(of sequence: Int64) -> Int? {
        var low = 0
        var high = gaps.count
        while low < high {
            let middle = (low + high) / 2
            if gaps[middle].range.upperBound < sequence { low = middle + 1 } else { high = middle }
        }
        return low < gaps.count && gaps[low].range.contains(sequence) ? low : nil
    }

    private mutating func close(_ sequence: Int64, inGap index: Int) {
        let (range, cause) = (gaps[index].range, gaps[index].cause)
        var rest: [SequenceGap] = []
        if range.lowerBound < sequence { rest.append(SequenceGap(range.lowerBound...(sequence - 1), cause: cause)) }
        if sequence < range.upperBound { rest.append(SequenceGap((sequence + 1)...range.upperBound, cause: cause)) }
        gaps.replaceSubrange(index...index, with: rest)
        joinOldest()
    }
}

/// Why frames are missing. The raw value is what `sequence_gap.cause` holds.
public enum LossCause: String, Sendable, CaseIterable {
    /// Not known, or not yet: they may still come.
    case late
    /// The stream's limits dropped them before they were stored.
    case brokerRetention = "broker_retention"
    /// The stream was made anew, with what was in it.
    case streamReset = "stream_reset"
    /// They came, and could not be read or stored.
    case quarantined
    /// The sensor dropped them before it could send them, and said so.
    case droppedAtSource = "dropped_at_source"
    /// The sensor began anew before it had sent them.
    case sensorRestarted = "sensor_restarted"
}

/// Frames of a boot that are missing, next to each other.
public struct SequenceGap: Sendable, Hashable {
    /// From the first to the last.
    public var range: ClosedRange<Int64>
    /// How many of them are missing: all, unless holes were joined over frames that are stored.
    public var missing: Int64
    /// Why.
    public var cause: LossCause

    /// A hole.
    /// - Parameter missing: how many; nil: all.
    public init(_ range: ClosedRange<Int64>, missing: Int64? = nil, cause: LossCause = .late) {
        self.range = range
        self.missing = missing ?? Int64(range.count)
        self.cause = cause
    }

    /// Whether frames within it are stored, nobody knows which.
    public var isJoined: Bool { missing < range.count }

    /// This hole and the next one as one, over what is stored between them.
    func joined(with next: SequenceGap) -> SequenceGap {
        SequenceGap(
            range.lowerBound...next.range.upperBound, missing: missing + next.missing,
            cause: cause == next.cause ? cause : .late)
    }
}
