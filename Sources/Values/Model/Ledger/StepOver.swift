/// How a stream is read in which a message stands that the broker can't deliver: the broker breaks the connection when
/// that message is due, whatever else it has to say. A pure value: it is told what happens to the reader, and says from
/// where and how far ahead to read next.
///
/// A reader that dies may have had thousands of messages ahead of it, so it reads less far ahead from death to death. If it
/// dies with one message ahead and nothing new has come, twice at the same place, the message is the next one: the
/// reader goes on behind it, and the offsets in between are a hole.
public struct StepOver: Sendable, Equatable {
    /// What a reader that has come so far does.
    public enum Verdict: Sendable, Equatable {
        /// It reads on; what has come is to be stored.
        case readOn
        /// It reads on: the message in front of it is stepped over, which is to be told. The offsets are at most so many
        /// messages: one at the head of each segment is none.
        case stepped(ClosedRange<Int64>)
        /// What has come is passed over, and `start(_:)` says where to read.
        case readElsewhere
    }

    /// Deaths at one place before it is stepped over: one may have had another reason.
    public static let deathsMax = 2
    /// Steps of one message before they double, where it is not known that the offsets behind the last stored message are
    /// still there: retention may have dropped millions of them.
    public static let singleStepsMax = 16

    /// Silences in a row after which a death is a thing of the past.
    public static let silencesMax = 10

    private let full: UInt16
    /// Messages ahead of acknowledgements.
    public private(set) var ahead: UInt16
    /// The offsets that are stepped over, or about to be, since the last message that was stored.
    private var dead: ClosedRange<Int64>?
    /// An offset behind them from which the stream can be read, if that is known.
    private var alive: Int64?
    /// The last offset that `stepped` has told of.
    private var told: Int64?
    private var isAnchored = false
    /// Whether the last stored message itself could not be read again, so that it is no use to ask for it.
    public private(set) var isBlind = false
    private var deaths = 0
    private var newMessages = 0
    private var silences = 0

    /// A reader that has seen nothing bad yet.
    /// - Parameter full: how far ahead it reads then, in messages.
    public init(full: UInt16) {
        self.full = full
        ahead = full
    }

    /// Whether something bad has happened of late.
    public var isCareful: Bool { ahead < full || dead != nil }

    private var isTold: Bool { dead != nil && told == dead?.upperBound }

    /// What is stepped over and not stored yet: the offsets of the hole.
    public var hole: ClosedRange<Int64>? { isTold ? dead : nil }

    /// A reader begins.
    /// - Parameter isAnchored: whether it has read the last stored message again. Then the next message is the next
    ///   offset, and the broker has just shown that it can deliver from this stream.
    public mutating func begin(isAnchored: Bool) {
        self.isAnchored = isAnchored
        newMessages = 0
    }

    /// The offset to read from; nil: from the last stored message, as ever.
    public var start: Int64? {
        guard let dead else { return nil }
        if isTold { return dead.upperBound + 1 }
        guard let alive else { return dead.upperBound + stride(behind: dead) }
        return dead.upperBound + max(1, (alive - dead.upperBound) / 2)
    }

    private func stride(behind dead: ClosedRange<Int64>) -> Int64 {
        let steps = Int64(dead.count) - Int64(Self.singleStepsMax)
        return isAnchored || steps < 0 ? 1 : max(1, Int64(dead.count) / 2)
    }

    /// Something new has come, or nothing for a while: there is nothing there that the broker can't deliver.
    /// - Parameter offset: of the first new message; nil: none has come.
    public mutating func noteAlive(at offset: Int64?) -> Verdict {
        silences = offset == nil ? silences + 1 : 0
        if offset != nil || silences >= Self.silencesMax { deaths = 0 }
        if let dead, let offset, offset <= dead.upperBound {
            // A reader from behind the end gets what comes next: nothing had stood there.
            forget()
            return .readOn
        }
        guard let dead, let start, !isTold else { return .readOn }
        guard start == dead.upperBound + 1 else {
            alive = start
            return .readElsewhere
        }
        defer { told = dead.upperBound }
        alive = nil
        return .stepped(max(dead.lowerBound, told.map { $0 + 1 } ?? dead.lowerBound)...dead.upperBound)
    }

    /// New messages are stored.
    /// - Returns: whether to read further ahead, from the last stored message on.
    public mutating func noteStored(_ count: Int) -> Bool {
        forget()
        newMessages += count
        guard ahead < full, newMessages >= Int(ahead) else { return false }
        newMessages = 0
        ahead = UInt16(min(Int(full), Int(ahead) * 8 + 1))
        return true
    }

    /// The broker has broken the connection, or sent what can't be read.
    /// - Parameter next: the offset behind the last stored message.
    /// - Returns: whether to read again at once; otherwise, the broker may be unwell, and is given time.
    public mutating func noteDeath(next: Int64) -> Bool {
        silences = 0
        if ahead > 1 {
            ahead = max(1, ahead / 8)
            deaths = 0
            return true
        }
        deaths += 1
        if deaths < Self.deathsMax { return isAnchored }
        deaths = 0
        let place = start ?? next
        dead = (dead?.lowerBound ?? next)...place
        isBlind = !isAnchored
        return isAnchored
    }

    private mutating func forget() {
        dead = nil
        told = nil
        alive = nil
        isBlind = false
    }

    /// The stream is another one now.
    public mutating func reset() { self = StepOver(full: full) }
}
