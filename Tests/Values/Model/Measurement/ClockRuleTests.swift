import Model
import Testing
import Time

@Suite struct ClockRuleTests {
    private let rule = ClockRule()
    private let second: Int64 = 1_000_000_000

    /// Edges are inside; a nanosecond further is outside.
    @Test(
        arguments: [
            (0, .ok), (600_000_000_000, .ok), (600_000_000_001, .future), (-604_800_000_000_000, .ok),
            (-604_800_000_000_001, .past), (Int64.max, .future), (-1_795_253_400_000_000_000, .past),
        ] as [(Int64, ClockVerdict)])
    func timesWithinTheWindowAreBelieved(offset: Int64, verdict: ClockVerdict) {
        let start = now.advanced(byNanoseconds: offset)
        let judged = rule.judge(start: start, spanNanoseconds: 5, received: now)
        #expect(judged.verdict == verdict)
        #expect(judged.time == (verdict == .ok ? start : now.advanced(byNanoseconds: -5)))
    }

    @Test func theYears1970And2100AreNotBelieved() {
        let early = Timestamp(unixNanoseconds: 1)
        let late = Timestamp(unixNanoseconds: 4_102_444_800 * second)
        #expect(rule.judge(start: early, spanNanoseconds: 0, received: now) == (now, .past))
        #expect(rule.judge(start: late, spanNanoseconds: 0, received: now) == (now, .future))
    }

    @Test func withoutAClockTheLastSampleIsTakenAtArrival() {
        let judged = rule.judge(start: nil, spanNanoseconds: 2 * second, received: now)
        #expect(judged == (now.advanced(bySeconds: -2), ClockVerdict.none))
    }

    @Test func windowsAreAsTheyAreSet() {
        let narrow = ClockRule(lateWindowSeconds: 1, aheadWindowSeconds: 0)
        #expect(narrow.judge(start: now.advanced(bySeconds: -1), spanNanoseconds: 0, received: now).verdict == .ok)
        #expect(narrow.judge(start: now.advanced(bySeconds: -2), spanNanoseconds: 0, received: now).verdict == .past)
        #expect(
            narrow.judge(start: now.advanced(byNanoseconds: 1), spanNanoseconds: 0, received: now).verdict == .future)
    }

    @Test func absurdWindowsAndTimesDoNotTrap() {
        let endless = ClockRule(lateWindowSeconds: .max, aheadWindowSeconds: .max)
        for start in [Timestamp(unixNanoseconds: .min), Timestamp(unixNanoseconds: .max)] {
            #expect(endless.judge(start: start, spanNanoseconds: .max, received: now) == (start, .ok))
        }
    }

    /// What the database's `clock` column holds must never change.
    @Test func verdictsHaveTheirNumbers() {
        #expect(ClockVerdict.allCases.map(\.rawValue) == [0, 1, 2, 3])
        #expect([ClockVerdict.ok, .future, .past, .none].map(\.rawValue) == [0, 1, 2, 3])
    }
}
