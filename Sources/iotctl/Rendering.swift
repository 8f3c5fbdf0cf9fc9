internal import Foundation

/// How grave a cell is; a colour on a terminal.
enum Tone: String {
    /// Nothing to see: no colour.
    case plain
    /// As it should be.
    case good = "\u{1B}[32m"
    /// To look at.
    case doubtful = "\u{1B}[33m"
    /// Wrong.
    case bad = "\u{1B}[31m"

    /// The tone of a word that this program prints: a state, a presence, an outcome.
    init(word: String) {
        switch word {
        case "awake", "online", "succeeded", "cleared", "clear": self = .good
        case "asleep", "unknown", "lost", "timed_out", "expired", "cancelled", "warning": self = .doubtful
        case "failed", "rejected", "offline", "stopped", "active", "trigger", "error": self = .bad
        default: self = .plain
        }
    }
}

/// How texts come out on stdout.
struct Style {
    /// Whether colours are used.
    var isColoured: Bool
    /// Columns of the terminal, to which long texts are cut; nil: they are not.
    var width: Int?

    /// Coloured on a terminal, unless NO_COLOR is set or the terminal is dumb.
    static var standard: Style {
        let environment = ProcessInfo.processInfo.environment
        let wanted = (environment["NO_COLOR"] ?? "").isEmpty && environment["TERM"] != "dumb"
        return Style(isColoured: wanted && isatty(STDOUT_FILENO) == 1, width: Screen.size?.columns)
    }

    /// The text in the colour of its tone.
    func paint(_ text: String, _ tone: Tone) -> String {
        isColoured && tone != .plain ? "\(tone.rawValue)\(text)\u{1B}[0m" : text
    }
}

/// One cell of a table.
struct Cell: ExpressibleByStringLiteral {
    /// Without characters that a terminal would obey: texts come from devices.
    let text: String
    /// Its colour.
    let tone: Tone

    /// A cell; "-" where there is nothing.
    init(_ text: String?, _ tone: Tone = .plain) {
        self.text = text.flatMap { $0.isEmpty ? nil : $0.printable } ?? "-"
        self.tone = tone
    }

    /// A word whose colour goes with it.
    init(word: String) { self.init(word, Tone(word: word)) }

    /// A plain cell.
    init(stringLiteral text: String) { self.init(text) }
}

/// Columns of text, as wide as they must be.
struct Table {
    /// A column.
    struct Column {
        /// What stands above it.
        var title: String
        /// Whether it holds numbers, which stand under each other at their ends.
        var isNumeric = false
        /// Whether it is shown with `-o wide` only.
        var isWide = false
        /// Whether its texts may be cut, where the terminal is too narrow.
        var isLong = false

        /// A column of texts.
        static func text(_ title: String) -> Column { Column(title: title) }
        /// A column of texts that may be cut.
        static func long(_ title: String) -> Column { Column(title: title, isLong: true) }
        /// A column of numbers.
        static func number(_ title: String) -> Column { Column(title: title, isNumeric: true) }
        /// A column of texts for `-o wide`.
        static func wide(_ title: String) -> Column { Column(title: title, isWide: true) }
        /// A column of numbers for `-o wide`.
        static func wideNumber(_ title: String) -> Column { Column(title: title, isNumeric: true, isWide: true) }
    }

    /// From left to right.
    var columns: [Column]
    /// Each with a cell for each column.
    var rows: [[Cell]]

    /// Fewest characters that a long text is cut to.
    private static let longMin = 8

    /// Lines of text, the titles first; each ends with a line feed. With `wide` nothing is cut.
    func text(wide: Bool, _ style: Style, indent: String = "") -> String {
        let shown = columns.indices.filter { wide || !columns[$0].isWide }
        var widths = shown.map { index in
            rows.reduce(columns[index].title.count) { max($0, $1[index].text.count) }
        }
        if let width = style.width, !wide { shrink(&widths, shown, to: width - indent.count) }
        let lines = [columns.map { Cell($0.title) }] + rows
        return lines.map { cells in
            let parts = zip(shown, widths).map { index, width in
                pad(cells[index], to: width, columns[index].isNumeric, isLast: index == shown.last, style)
            }
            return indent + parts.joined(separator: "  ") + "\n"
        }.joined()
    }

    /// Takes from the columns of long texts, each time from the widest, until the lines fit.
    private func shrink(_ widths: inout [Int], _ shown: [Int], to width: Int) {
        var excess = widths.reduce(0, +) + 2 * (widths.count - 1) - width
        while excess > 0 {
            let long = shown.indices.filter {
                columns[shown[$0]].isLong && widths[$0] > max(Self.longMin, columns[shown[$0]].title.count)
            }
            guard let widest = long.max(by: { widths[$0] < widths[$1] }) else { return }
            widths[widest] -= 1
            excess -= 1
        }
    }

    private func pad(_ cell: Cell, to width: Int, _ isNumeric: Bool, isLast: Bool, _ style: Style) -> String {
        let shown = cell.text.cut(to: width)
        let space = String(repeating: " ", count: max(0, width - shown.count))
        let text = style.paint(shown, cell.tone)
        return isNumeric ? space + text : isLast ? text : text + space
    }
}

extension String {
    /// At most so many characters, with an ellipsis in place of what is left out.
    func cut(to width: Int) -> String { count <= width ? self : prefix(max(0, width - 1)) + "…" }
}

extension String {
    /// On one line and with control characters replaced: a terminal would obey them.
    var printable: String {
        var printable = ""
        for scalar in unicodeScalars {
            switch scalar {
            case "\t", "\n", "\r": printable.append(" ")
            case _ where scalar.properties.generalCategory == .control: printable.append("\u{FFFD}")
            default: printable.unicodeScalars.append(scalar)
            }
        }
        return printable
    }
}

extension Double {
    /// With six significant digits at most, for people: "1.23457", "1000", "1.5e-07".
    var short: String { isFinite ? String(format: "%.6g", self) : isNaN ? "NaN" : self < 0 ? "-inf" : "inf" }
}
