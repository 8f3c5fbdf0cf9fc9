internal import Model
internal import Time

/// The alarm of one instance: the words at the beginning of its state.
struct RuleAlarmState {
    typealias Header = RuleProgram.Header

    private(set) var isOn: Bool
    /// The truth that raised it.
    private(set) var side: RuleTruth
    private(set) var isFlapping: Bool
    private(set) var raised: StreamPosition
    var value: Double
    var limit: Double
    private var newerTriggers: UInt64
    private var olderTriggers: UInt64

    init(_ words: Span<UInt64>, at base: Int) {
        let flags = words[base + Header.flags]
        isOn = flags & 1 == 1
        side = RuleTruth(rawValue: flags >> 1 & 3) ?? .unknown
        isFlapping = flags >> 3 & 1 == 1
        raised = StreamPosition(
            incarnation: Int64(bitPattern: words[base + Header.incarnation]),
            offset: Int64(bitPattern: words[base + Header.offset]))
        value = Double(bitPattern: words[base + Header.value])
        limit = Double(bitPattern: words[base + Header.limit])
        newerTriggers = words[base + Header.triggers]
        olderTriggers = words[base + Header.triggers + 1]
    }

    mutating func clear() {
        (isOn, side, isFlapping, value, limit) = (false, .unknown, false, 0, 0)
        raised = StreamPosition(incarnation: 0, offset: 0)
    }

    mutating func raise(at position: StreamPosition, side: RuleTruth, time: Timestamp) {
        (isOn, self.side, raised) = (true, side, position)
        let now = UInt32(clamping: time.unixNanoseconds / 1_000_000_000)
        let oldest = UInt32(truncatingIfNeeded: olderTriggers >> 32)
        isFlapping = oldest != 0 && now >= oldest && Int64(now - oldest) <= RuleJudge.flapSeconds
        olderTriggers = olderTriggers << 32 | newerTriggers >> 32
        newerTriggers = newerTriggers << 32 | UInt64(now)
    }

    func write(to words: inout MutableSpan<UInt64>, at base: Int) {
        words[base + Header.flags] = (isOn ? 1 : 0) | side.rawValue << 1 | (isFlapping ? 8 : 0)
        words[base + Header.incarnation] = UInt64(bitPattern: raised.incarnation)
        words[base + Header.offset] = UInt64(bitPattern: raised.offset)
        words[base + Header.value] = value.bitPattern
        words[base + Header.limit] = limit.bitPattern
        words[base + Header.triggers] = newerTriggers
        words[base + Header.triggers + 1] = olderTriggers
    }
}
