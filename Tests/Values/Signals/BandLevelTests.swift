import Foundation
import Signals
import Testing

@Suite struct BandLevelTests {
    private func level(
        _ samples: [Double], _ band: SignalBand?, rate: Double = 2560, window: Double = 1
    ) throws -> BandLevel.Reading {
        var level = BandLevel()
        let reading = level.all(samples.blocks(700, seed: 3), rate: rate, try #require(band), window: window)
        return try #require(reading)
    }

    /// A sine within the band counts whole, at an edge at -3 dB, an octave outside by a sixteenth, whatever the mean is.
    @Test(arguments: [(100.0, 1.0), (40, 1), (500, 1), (10, 0.7071068), (1000, 0.7071068), (5, 0.0624)])
    func aSineHasItsShare(_ hertz: Double, _ share: Double) throws {
        let sine = TestSignal.sines([(hertz, 3)], rate: 2560, count: 12_800).map { $0 + 9.81 }
        let reading = try level(sine, SignalBand(from: 10, to: 1000))
        #expect(abs(reading.latest / (share * 3 * 0.5.squareRoot()) - 1) < 0.004, "\(reading)")
        #expect(abs(reading.lowest / reading.highest - 1) < 0.001, "\(reading)")
        #expect(reading.peak <= 3 * share * 1.005 && reading.peak > 3 * share * 0.98, "\(reading)")
    }

    @Test func anotherSineIsLeftOut() throws {
        let both = TestSignal.sines([(50, 1), (700, 20)], rate: 2560, count: 12_800)
        let reading = try level(both, SignalBand(from: 20, to: 130))
        #expect(abs(reading.latest - 0.5.squareRoot()) < 0.006, "\(reading)")
    }

    /// The velocity of a sine is its acceleration over 2πf, close to half of the rate too; gravity and a drift do not count.
    @Test(arguments: [16.0, 50, 160, 400, 720])
    func velocityOfASineOfAcceleration(_ hertz: Double) throws {
        let sine = TestSignal.sines([(hertz, 2)], rate: 2560, count: 12_800).enumerated().map {
            $0.element + 9.81 + 1e-4 * Double($0.offset)
        }
        let reading = try level(sine, SignalBand(from: 5, to: 1000, isIntegrated: true, factor: 1000))
        let peak = 2 * 1000 / (2 * .pi * hertz)
        // The upper edge takes 2 % of a sine at 0.72 of it.
        let edge = 1 / (1 + pow(tan(.pi * hertz / 2560) / tan(.pi * 1000 / 2560), 8)).squareRoot()
        #expect(abs(reading.latest / (peak * edge * 0.5.squareRoot()) - 1) < 0.002, "\(reading) for \(peak)")
        #expect(reading.peak <= peak * 1.005)
    }

    @Test func whiteNoiseFillsABandByItsWidth() throws {
        let noise = TestSignal.noise(256_000, seed: 9)
        let reading = try level(noise, SignalBand(from: 200, to: 600), window: 60)
        let expected = (1.0 / 12 * 400 / 1280).squareRoot()
        // An edge of the fourth order seems 2.6 % wider.
        #expect(abs(reading.latest / expected - 1) < 0.03, "\(reading.latest) for \(expected)")
    }

    /// The sliding window gives what scipy's filters and numpy's sums give.
    @Test func levelsAreThoseOfScipy() throws {
        let noise = TestSignal.noise(1 << 17)
        for (from, to, window, expected) in [
            (10.0, 1000.0, 4.0, SignalReferences.levels), (40, 60, 8, SignalReferences.narrowLevels),
        ] {
            let band = try #require(SignalBand(from: from, to: to))
            var level = BandLevel()
            // One block for each quarter of the window, so that each value is seen.
            let quarter = Int(2560 * window / 4)
            let first = band.settling(atRate: 2560)
            var found: [Double] = []
            _ = level.add(Array(noise[..<first]), rate: 2560, band, window: window)
            for start in stride(from: first, to: noise.count, by: quarter) {
                let block = Array(noise[start..<min(noise.count, start + quarter)])
                if let reading = level.add(block, rate: 2560, band, window: window) {
                    #expect(reading.lowest == reading.highest && reading.highest == reading.latest)
                    found.append(reading.latest)
                }
            }
            let picked = stride(from: 0, to: found.count, by: 4).map { found[$0] }
            #expect(picked.count == expected.count)
            for (one, other) in zip(picked, expected) { #expect(abs(one / other - 1) < 1e-9, "\(one) for \(other)") }
        }
    }

    /// The integral of noise has the level that numpy's spectrum gives.
    @Test func velocityIsThatOfNumpy() throws {
        let noise = TestSignal.noise(1 << 17)
        let band = SignalBand(from: 10, to: 1000, isIntegrated: true, factor: 1000)
        let reading = try level(noise, band, window: 50)
        #expect(abs(reading.latest / SignalReferences.velocity - 1) < 0.02, "\(reading)")
    }

    /// However the samples are cut, and with the state stored and read again between blocks, the values are the same to the bit.
    @Test(arguments: [UInt64(1), 2, 3, 4, 5])
    func cutsAndStoredStatesChangeNothing(_ seed: UInt64) throws {
        let samples = TestSignal.noise(20_000, seed: seed)
        let band = try #require(SignalBand(from: 20, to: 400, isIntegrated: seed % 2 == 0, factor: 5))
        var whole = BandLevel()
        let expectedValues = whole.all([samples], rate: 1000, band, window: 0.7)
        let expected = try #require(expectedValues)
        var cut = BandLevel()
        var result: BandLevel.Reading?
        for block in samples.blocks(900, seed: seed) {
            let words = cut.words
            #expect(words.count == BandLevel.wordCount)
            var read = try #require(BandLevel(words: words))
            #expect(read == cut)
            if let reading = read.all([block], rate: 1000, band, window: 0.7) {
                result = BandLevel.Reading(
                    lowest: min(reading.lowest, result?.lowest ?? .infinity),
                    highest: max(reading.highest, result?.highest ?? 0), latest: reading.latest,
                    peak: max(reading.peak, result?.peak ?? 0))
            }
            cut = read
        }
        #expect(result == expected)
        #expect(cut.words == whole.words)
        #expect(BandLevel(words: []) == nil)
        var wrong = whole.words
        wrong[wrong.count - 1] = 5
        #expect(BandLevel(words: wrong) == nil)
    }

    /// A gap, another rate and a sample that is no number start anew: nothing is said until a window is full again, and a step at
    /// the gap is no vibration.
    @Test func gapsStartAnew() throws {
        let band = try #require(SignalBand(from: 10, to: 200))
        let sine = TestSignal.sines([(50, 1)], rate: 1000, count: 4000)
        var begun = BandLevel()
        #expect(begun.all(sine.blocks(300, seed: 1), rate: 1000, band, window: 1) != nil)

        let high = sine.map { $0 + 1000 }
        for kind in 0..<3 {
            var level = begun
            let rate = kind == 1 ? 1001.0 : 1000
            var samples = high
            if kind == 2 { samples.insert(.nan, at: 0) }
            // The filter needs half a second and the window one.
            let first = Array(samples[..<1400])
            #expect(level.add(first, rate: rate, isContinuous: kind != 0, band, window: 1) == nil)
            let rest = Array(samples[1400...])
            let found = level.add(rest, rate: rate, band, window: 1)
            let reading = try #require(found)
            #expect(abs(reading.highest - 0.5.squareRoot()) < 0.002, "\(reading)")
        }
        var level = begun
        #expect(level.all([sine], rate: 1000, band, window: 1)?.latest != nil)
    }

    @Test func aBandThatTheRateCannotShowSaysNothing() throws {
        let band = try #require(SignalBand(from: 600, to: 800))
        var level = BandLevel()
        #expect(level.all([TestSignal.noise(5000)], rate: 1000, band, window: 1) == nil)
        #expect(!band.isCovered(atRate: 1000) && band.isCovered(atRate: 1700))
        #expect(level.all([TestSignal.noise(5000)], rate: .nan, band, window: 1) == nil)
        #expect(level.all([TestSignal.noise(5000)], rate: 5000, band, window: 0.5) != nil)
        #expect(SignalBand(from: 5, to: 5) == nil && SignalBand(from: -1, to: 5) == nil)
        #expect(SignalBand(from: 0, to: 5, isIntegrated: true) == nil && SignalBand(from: 0, to: .infinity) == nil)
    }

    /// Without a lower edge the mean counts; with one a constant signal has no level, after any time.
    @Test func constants() throws {
        let constant = Array(repeating: 4.0, count: 60_000)
        let whole = try level(constant, SignalBand(from: 0, to: 100), rate: 1000)
        #expect(abs(whole.latest - 4) < 1e-9)
        let without = try level(TestSignal.noise(1000) + constant, SignalBand(from: 10, to: 100), rate: 1000)
        #expect(without.latest < 1e-12)
    }
}
