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
        case "asleep", "unknown", "timed_out", "expired", "cancelled": self = .doubtful
        case "failed", "rejected", "offline", "stopped", "active", "trigger": self = .bad
        default: self = .plain
        }
    }
}

/// How texts come out on stdout.
struct Style {
    /// Whether colours are used.
    var isColoured: Bool

    /// Coloured on a terminal, unless NO_COLOR is set or the terminal is dumb.
    static var standard: Style {
        let environment = ProcessInfo.processInfo.environment
        let wanted = (environment["NO_COLOR"] ?? "").isEmpty && environment["TERM"] != "dumb"
        return Style(isColoured: wanted && isatty(STDOUT_FILENO) == 1)
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

        /// A column of texts.
        static func text(_ title: String) -> Column { Column(title: title) }
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

    /// Lines of text, the titles first; each ends with a line feed.
    func text(wide: Bool, _ style: Style, indent: String = "") -> String {
        let shown = columns.indices.filter { wide || !columns[$0].isWide }
        let widths = shown.map { index in
            rows.reduce(columns[index].title.count) { max($0, $1[index].text.count) }
        }
        let lines = [columns.map { Cell($0.title) }] + rows
        return lines.map { cells in
            let parts = zip(shown, widths).map { index, width in
                pad(cells[index], to: width, columns[index].isNumeric, isLast: index == shown.last, style)
            }
            return indent + parts.joined(separator: "  ") + "\n"
        }.joined()
    }

    private func pad(_ cell: Cell, to width: Int, _ isNumeric: Bool, isLast: Bool, _ style: Style) -> String {
        let space = String(repeating: " ", count: max(0, width - cell.text.count))
        let text = style.paint(cell.text, cell.tone)
        return isNumeric ? space + text : isLast ? text : text + space
    }
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
