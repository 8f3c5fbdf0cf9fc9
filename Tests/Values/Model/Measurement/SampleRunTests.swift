import Testing
import Time

@testable import Model

@Suite struct SampleRunTests {
    private let start = Timestamp(unixNanoseconds: 1_700_000_000_000_000_000)

    private func run(_ samples: Samples, from index: Int64 = 0, hertz: Double = 3) throws -> SampleRun {
        let rate = try #require(SampleRate(hertz: hertz))
        return SampleRun(
            start: start.advanced(byNanoseconds: rate.nanoseconds(toSample: index)), rate: rate, samples: samples)
    }

    /// A part has the same bits at the same nanoseconds, whatever they are.
    @Test func aRunContainsItsParts() throws {
        let samples: [Float] = [1, .nan, -0.0, .infinity, .leastNonzeroMagnitude, 2, 3]
        let whole = try run(.floats(samples))
        #expect(whole.contains(whole))
        for first in 0..<samples.count {
            let part = try run(.floats(Array(samples[first...].prefix(2))), from: Int64(first))
            // Rounding to a nanosecond from another start: the part is one only where both agree.
            let isExact = part.samples.count < 2 || part.time(of: 1) == whole.time(of: first + 1)
            #expect(whole.contains(part) == isExact, "\(first)")
        }
        #expect(try !whole.contains(run(.floats([1, .nan, 0]))), "0 is not -0")
        #expect(try !whole.contains(run(.floats(samples + [4]))), "longer")
        #expect(try !whole.contains(run(.floats([1]), hertz: 4)), "another rate")
        #expect(try !whole.contains(run(.value(1))), "another kind")
        var later = try run(.floats([1, .nan]))
        later.start = later.start.advanced(byNanoseconds: 1)
        #expect(!whole.contains(later))
    }

    @Test func countsAreComparedWithTheirScale() throws {
        let whole = try run(.counts([1, 2, 3], scale: 0.5, offset: 0))
        #expect(try whole.contains(run(.counts([1, 2, 3], scale: 0.5, offset: 0))))
        #expect(try !whole.contains(run(.counts([1, 2, 3], scale: 0.25, offset: 0))))
        #expect(try !whole.contains(run(.counts([1, 2, 3], scale: 0.5, offset: -0.0))))
        #expect(try run(.value(.nan)).contains(run(.value(.nan))))
    }
}
