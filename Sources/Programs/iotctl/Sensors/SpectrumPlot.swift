internal import Foundation
internal import Signals

/// A spectrum plotted in block characters; the height of a column is the strongest spectral line in its range.
struct SpectrumPlot {
    /// Range of a logarithmic plot below its maximum, in decibels.
    static let decibels = 80.0
    private static let blocks = Array(" ▁▂▃▄▅▆▇█")

    /// The spectrum to plot.
    var spectrum: AmplitudeSpectrum
    /// Whether the scale is linear in amplitude, not in decibels.
    var isLinear: Bool

    /// Lines of at most `columns` characters: `rows` of the plot, then the axis and its frequencies, without the mean.
    func lines(columns: Int, rows: Int) -> [String] {
        let frame = PlotFrame(columns: columns)
        let heights = heights(frame.width)
        let cells = rows * 8
        let bars = (0..<rows).map { row in
            let floor = (rows - 1 - row) * 8
            return String(
                heights.map { height in
                    Self.blocks[min(8, max(0, Int((height * Double(cells)).rounded()) - floor))]
                })
        }
        return frame.lines(bars, label: { label($0, of: rows) }, axis: axis)
    }

    /// The height of each column, 0…1.
    private func heights(_ width: Int) -> [Double] {
        let amplitudes = spectrum.amplitudes.dropFirst()
        guard let top = amplitudes.max(), top > 0 else { return Array(repeating: 0, count: width) }
        return (0..<width).map { column in
            let first = amplitudes.count * column / width
            let last = max(first, amplitudes.count * (column + 1) / width - 1)
            let amplitude = (first...last).reduce(0) { max($0, amplitudes[amplitudes.startIndex + $1]) } / top
            return isLinear ? amplitude : amplitude > 0 ? max(0, 1 + 20 * log10(amplitude) / Self.decibels) : 0
        }
    }

    /// The label of the scale at the top, in the middle and at the bottom; empty for other rows.
    private func label(_ row: Int, of rows: Int) -> String {
        let share: Double
        switch row {
        case 0: share = 1
        case rows / 2: share = 1 - Double(rows / 2) / Double(rows)
        case rows - 1 where !isLinear: share = 0
        default: return ""
        }
        if !isLinear { return "\(Int(((share - 1) * Self.decibels).rounded())) dB" }
        return (share * (spectrum.amplitudes.dropFirst().max() ?? 0)).significant(3)
    }

    /// The frequencies at the quarters of the axis.
    private var axis: [PlotFrame.Label] {
        (0...4).map { quarter in
            let number = (spectrum.highestHertz * Double(quarter) / 4).significant(4)
            return PlotFrame.Label(share: Double(quarter) / 4, text: quarter == 4 ? "\(number) Hz" : number)
        }
    }
}
