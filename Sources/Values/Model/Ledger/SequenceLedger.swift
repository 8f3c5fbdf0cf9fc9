/// The received frames of one boot of one sensor: the next expected sequence, and the gaps below it.
///
/// A value: the ingester changes a copy, writes the changes in the transaction that stores the frames, and keeps the
/// copy only if the transaction commits.
public struct SequenceLedger: Sendable, Equatable {
    /// The ledger's decision about a frame.
    public enum Verdict: Sendable, Equatable {
        /// The frame's sequence is above all earlier ones: store it.
        case new
        /// The frame fills a gap: store it.
        case late
        /// The frame is stored already: do not store it.
        case duplicate
        /// The frame lies in a joined gap, so it is unknown whether it is stored: do not store it, to avoid a
        /// duplicate.
        case unknown
    }

    /// The most gaps kept apart for a boot (about 32 bytes each); beyond it the oldest two are joined.
    public static let gapsMax = 10_000

    /// One above the highest sequence seen.
    public private(set) var next: Int64
    /// The gaps below `next`: disjoint, in order, never adjacent. Only the first can be joined.
    public private(set) var gaps: [SequenceGap]

    /// A ledger; by default that of a boot without received frames.
    public init(next: Int64 = 0, gaps: [SequenceGap] = []) {
        self.next = next
        self.gaps = gaps
    }

    /// The number of frames missing below `next`.
    public var missing: Int64 { gaps.saturatingSum(\.missing) }

    /// Records the arrival of the frame `sequence`.
    /// - Parameter cause: called for the cause of the missing frames before it, if there are any.
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

    /// Finds the gap that contains `sequence` by binary search.
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

/// The cause of missing frames. The raw value is stored in `sequence_gap.cause`.
public enum LossCause: String, Sendable, CaseIterable {
    /// Not known, or not yet: the frames may still arrive.
    case late
    /// The stream's retention dropped the frames before they were stored.
    case brokerRetention = "broker_retention"
    /// The stream was recreated, and its content was lost.
    case streamReset = "stream_reset"
    /// The frames arrived and could not be decoded or stored.
    case quarantined
    /// The sensor dropped the frames before it could send them, and reported it.
    case droppedAtSource = "dropped_at_source"
    /// The sensor restarted before it had sent the frames.
    case sensorRestarted = "sensor_restarted"
}

/// A range of consecutive missing frames of a boot.
public struct SequenceGap: Sendable, Hashable {
    /// The sequences from the first to the last.
    public var range: ClosedRange<Int64>
    /// The number of missing frames: all of the range, unless gaps were joined over stored frames.
    public var missing: Int64
    /// The cause.
    public var cause: LossCause

    /// A gap over that range.
    /// - Parameter missing: the number of missing frames; nil: all of the range.
    public init(_ range: ClosedRange<Int64>, missing: Int64? = nil, cause: LossCause = .late) {
        self.range = range
        self.missing = missing ?? Int64(range.count)
        self.cause = cause
    }

    /// Whether some frames of the range are stored; it is unknown which ones.
    public var isJoined: Bool { missing < range.count }

    /// This gap and the next one joined, over the stored frames between them.
    func joined(with next: SequenceGap) -> SequenceGap {
        SequenceGap(
            range.lowerBound...next.range.upperBound, missing: missing + next.missing,
            cause: cause == next.cause ? cause : .late)
    }
}
