internal import Foundation
internal import Sensors

/// A spectrum as lines of block characters, each as high as the strongest line of its frequencies.
struct SpectrumPlot {
    /// How far below the highest the lowest is that a logarithmic plot shows.
    static let decibels = 80.0
    private static let blocks = Array(" ▁▂▃▄▅▆▇█")
    private static let labelColumns = 9

    /// What is shown.
    var spectrum: AmplitudeSpectrum
    /// Whether heights are amplitudes, not decibels.
    var isLinear: Bool

    /// Lines that fit so many columns: `rows` of the plot, then the axis and its frequencies. The mean is left out.
    func lines(columns: Int, rows: Int) -> [String] {
        let width = max(10, columns - Self.labelColumns - 1)
        let heights = heights(width)
        let cells = rows * 8
        var lines = (0..<rows).map { row in
            let floor = (rows - 1 - row) * 8
            let bars = heights.map { height in
                Self.blocks[min(8, max(0, Int((height * Double(cells)).rounded()) - floor))]
            }
            return pad(label(row, of: rows)) + "│" + String(bars).trimmedAtEnd
        }
        lines.append(pad("") + "└" + String(repeating: "─", count: width))
        lines.append(axis(width))
        return lines
    }

    /// 0…1 for each column.
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

    /// At the top, in the middle and at the bottom.
    private func label(_ row: Int, of rows: Int) -> String {
        let share: Double
        switch row {
        case 0: share = 1
        case rows / 2: share = 1 - Double(rows / 2) / Double(rows)
        case rows - 1 where !isLinear: share = 0
        default: return ""
        }
        if !isLinear { return "\(Int(((share - 1) * Self.decibels).rounded())) dB" }
        return String(format: "%.3g", share * (spectrum.amplitudes.dropFirst().max() ?? 0))
    }

    private func pad(_ label: String) -> String {
        String(repeating: " ", count: max(0, Self.labelColumns - 1 - label.count)) + label + " "
    }

    /// "0        125        250        375        500 Hz"
    private func axis(_ width: Int) -> String {
        var text = Array(repeating: Character(" "), count: Self.labelColumns + width + 1)
        for quarter in 0...4 {
            let number = String(format: "%.4g", spectrum.highestHertz * Double(quarter) / 4)
            let word = Array(quarter == 4 ? "\(number) Hz" : number)
            let middle = Self.labelColumns + width * quarter / 4
            let start = min(max(0, middle - word.count / 2), text.count - word.count)
            text.replaceSubrange(start..<start + word.count, with: word)
        }
        return String(text).trimmedAtEnd
    }
}

extension String {
    /// Without blanks at the end.
    fileprivate var trimmedAtEnd: String {
        var text = self
        while text.last == " " { text.removeLast() }
        return text
    }
}
