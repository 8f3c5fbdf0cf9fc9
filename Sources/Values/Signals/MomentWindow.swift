/// The moments of the samples of a sliding window, in four quarters.
///
/// A block belongs whole to the quarter in which it begins. Quarters begin at multiples of a quarter of the window. A gap leaves
/// quarters with fewer samples; one as long as the window, or a step back in time, starts the window anew.
public struct MomentWindow: Sendable, Equatable {
    private static let quarters = 4

    /// The moments of the last four quarters; the newest is last.
    private var moments = Array(repeating: SampleMoments(), count: quarters)
    /// The numbers of the first quarter and of the newest; nil: nothing came yet.
    private var numbers: (first: Int64, newest: Int64)?

    /// No samples yet.
    public init() {}

    /// Adds a block.
    /// - Parameters:
    ///   - block: its moments.
    ///   - time: when its first sample was taken, in nanoseconds since any moment that stays.
    ///   - window: the length of the window in nanoseconds, always the same.
    /// - Returns: the moments of the last four quarters, the running one included; nil if the samples do not reach back so far.
    public mutating func add(_ block: SampleMoments, at time: Int64, window: Int64) -> SampleMoments? {
        let quarter = max(1, window / Int64(Self.quarters))
        let number = time >= 0 ? time / quarter : (time &+ 1) / quarter - 1
        if let known = numbers, number >= known.newest, number &- known.newest < Int64(Self.quarters) {
            for _ in known.newest..<number {
                for index in 1..<Self.quarters { moments[index - 1] = moments[index] }
                moments[Self.quarters - 1] = SampleMoments()
            }
            numbers = (known.first, number)
        } else {
            for index in 0..<Self.quarters { moments[index] = SampleMoments() }
            numbers = (number, number)
        }
        moments[Self.quarters - 1].merge(block)
        guard let numbers, numbers.newest &- numbers.first >= Int64(Self.quarters) else { return nil }
        var all = moments[0]
        for index in 1..<Self.quarters { all.merge(moments[index]) }
        return all
    }

    /// Compares the states.
    public static func == (left: MomentWindow, right: MomentWindow) -> Bool {
        left.moments == right.moments && left.numbers?.first == right.numbers?.first
            && left.numbers?.newest == right.numbers?.newest
    }
}

extension MomentWindow {
    /// How many words `words` has.
    public static let wordCount = quarters * SampleMoments.wordCount + 3

    /// The state, to be stored.
    public var words: [UInt64] {
        var words: [UInt64] = []
        words.reserveCapacity(Self.wordCount)
        for quarter in moments { quarter.write(to: &words) }
        words.append(numbers == nil ? 0 : 1)
        words.append(UInt64(bitPattern: numbers?.first ?? 0))
        words.append(UInt64(bitPattern: numbers?.newest ?? 0))
        return words
    }

    /// A state that was stored.
    /// - Returns: nil if these are not the words of one.
    public init?(words: [UInt64]) {
        guard words.count == Self.wordCount, words[words.count - 3] <= 1 else { return nil }
        for quarter in moments.indices {
            moments[quarter] = SampleMoments(words: words.span, at: quarter * SampleMoments.wordCount)
        }
        if words[words.count - 3] == 1 {
            numbers = (Int64(bitPattern: words[words.count - 2]), Int64(bitPattern: words[words.count - 1]))
        }
    }
}
