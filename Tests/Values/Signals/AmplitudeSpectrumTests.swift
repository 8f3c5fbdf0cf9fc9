import Foundation
import Signals
import Testing

@Suite struct AmplitudeSpectrumTests {
    /// What a Hann window makes of sines, by the definition.
    private func spectrum(
        _ sines: [(hertz: Double, amplitude: Double)], mean: Double = 0, count: Int = 256, rate: Double = 1000
    )
        -> AmplitudeSpectrum
    {
        let samples = (0..<count).map { k in
            let window = 0.5 - 0.5 * cos(2 * .pi * Double(k) / Double(count))
            return window * sines.reduce(0) { $0 + $1.amplitude * sin(2 * .pi * $1.hertz * Double(k) / rate + 1) }
        }
        let amplitudes = (0...count / 2).map { line in
            var (real, imaginary) = (0.0, 0.0)
            for (k, sample) in samples.enumerated() {
                let angle = 2 * Double.pi * Double(line * k % count) / Double(count)
                real += sample * cos(angle)
                imaginary += sample * sin(angle)
            }
            return line == 0 ? mean : 4 * (real * real + imaginary * imaginary).squareRoot() / Double(count)
        }
        return AmplitudeSpectrum(resolution: rate / Double(count), amplitudes: amplitudes)
    }

    @Test(arguments: [50.0, 101.56, 123.4, 201, 333.3, 440])
    func aSineBetweenLinesIsFound(_ hertz: Double) throws {
        let peak = try #require(spectrum([(hertz, 2.5)], mean: 100).peaks(1).first)
        #expect(abs(peak.hertz - hertz) < 0.05, "\(peak)")
        #expect(abs(peak.amplitude - 2.5) < 0.03, "\(peak)")
    }

    @Test func theStrongestComeFirstAndSidesAreNoPeaks() {
        let peaks = spectrum([(100, 1), (250, 3), (400, 0.1)]).peaks(3)
        #expect(peaks.map { $0.hertz.rounded() } == [250, 100, 400])
        #expect(spectrum([(100, 1), (250, 3)]).peaks(1).count == 1)
    }

    /// A sine between two lines has a lower line than a weaker one on its line, and is the stronger peak all the same.
    @Test func peaksAreInTheOrderOfTheirAmplitudes() {
        let resolution = 1000.0 / 256
        let spectrum = spectrum([(40 * resolution, 1.0), (80.5 * resolution, 1.1)])
        #expect(spectrum.amplitudes[40] > spectrum.amplitudes[80], "otherwise this tests nothing")
        let peaks = spectrum.peaks(5)
        #expect(peaks.map(\.amplitude) == peaks.map(\.amplitude).sorted(by: >))
        #expect(abs(peaks[0].hertz - 80.5 * resolution) < 0.1 && abs(peaks[1].hertz - 40 * resolution) < 0.1)
        #expect(spectrum.peaks(1) == [peaks[0]])
    }

    @Test func nothingHasNoPeaks() {
        #expect(AmplitudeSpectrum(resolution: 1, amplitudes: [7, 0, 0]).peaks(5).isEmpty)
        #expect(AmplitudeSpectrum(resolution: 1, amplitudes: [7]).peaks(5).isEmpty)
        #expect(AmplitudeSpectrum(resolution: 1, amplitudes: []).highestHertz == 0)
        let two = AmplitudeSpectrum(resolution: 5, amplitudes: [1, 2])
        #expect(two.peaks(5).map { [$0.hertz, $0.amplitude] } == [[5, 2]] && two.highestHertz == 5)
        // Equal neighbours are one peak.
        #expect(AmplitudeSpectrum(resolution: 1, amplitudes: [0, 3, 3, 3, 0, 0]).peaks(5).map(\.hertz) == [1])
    }
}
