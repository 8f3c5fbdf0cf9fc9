internal import Foundation
internal import Time

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
    /// The text for a terminal that is too narrow for the table: the beginning of an id, a time without its year. The same
    /// as `text` if there is no shorter one.
    let brief: String
    /// The cell's tone.
    let tone: Tone

    /// A cell; "-" for nil or an empty text.
    init(_ text: String?, brief: String? = nil, _ tone: Tone = .plain) {
        self.text = text.flatMap { $0.isEmpty ? nil : $0.printable } ?? "-"
        self.brief = brief?.printable ?? self.text
        self.tone = tone
    }

    /// A time in UTC, to the second; its brief form has no year, if that is the current one.
    init(at time: Timestamp?) {
        let text = time?.short
        let year = Timestamp.now.short.prefix(5)
        self.init(text, brief: text.flatMap { $0.hasPrefix(year) ? String($0.dropFirst(year.count)) : nil })
    }

    /// A word in the tone that it stands for.
    init(word: String) { self.init(word, Tone(word: word)) }

    /// A plain cell.
    init(stringLiteral text: String) { self.init(text) }
}

/// A table of text whose columns are as wide as their longest cell, as far as the terminal has room.
struct Table {
    struct Column {
        /// How far a column gives way in a terminal that is too narrow.
        enum Give {
            /// Texts are not cut.
            case none
            /// Texts lose their ends.
            case end
            /// Texts lose their middles, after those of other columns have lost their ends: names often differ at both ends.
            case middle
        }

        /// The title in the first line.
        var title: String
        /// Whether the column holds numbers, which are right-aligned.
        var isNumeric = false
        /// Whether the column is shown with `-o wide` only.
        var isWide = false
        /// What may be cut from its texts.
        var give = Give.none

        /// A column of texts.
        static func text(_ title: String) -> Column { Column(title: title) }
        /// A column of texts that may be cut.
        static func long(_ title: String) -> Column { Column(title: title, give: .end) }
        /// A column of names, such as serial numbers.
        static func name(_ title: String) -> Column { Column(title: title, give: .middle) }
        /// A column of numbers.
        static func number(_ title: String) -> Column { Column(title: title, isNumeric: true) }
        /// A column of texts for `-o wide`.
        static func wide(_ title: String) -> Column { Column(title: title, isWide: true) }
        /// A column of numbers for `-o wide`.
        static func wideNumber(_ title: String) -> Column { Column(title: title, isNumeric: true, isWide: true) }
    }

    /// The columns from left to right.
    var columns: [Column]
    /// The titles of the columns that a narrow terminal leaves out, the least important first.
    var expendable: [String] = []
    /// The rows, each with one cell for each column.
    var rows: [[Cell]]

    /// The table's lines, titles first; each ends with a line feed. With `wide` it is not fitted to the terminal.
    func text(wide: Bool, _ style: Style, indent: String = "", hasTitles: Bool = true) -> String {
        let lines = (hasTitles ? [columns.map { Cell($0.title) }] : []) + rows
        let shown = shown(lines, wide: wide, in: wide ? nil : style.width.map { $0 - indent.width })
        var text = ""
        for cells in lines {
            text += indent
            for place in shown {
                if place.column != shown.first?.column { text += "  " }
                append(cells[place.column], to: &text, place, isLast: place.column == shown.last?.column, style)
            }
            text += "\n"
        }
        return text
    }

    private func append(_ cell: Cell, to text: inout String, _ place: Shown, isLast: Bool, _ style: Style) {
        let column = columns[place.column]
        let whole = place.isBrief ? cell.brief : cell.text
        let shown = column.give == .middle ? whole.cutInside(to: place.width) : whole.cut(to: place.width)
        let space = String(repeating: " ", count: max(0, place.width - shown.width))
        if column.isNumeric { text += space }
        text += style.paint(shown, cell.tone)
        if !column.isNumeric, !isLast { text += space }
    }
}

extension String {
    /// The text cut to `width` characters, with an ellipsis at the end if it was longer.
    func cut(to width: Int) -> String { self.width <= width ? self : prefix(max(0, width - 1)) + "…" }

    /// The text cut to `width` characters, with an ellipsis in its middle if it was longer.
    func cutInside(to width: Int) -> String {
        let rest = max(0, width - 1)
        return self.width <= width ? self : prefix(rest - rest / 2) + "…" + suffix(rest / 2)
    }

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
