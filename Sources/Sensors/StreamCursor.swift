/// How far a stream has been read, and whether it is still the same stream: a pure value (design §4).
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
        /// Messages before it are gone, dropped by the stream's retention; then store it.
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

    /// Looks at the next message. Offsets of a stream are contiguous.
    public mutating func note(offset: Int64, fingerprint: () -> Int64) -> Verdict {
        guard let expected = previous.map({ $0 + 1 }) else { return noteFirst(offset, fingerprint) }
        if offset < expected { return .skip }
        previous = offset
        return offset == expected ? .take : .takeAfterHole(expected...(offset - 1))
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
        if offset == committed { return .skip }
        return offset == committed + 1 ? .take : .takeAfterHole((committed + 1)...(offset - 1))
    }
}
