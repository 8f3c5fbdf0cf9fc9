import Foundation
import Signals
import Testing

@Suite struct SampleMomentsTests {
    @Test func closedForms() throws {
        let sine = SampleMoments(of: TestSignal.sines([(50, 3)], rate: 1000, count: 1000, phase: 0).map { $0 + 7 })
        #expect(abs(try #require(sine.crestFactor) - 2.0.squareRoot()) < 0.001)
        #expect(abs(try #require(sine.kurtosis) - 1.5) < 1e-9)
        #expect(abs(sine.mean - 7) < 1e-12 && abs(sine.deviation - 3 * 0.5.squareRoot()) < 1e-9)
        let square = SampleMoments(of: (0..<1000).map { $0 / 10 % 2 == 0 ? 5.0 : 1 })
        #expect(abs(try #require(square.crestFactor) - 1) < 1e-12)
        #expect(abs(try #require(square.kurtosis) - 1) < 1e-12)
        let even = SampleMoments(of: TestSignal.noise(200_000))
        #expect(abs(try #require(even.kurtosis) - 1.8) < 0.02)
        // Twelve even numbers make a normal one, but for a kurtosis of 3 - 1.2 / 12.
        let numbers = TestSignal.noise(1_200_000)
        let normal = (0..<100_000).map { numbers[12 * $0..<12 * $0 + 12].reduce(0, +) }
        #expect(abs(try #require(SampleMoments(of: normal).kurtosis) - 2.9) < 0.06)
    }

    @Test func thoseOfScipyBesideALargeMean() throws {
        let samples = TestSignal.noise(5000).map { 1e6 + $0 * $0 * $0 }
        var merged = SampleMoments()
        for block in samples.blocks(97, seed: 5) { merged.merge(SampleMoments(of: block)) }
        for moments in [SampleMoments(of: samples), merged] {
            #expect(abs(try #require(moments.kurtosis) / SignalReferences.kurtosis - 1) < 1e-7)
            #expect(abs(try #require(moments.crestFactor) / SignalReferences.crestFactor - 1) < 1e-7)
            #expect(moments.count == 5000)
        }
    }

    @Test func nothingAndTheSameHaveNone() {
        let cases: [[Double]] = [[], [3], [3, 3, 3, 3, 3], [.nan, .infinity], [.nan, 5, 5, -.infinity, 5, 5, 5]]
        for samples in cases {
            let moments = SampleMoments(of: samples)
            #expect(moments.crestFactor == nil && moments.kurtosis == nil, "\(samples)")
            #expect(moments.count == Double(samples.count { $0.isFinite }))
        }
        #expect(SampleMoments(of: Array(repeating: 0.1, count: 1001)).kurtosis == nil)
        let some = SampleMoments(of: [1, .nan, 2, 3, .infinity, 4, 5])
        #expect(some.minimum == 1 && some.maximum == 5 && abs(some.mean - 3) < 1e-15)
    }

    /// The window is that of the last four quarters, as of all their samples at once, and survives being stored.
    @Test func aWindowSlides() throws {
        let samples = TestSignal.noise(20_000, seed: 8).enumerated().map { $0.element + ($0.offset > 12_000 ? 5 : 0) }
        var window = MomentWindow()
        // Blocks of 100 ms of 1000 Hz, a window of 4 s.
        for block in 0..<200 {
            let part = Array(samples[100 * block..<100 * block + 100])
            let found = window.add(SampleMoments(of: part), at: Int64(block) * 100_000_000, window: 4_000_000_000)
            let first = block / 10 - 3
            #expect((found != nil) == (first > 0), "\(block)")
            if let found {
                let expected = SampleMoments(of: Array(samples[1000 * first..<100 * block + 100]))
                #expect(found.count == expected.count && found.maximum == expected.maximum)
                let (one, other) = (try #require(found.kurtosis), try #require(expected.kurtosis))
                #expect(abs(one - other) < 1e-9)
            }
            let read = try #require(MomentWindow(words: window.words))
            #expect(read == window)
            window = read
        }
        #expect(window.words.count == MomentWindow.wordCount && MomentWindow(words: [1]) == nil)
        // A long gap and a step back start anew; negative times are times.
        let one = SampleMoments(of: [1, 2])
        #expect(window.add(one, at: 60_000_000_000, window: 4_000_000_000) == nil)
        #expect(window.add(one, at: 59_000_000_000, window: 4_000_000_000) == nil)
        for second in -9..<0 {
            let found = window.add(one, at: Int64(second) * 1_000_000_000 - 1, window: 4_000_000_000)
            #expect((found?.count ?? 0) == (second >= -5 ? 8 : 0), "\(second)")
        }
    }
}
