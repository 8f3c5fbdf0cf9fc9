import Model
import Simulation
import Testing

@Suite struct StatisticsTests {
    /// The definition, word by word.
    private func naive(_ samples: Samples) -> (count: Int, min: Double, max: Double, mean: Double, rms: Double) {
        let finite = (0..<samples.count).map { samples[$0] }.filter(\.isFinite)
        let mean = finite.reduce(0, +) / Double(finite.count)
        let squares = finite.reduce(0) { $0 + $1 * $1 } / Double(finite.count)
        return (finite.count, finite.min() ?? .nan, finite.max() ?? .nan, mean, squares.squareRoot())
    }

    private func expectSame(_ samples: Samples, tolerance: Double, _ comment: Comment) throws {
        let statistics = SampleStatistics(samples)
        let naive = naive(samples)
        #expect(statistics.finiteCount == naive.count, comment)
        #expect(statistics.min == naive.min && statistics.max == naive.max, comment)
        #expect(abs(try #require(statistics.mean) - naive.mean) <= tolerance, comment)
        #expect(abs(try #require(statistics.rms) - naive.rms) <= tolerance, comment)
    }

    @Test(arguments: 0..<50)
    func floatsAgreeWithTheDefinition(round: UInt64) throws {
        var random = SplitMix64(seed: round)
        var samples = (0..<Int.random(in: 1...3000, using: &random)).map { _ in Float.random(in: -5...9, using: &random)
        }
        let others: [Float] = [.nan, .infinity, -.infinity, -.signalingNaN]
        for _ in 0..<(round % 5) { samples.insert(others[Int.random(in: 0..<4, using: &random)], at: 0) }
        try expectSame(.floats(samples), tolerance: 1e-9, "round \(round)")
    }

    @Test(arguments: 1...9)
    func whatIsNotFiniteIsPassedOverWhereverItStands(count: Int) throws {
        for place in 0..<count {
            for other in [Float.nan, .infinity, -.infinity] where count > 1 {
                var samples = (1...count).map { Float($0) - 4.5 }
                samples[place] = other
                try expectSame(.floats(samples), tolerance: 1e-12, "\(other) at \(place) of \(count)")
            }
        }
        try expectSame(.floats((1...count).map { Float($0) - 4.5 }), tolerance: 1e-12, "\(count) samples")
    }

    @Test(arguments: 0..<50)
    func countsAgreeWithTheDefinition(round: UInt64) throws {
        var random = SplitMix64(seed: round + 100)
        let counts = (0..<Int.random(in: 1...3000, using: &random)).map { _ in
            Int16.random(in: .min...(.max), using: &random)
        }
        let scale = round.isMultiple(of: 5) ? 0 : Double.random(in: -0.01...0.01, using: &random)
        let offset = Double.random(in: -100...100, using: &random)
        try expectSame(.counts(counts, scale: scale, offset: offset), tolerance: 1e-9, "round \(round)")
    }

    @Test func aNegativeScaleTurnsTheEndsAround() {
        let statistics = SampleStatistics(.counts([1, 5, 3], scale: -2, offset: 10))
        #expect(statistics.min == 0 && statistics.max == 8 && statistics.mean == 4)
        #expect(statistics.finiteCount == 3 && statistics.rms == ((64 + 0 + 16) / 3.0).squareRoot())
    }

    @Test func theLargestBlockOfTheLargestCountsIsExact() {
        let statistics = SampleStatistics(
            .counts(Array(repeating: .min, count: FrameLimits.samplesMax), scale: 1, offset: 0))
        #expect(statistics.mean == -32_768 && statistics.rms == 32_768 && statistics.finiteCount == 65_536)
    }

    /// A converter whose zero is far off: what is left after offset and counts cancel must not be rounding noise.
    @Test func aLargeOffsetLeavesNoNoiseInTheRms() throws {
        let counts = (0..<1000).map { Int16($0 % 2 == 0 ? 20_000 : 20_001) }
        let statistics = SampleStatistics(.counts(counts, scale: 1, offset: -20_000.5))
        #expect(statistics.mean == 0 && statistics.rms == 0.5)
        let still = SampleStatistics(.counts(Array(repeating: 30_001, count: 1000), scale: 0.1, offset: -3000.1))
        #expect(try #require(still.rms) <= abs(try #require(still.mean)) * 1.000_001)
    }

    @Test(arguments: [1.5, -2.5, 0, 1e300, -1e300, .leastNonzeroMagnitude, .greatestFiniteMagnitude])
    func oneValueIsItsOwnStatistics(value: Double) {
        let statistics = SampleStatistics(.value(value))
        #expect(statistics.finiteCount == 1 && statistics.min == value && statistics.max == value)
        #expect(statistics.mean == value && statistics.rms == abs(value))
    }

    @Test(arguments: [
        Samples.value(.nan), .value(.infinity), .floats([]), .floats([.nan, .infinity, -.infinity]),
        .counts([], scale: 1, offset: 0),
    ])
    func withoutFiniteSamplesThereIsNothingToSay(samples: Samples) {
        let statistics = SampleStatistics(samples)
        #expect(statistics.finiteCount == 0 && statistics.min == nil && statistics.max == nil)
        #expect(statistics.mean == nil && statistics.rms == nil)
    }
}
