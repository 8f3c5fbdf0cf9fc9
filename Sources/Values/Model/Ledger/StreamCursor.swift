/// How far a stream has been read, and whether it is still the same stream: a pure value.
///
/// Reading resumes *at* the last stored message, not behind it: that message must come again, with the same
/// fingerprint. What comes instead tells what happened meanwhile.
public struct StreamCursor: Sendable, Equatable {
    /// What to do with a message.
    public enum Verdict: Sendable, Equatable {
        /// Store it.
        case take
        /// It is stored already.
        case skip
        /// Messages before it are gone, dropped by the stream's retention; then store it. The offsets of a hole are at
        /// most so many messages: one for each segment was no message.
        case takeAfterHole(ClosedRange<Int64>)
        /// This is another stream than the one that was read: begin again at its first message.
        case reset
    }

    /// The last stored message; nil: none yet.
    public let committed: Int64?
    private let fingerprint: Int64?
    private var previous: Int64?

    /// A cursor behind the last stored message.
    public init(committed: Int64?, fingerprint: Int64?) {
        self.committed = committed
        self.fingerprint = fingerprint
    }

    /// Whether a stream whose newest message has the offset `tail` (nil: it is empty) can't be the one that was read:
    /// its end lies before what is stored. A consumer that asks for an offset behind the end gets nothing and no error.
    public func isReset(tail: Int64?) -> Bool {
        guard let committed else { return false }
        return (tail ?? -1) < committed
    }

    /// Goes on behind an offset that is stepped over: it is no hole of the retention's, and nothing before it comes again.
    public mutating func pass(_ offset: Int64) { previous = max(previous ?? offset, offset) }

    /// Looks at the next message.
    public mutating func note(offset: Int64, fingerprint: () -> Int64) -> Verdict {
        guard let previous else { return noteFirst(offset, fingerprint) }
        if offset <= previous { return .skip }
        self.previous = offset
        return Self.verdict(offset, after: previous)
    }

    /// Offsets of a stream are contiguous, but for one at the head of each segment, which the broker uses for itself.
    /// A single missing offset is always that: retention drops whole segments, which hold many messages.
    private static func verdict(_ offset: Int64, after previous: Int64) -> Verdict {
        offset <= previous + 2 ? .take : .takeAfterHole((previous + 1)...(offset - 1))
    }

    private mutating func noteFirst(_ offset: Int64, _ fingerprint: () -> Int64) -> Verdict {
        guard let committed else {
            previous = offset
            return offset > 0 ? .takeAfterHole(0...(offset - 1)) : .take
        }
        // The broker may begin with the chunk that holds the offset.
        if offset < committed { return .skip }
        if offset == committed, let expected = self.fingerprint, fingerprint() != expected { return .reset }
        previous = offset
        return offset == committed ? .skip : Self.verdict(offset, after: committed)
    }
}
