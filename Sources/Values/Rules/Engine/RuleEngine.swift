public import Model
public import Time

/// Evaluates the rules of a revision over the messages of one partition: a pure value, a function of the stream.
///
/// It is told of frames, ticks and revisions in the order of the stream. Two engines that were told the same come to the same
/// transitions, also if one of them was encoded and decoded in between.
public struct RuleEngine: Sendable {
    /// What was seen and not judged, and rules that failed; for metrics and logs.
    public struct Counts: Sendable, Equatable {
        /// Frames that were judged.
        public var frames: Int64 = 0
        /// Frames that were older than the newest of their boot, or repeated: they are for history only.
        public var late: Int64 = 0
        /// Steps of sensors' clocks that held for two frames.
        public var clockSteps: Int64 = 0
        /// Rules that were disabled because they exceeded their budget.
        public var failures: Int64 = 0
    }

    /// A rule that the engine disabled by itself.
    public struct Failure: Sendable, Equatable {
        /// The rule's name.
        public var rule: String
        /// Why, in one sentence.
        public var reason: String
        /// The message that it failed with.
        public var at: StreamPosition
    }

    /// The number of the revision that is evaluated.
    public private(set) var revision: Int64
    /// What was counted since the engine was made or decoded.
    public private(set) var counts = Counts()
    /// The rules that failed, by name.
    public private(set) var failures: [Failure] = []

    /// An engine that has heard nothing yet.
    /// - Parameters:
    ///   - clockRule: which device times to believe; it must be the ingester's, so that alarms and rows have the same times.
    public init(_ revision: RuleRevision, clockRule: ClockRule = ClockRule(), budget: RuleBudget = RuleBudget()) {
        self.revision = revision.number
    }

    /// Judges a valid frame.
    /// - Parameters:
    ///   - statistics: those of each block, if they are known already; empty: they are computed.
    ///   - position: the message's place in the stream.
    ///   - received: the broker's stamp.
    ///   - transitions: what follows is appended, a clear before a trigger.
    public mutating func observe(
        _ frame: Frame, of serial: SerialNumber, statistics: [SampleStatistics] = [], at position: StreamPosition,
        received: Timestamp, into transitions: inout [RuleTransition]
    ) {}

    /// Goes on to the time of a tick: silence is judged. If the tick before is longer ago than `tickGapMax`, the time
    /// between the two does not count as silence.
    public mutating func tick(_ stamp: Timestamp, at position: StreamPosition, into transitions: inout [RuleTransition])
    {}

    /// Replaces the rules by those of another revision. Conditions of the same kind keep their state and are judged again at
    /// the next frame; other alarms clear with their cause. A revision that is not newer changes nothing.
    public mutating func adopt(
        _ revision: RuleRevision, at position: StreamPosition, stamp: Timestamp,
        into transitions: inout [RuleTransition]
    ) {}

    /// The state as bytes, for `init(decoding:)`.
    public func encoded() -> [UInt8] { [] }

    /// The number of the revision under which bytes were encoded: the one that `init(decoding:)` needs.
    /// - Throws: `RuleStateError`.
    public static func revision(ofEncoded bytes: [UInt8]) throws(RuleStateError) -> Int64 { 0 }

    /// The engine that was encoded.
    /// - Parameter revision: the revision under which it was encoded.
    /// - Throws: `RuleStateError`; the caller then starts with a new engine and says so.
    public init(
        decoding bytes: [UInt8], _ revision: RuleRevision, clockRule: ClockRule = ClockRule(),
        budget: RuleBudget = RuleBudget()
    ) throws(RuleStateError) {
        self.revision = revision.number
    }
}

/// Why encoded state cannot be used.
public enum RuleStateError: Error, Sendable, Equatable {
    /// It was written by another release, whose version is given.
    case otherVersion(Int)
    /// It belongs to this revision.
    case otherRevision(Int64)
    /// It is damaged.
    case damaged
}
