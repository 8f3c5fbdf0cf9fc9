import Simulation
import Testing
import Time

@Suite struct SampleClockTests {
    /// Sample k must lie at start + k × denominator / numerator seconds, to a nanosecond, for a day and more.
    @Test(arguments: [(10_000, 1), (1, 60), (44_100, 1), (1, 1), (100_000, 3)])
    func exactOverHours(numerator: Int, denominator: Int) throws {
        let clock = SampleClock(start: origin, rate: try rate(Double(numerator) / Double(denominator)))
        let samplesOfThirtyHours = Int64(30 * 3600 * numerator / denominator)
        for step in 0...1000 {
            let index = samplesOfThirtyHours * Int64(step) / 1000
            let product = Int128(index) * 1_000_000_000 * Int128(denominator)
            let exact = Int64((product + Int128(numerator / 2)) / Int128(numerator))
            let given = clock.time(ofSample: index).nanoseconds(since: origin)
            #expect(abs(given - exact) <= 1, "sample \(index): \(given), exactly \(exact)")
        }
    }

    @Test(arguments: [10_000.0, 1.0 / 60, 44_100, 0.3])
    func eachSampleIsDueOnceAtItsTime(hertz: Double) throws {
        var clock = SampleClock(start: origin, rate: try rate(hertz))
        var random = SplitMix64(seed: 3)
        var now = origin.advanced(byNanoseconds: -1)
        #expect(clock.samplesDue(at: now) == 0)
        for _ in 0..<2000 {
            now = now.advanced(byNanoseconds: Int64(random.uniform() * 3e9 / hertz))
            let due = clock.samplesDue(at: now)
            clock.take(Int(due))
            #expect(clock.nextTime > now)
            #expect(clock.next == 0 || clock.time(ofSample: clock.next - 1) <= now)
        }
        #expect(clock.taken == clock.next)
    }

    @Test func aNewRateStartsAtTheNextSample() throws {
        var clock = SampleClock(start: origin, rate: try rate(1000))
        clock.take(11)  // 0…10 ms
        clock.change(to: try rate(250), at: after(0.0105))
        #expect(clock.nextTime == after(0.011))
        clock.take(1)
        #expect(clock.nextTime == after(0.015))
        #expect(clock.taken == 12)
    }

    @Test func aFasterRateDoesNotWaitForTheSlowSample() throws {
        var clock = SampleClock(start: origin, rate: try rate(1.0 / 3600))
        clock.take(1)
        clock.change(to: try rate(10), at: after(5))
        #expect(clock.nextTime == after(5))
        clock.change(to: try rate(0.1), at: after(5))
        #expect(clock.nextTime == after(5))
        clock.take(1)
        clock.change(to: try rate(2), at: after(5.1))
        #expect(clock.nextTime == after(5.5))
    }

    @Test func aPauseEndsAtOnce() throws {
        var clock = SampleClock(start: origin, rate: try rate(1))
        clock.take(3)
        clock.resume(at: after(7.25))
        #expect(clock.nextTime == after(7.25))
        clock.take(1)
        clock.resume(at: after(7.25))
        #expect(clock.nextTime > after(7.25))
    }
}
