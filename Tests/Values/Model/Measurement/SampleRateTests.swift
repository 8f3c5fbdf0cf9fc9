import Model
import Simulation
import Testing

@Suite struct SampleRateTests {
    static let rates: [Double] = [48_000, 44_100, 1.0 / 60, 10_000, 1, 0.1, 3, 1e6 / 3, 1e9]

    /// `index / hertz` seconds as a fraction of nanoseconds: a Double is a whole number times a power of two, so
    /// 128 bits hold it exactly.
    private func exact(_ index: Int64, _ hertz: Double) -> (numerator: Int128, denominator: Int128) {
        let shift = 52 - Int(hertz.exponent)
        let whole = Int128(hertz.significand * Double(sign: .plus, exponent: 52, significand: 1))
        let scaled = Int128(index) * 1_000_000_000
        return shift >= 0 ? (scaled << Int128(shift), whole) : (scaled, whole << Int128(-shift))
    }

    @Test(arguments: rates)
    func sampleTimesAreTheNearestNanosecond(hertz: Double) throws {
        let rate = try rate(hertz)
        var random = SplitMix64(seed: 2)
        let indexMax = min(10_000_000_000, Int64(hertz * 9.2e9))
        let indices =
            [0, 1, 2, 59, 60, 61, indexMax - 1, indexMax]
            + (0..<2000).map { _ in .random(in: 0...indexMax, using: &random) }
        for index in indices {
            let (numerator, denominator) = exact(index, hertz)
            let error = (Int128(rate.nanoseconds(toSample: index)) * denominator - numerator).magnitude
            // Half a nanosecond, and a thousandth for ties.
            #expect(error <= denominator.magnitude && error * 1000 <= denominator.magnitude * 501, "sample \(index)")
        }
    }

    @Test(arguments: rates)
    func countingIsTheInverseOfTiming(hertz: Double) throws {
        let rate = try rate(hertz)
        var random = SplitMix64(seed: 3)
        for _ in 0..<1000 {
            let index = Int64.random(in: 1...min(10_000_000_000, Int64(hertz * 9.2e9)), using: &random)
            let time = rate.nanoseconds(toSample: index)
            #expect(rate.samples(within: time) == index + 1)
            #expect(rate.samples(within: time - 1) == index)
            let moment = Int64.random(in: 0...time, using: &random)
            let after = rate.samples(within: moment)
            #expect(rate.nanoseconds(toSample: after) > moment && rate.nanoseconds(toSample: after - 1) <= moment)
        }
        #expect(rate.samples(within: -1) == 0)
        #expect(rate.samples(within: 0) == 1)
    }

    @Test func aDayOfEachCommonRateIsADay() throws {
        #expect(try rate(48_000).nanoseconds(toSample: 48_000 * 86_400) == 86_400_000_000_000)
        #expect(try rate(44_100).nanoseconds(toSample: 44_100 * 86_400) == 86_400_000_000_000)
        #expect(try rate(1.0 / 60).nanoseconds(toSample: 1440) == 86_400_000_000_000)
        #expect(try rate(44_100).nanoseconds(toSample: 1) == 22_676)
        #expect(try rate(3).nanoseconds(toSample: 2) == 666_666_667)
    }

    /// Beyond 292 years there is only "very late", never a time before the beginning.
    @Test(arguments: [1e-7, 7.105427357601002e-06, 1.0 / 60, 1, 1000])
    func farSamplesAreLateNotEarly(hertz: Double) throws {
        let rate = try rate(hertz)
        let edge = Int64(hertz * 9_223_372_036.0)
        var previous = Int64.min
        for index in [0, edge, edge + 1, edge + 2, edge * 2 + 1000, .max / 2, .max] where index >= 0 {
            let time = rate.nanoseconds(toSample: index)
            #expect(time >= previous, "sample \(index)")
            previous = time
        }
        #expect(previous == .max)
    }

    /// The last part of a second before the end of Int64, where the fraction alone overflows.
    @Test func theLastFractionOfASecondIsLateToo() throws {
        let rate = try rate(65_535 / 9_223_372_036.9)
        #expect(rate.nanoseconds(toSample: 65_535) == .max)
    }

    @Test(arguments: [0, -1, -0.0, .nan, .infinity, -.infinity, 1e-8, 1.1e9, .leastNonzeroMagnitude])
    func otherNumbersAreNoRates(hertz: Double) {
        #expect(SampleRate(hertz: hertz) == nil)
    }

    @Test(arguments: [(1000, "1000 Hz"), (0.5, "0.5 Hz"), (1e9, "1000000000 Hz"), (1e-7, "1e-07 Hz")])
    func ratesReadWell(hertz: Double, text: String) throws {
        #expect(try rate(hertz).description == text)
    }
}
