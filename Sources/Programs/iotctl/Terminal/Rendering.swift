internal import Foundation

/// The severity of a cell, shown as a colour on a terminal.
enum Tone: String {
    /// Neutral; no colour.
    case plain
    /// Good; green.
    case good = "\u{1B}[32m"
    /// Doubtful; yellow.
    case doubtful = "\u{1B}[33m"
    /// Bad; red.
    case bad = "\u{1B}[31m"

    /// The tone of a state, a presence, an outcome, a log level or an alarm event.
    init(word: String) {
        switch word {
        case "awake", "online", "succeeded", "cleared", "clear": self = .good
        case "asleep", "unknown", "lost", "timed_out", "expired", "cancelled", "warning": self = .doubtful
        case "failed", "rejected", "offline", "stopped", "active", "trigger", "error": self = .bad
        default: self = .plain
        }
    }
}

/// How texts are printed on stdout.
struct Style {
    /// Whether colours are used.
    var isColoured: Bool
    /// Columns of the terminal, to which long texts are cut; nil if they are not cut.
    var width: Int?

    /// The style for stdout: coloured on a terminal, unless NO_COLOR is set or the terminal is dumb.
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
    /// The text without control characters, which a terminal would obey: texts come from devices.
    let text: String
    /// The cell's tone.
    let tone: Tone

    /// A cell; "-" for nil or an empty text.
    init(_ text: String?, _ tone: Tone = .plain) {
        self.text = text.flatMap { $0.isEmpty ? nil : $0.printable } ?? "-"
        self.tone = tone
    }

    /// A word in the tone that it stands for.
    init(word: String) { self.init(word, Tone(word: word)) }

    /// A plain cell.
    init(stringLiteral text: String) { self.init(text) }
}

/// A table of text whose columns are as wide as their longest cell.
struct Table {
    struct Column {
        /// The title in the first line.
        var title: String
        /// Whether the column holds numbers, which are right-aligned.
        var isNumeric = false
        /// Whether the column is shown with `-o wide` only.
        var isWide = false
        /// Whether texts may be cut if the terminal is too narrow.
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

    /// The columns from left to right.
    var columns: [Column]
    /// The rows, each with one cell for each column.
    var rows: [[Cell]]

    /// Minimum width that a long text is cut to, in characters.
    private static let longMin = 8

    /// The table's lines, titles first; each ends with a line feed. With `wide` no text is cut.
    func text(wide: Bool, _ style: Style, indent: String = "", hasTitles: Bool = true) -> String {
        let shown = columns.indices.filter { wide || !columns[$0].isWide }
        let lines = (hasTitles ? [columns.map { Cell($0.title) }] : []) + rows
        var widths = shown.map { index in lines.reduce(0) { max($0, $1[index].text.width) } }
        if let width = style.width, !wide { shrink(&widths, shown, to: width - indent.count) }
        var text = ""
        for cells in lines {
            text += indent
            for (index, width) in zip(shown, widths) {
                if index != shown.first { text += "  " }
                append(cells[index], to: &text, width, columns[index].isNumeric, isLast: index == shown.last, style)
            }
            text += "\n"
        }
        return text
    }

    /// Narrows the columns of long texts, the widest first, until the lines fit.
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

    private func append(
        _ cell: Cell, to text: inout String, _ width: Int, _ isNumeric: Bool, isLast: Bool, _ style: Style
    ) {
        let shown = cell.text.cut(to: width)
        let space = String(repeating: " ", count: max(0, width - shown.width))
        if isNumeric { text += space }
        text += style.paint(shown, cell.tone)
        if !isNumeric, !isLast { text += space }
    }
}

extension String {
    /// The text cut to `width` characters, with an ellipsis at the end if it was longer.
    func cut(to width: Int) -> String { self.width <= width ? self : prefix(max(0, width - 1)) + "…" }

    /// The number of characters. Below U+0300, where the first combining character is, each scalar without control
    /// characters is one: then their limits need not be looked for.
    var width: Int {
        var scalars = 0
        for byte in utf8 {
            switch byte {
            case 0x20...0x7E, 0xC2...0xCB: scalars += 1
            case 0x80...0xBF: continue
            default: return count
            }
        }
        return scalars
    }

    /// Whether no scalar is a control character: U+0000 to U+001F and U+007F to U+009F.
    fileprivate var hasNoControls: Bool {
        var last: UInt8 = 0
        for byte in utf8 {
            if byte < 0x20 || byte == 0x7F || (last == 0xC2 && byte < 0xA0) { return false }
            last = byte
        }
        return true
    }
}

extension String {
    /// The text on one line, with control characters replaced: a terminal would obey them.
    var printable: String {
        if hasNoControls { return self }
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
