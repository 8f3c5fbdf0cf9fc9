/// The frame of a plot: the labels of its scale at the left, and its axis below.
struct PlotFrame {
    /// A word at the axis.
    struct Label: Equatable {
        /// Where it stands: 0 at the left, 1 at the right.
        var share: Double
        /// The word.
        var text: String
    }

    /// Columns of the scale's labels, with a blank behind them.
    static let labelColumns = 9
    /// The least columns of the plot itself.
    static let widthMin = 10

    /// Columns of the plot itself.
    let width: Int

    /// A frame that takes `columns` characters a line.
    init(columns: Int) { width = max(Self.widthMin, columns - Self.labelColumns - 1) }

    /// The rows of a plot in the frame, without blanks at their ends.
    /// - Parameters:
    ///   - rows: the rows of the plot, at most `width` characters each.
    ///   - label: the label of the scale at a row, at most 8 characters; empty for none.
    ///   - axis: the words below the axis, from left to right. Of words that overlap the right one is shown.
    func lines(_ rows: [String], label: (Int) -> String, axis: [Label]) -> [String] {
        rows.enumerated().map { pad(label($0)) + "│" + $1.trimmedAtEnd }
            + [pad("") + "└" + String(repeating: "─", count: width), words(axis)]
    }

    private func pad(_ label: String) -> String {
        String(repeating: " ", count: max(0, Self.labelColumns - 1 - label.count)) + label + " "
    }

    /// "0        125        250        375        500 Hz"
    private func words(_ axis: [Label]) -> String {
        var text = Array(repeating: Character(" "), count: Self.labelColumns + width + 1)
        var end = text.count + 1
        for label in axis.reversed() {
            let word = Array(label.text)
            let middle = Self.labelColumns + Int(Double(width) * label.share)
            let start = min(max(0, middle - word.count / 2), text.count - word.count)
            guard start >= 0, start + word.count < end else { continue }
            text.replaceSubrange(start..<start + word.count, with: word)
            end = start
        }
        return String(text).trimmedAtEnd
    }
}

extension String {
    /// The text without trailing spaces.
    fileprivate var trimmedAtEnd: String {
        var text = self
        while text.last == " " { text.removeLast() }
        return text
    }
}
