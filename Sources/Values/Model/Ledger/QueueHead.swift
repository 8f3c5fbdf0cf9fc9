/// How a queue is read in which a message stands that the broker can't deliver: the broker breaks the connection, and gives
/// the same message to the next reader. A pure value: it is told what happens to the reader, and says what to do.
public struct QueueHead: Sendable, Equatable {
    /// What to do after a death.
    public enum Action: Sendable, Equatable {
        /// Read again.
        case read
        /// Take the message at the head of the queue out of it: it is the one.
        case takeOut
    }

    /// Deaths with one message ahead before it is taken out: one may have had another reason.
    public static let deathsMax = 2
    /// Messages that must be stored before the reader takes many at a time again.
    public static let careMax = 100

    private let full: UInt16
    /// Messages ahead of acknowledgements.
    public private(set) var ahead: UInt16
    private var deaths = 0
    private var stored = 0

    /// A reader that has seen nothing bad yet.
    /// - Parameter full: how far ahead it reads then, in messages.
    public init(full: UInt16) {
        self.full = full
        ahead = full
    }

    /// The broker has broken the connection, or sent what can't be read.
    public mutating func noteDeath() -> Action {
        stored = 0
        if ahead > 1 {
            ahead = 1
            deaths = 0
            return .read
        }
        deaths += 1
        guard deaths >= Self.deathsMax else { return .read }
        deaths = 0
        return .takeOut
    }

    /// Messages have come, and are stored.
    /// - Returns: whether to read more of them at a time, by a new consumer.
    public mutating func noteStored(_ count: Int) -> Bool {
        deaths = 0
        stored += count
        guard ahead < full, stored >= Self.careMax else { return false }
        ahead = full
        return true
    }
}
