import Signals
import Testing

@testable import iotctl

@Suite struct SpectrumPlotTests {
    private func spectrum(_ lines: [Int: Double], count: Int = 2049) -> AmplitudeSpectrum {
        AmplitudeSpectrum(resolution: 500 / Double(count - 1), amplitudes: (0..<count).map { lines[$0] ?? 0 })
    }

    @Test(arguments: [40, 80, 200], [2, 17, 2049, 32_769])
    func linesFitTheTerminal(_ columns: Int, _ count: Int) {
        for isLinear in [false, true] {
            let plot = SpectrumPlot(spectrum: spectrum([0: 1000, 1: 3], count: count), isLinear: isLinear)
            let lines = plot.lines(columns: columns, rows: 12)
            #expect(lines.count == 14 && lines.allSatisfy { $0.count <= columns }, "\(lines)")
            // The mean is left out: the strongest line is as high as the plot.
            #expect(lines[0].contains("█") && lines[11].contains("█"))
            #expect(lines[13].hasSuffix("500 Hz") && lines[13].contains(" 0 "))
        }
    }

    @Test func heightsAreDecibelsOrAmplitudes() {
        // A tenth is 20 dB less: three quarters of 80 dB.
        let two = spectrum([512: 1, 1536: 0.1])
        func height(_ lines: [String], near column: Int) -> Int {
            lines.prefix(12).filter { line in
                let part = Array(line).dropFirst(column - 2).prefix(5)
                return part.contains { "▁▂▃▄▅▆▇█".contains($0) }
            }.count
        }
        let decibels = SpectrumPlot(spectrum: two, isLinear: false).lines(columns: 80, rows: 12)
        #expect(height(decibels, near: 27) == 12 && height(decibels, near: 62) == 9)
        #expect(decibels[0].contains("0 dB") && decibels[6].contains("-40 dB") && decibels[11].contains("-80 dB"))
        let amplitudes = SpectrumPlot(spectrum: two, isLinear: true).lines(columns: 80, rows: 12)
        #expect(height(amplitudes, near: 27) == 12 && height(amplitudes, near: 62) == 2)
        #expect(amplitudes[0].hasPrefix("       1 │") && amplitudes[6].hasPrefix("     0.5 │"))
    }

    @Test func nothingIsFlat() {
        let lines = SpectrumPlot(spectrum: spectrum([0: 5]), isLinear: false).lines(columns: 80, rows: 12)
        #expect(!lines.joined().contains { "▁▂▃▄▅▆▇█".contains($0) })
    }
}
