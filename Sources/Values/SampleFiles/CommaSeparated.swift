public import Model

extension Recording {
    /// Reads CSV text: a line of column names, then one line of numbers for each instant.
    ///
    /// - The separator (comma, semicolon or tab) is the one in the first line. A name may carry its unit:
    ///   `pressure [Pa]` or `pressure (Pa)`.
    /// - A first column named time, timestamp or t (a suffix `_s`, `_ms`, `_us`, `_ns` or a unit is allowed) gives the
    ///   rate: increasing numbers (unit by suffix or by magnitude: s, ms, µs or ns) or ISO 8601. Other files need
    ///   `rate`, which takes precedence if both exist.
    /// - An empty cell and `nan` are NaN.
    /// - Throws: `RecordingError`, which names line and column.
    public init(csv bytes: [UInt8], rate: SampleRate? = nil) throws(RecordingError) {
        guard bytes.count <= Self.bytesMax else {
            throw RecordingError("the recording has \(bytes.count) bytes, at most \(Self.bytesMax) are allowed")
        }
        let table = try Table(bytes: bytes)
        let measured = try table.rate()
        guard let rate = rate ?? measured else {
            throw RecordingError("the CSV has no time column (time, timestamp or t comes first) and no rate was given")
        }
        let channels = table.headings.enumerated().map { number, heading in
            Announcement.Channel(
                number: Int16(number), name: heading.name, quantity: heading.name, unit: heading.unit)
        }
        try self.init(channels: channels, rate: rate, columns: table.columns.map { .doubles($0) })
    }
}

/// The name of a column and, if it has one, its unit.
private struct Heading {
    var name: String
    var unit = ""

    /// Reads "pressure [Pa]"; both parts are truncated to the 64 bytes that an announcement may carry.
    init(_ text: String) {
        name = text
        for (open, close) in [("[", "]"), ("(", ")")] {
            guard text.hasSuffix(close), let bracket = text.lastIndex(of: Character(open)) else { continue }
            unit = String(text[text.index(after: bracket)...].dropLast()).trimmed.cut(toBytes: 64)
            name = String(text[..<bracket]).trimmed
        }
        name = name.cut(toBytes: 64)
    }
}

/// A CSV file, read line by line.
private struct Table {
    var headings: [Heading] = []
    var columns: [[Double]] = []
    private var instants: [Int64] = []
    private var time: TimeColumn?
    private var lines = 0

    init(bytes: [UInt8]) throws(RecordingError) {
        let start = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0  // a byte order mark
        var separator = UInt8(ascii: ",")
        var position = start
        while position < bytes.count {
            let end = bytes[position...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
            let line = bytes[position..<end]
            position = end + 1
            lines += 1
            if line.allSatisfy({ $0 <= UInt8(ascii: " ") }) { continue }
            if columns.isEmpty && time == nil {
                separator = Self.separator(in: line)
                try readHeadings(Self.cells(of: line, separator: separator))
            } else {
                try readRow(Self.cells(of: line, separator: separator))
            }
        }
        guard !columns.isEmpty else { throw RecordingError("the CSV has no columns of samples") }
        guard !columns[0].isEmpty else { throw RecordingError("the CSV has no line of numbers") }
    }

    private static func separator(in line: ArraySlice<UInt8>) -> UInt8 {
        let candidates = [UInt8(ascii: "\t"), UInt8(ascii: ";"), UInt8(ascii: ",")]
        return candidates.first { line.contains($0) } ?? UInt8(ascii: ",")
    }

    /// Splits at separators outside of quotes; removes surrounding blanks and the quotes.
    private static func cells(of line: ArraySlice<UInt8>, separator: UInt8) -> [String] {
        var cells: [String] = []
        var cell: [UInt8] = []
        var isQuoted = false
        for byte in line {
            if byte == UInt8(ascii: "\"") {
                isQuoted.toggle()
            } else if byte == separator && !isQuoted {
                cells.append(String(decoding: cell, as: UTF8.self).trimmed)
                cell.removeAll(keepingCapacity: true)
            } else {
                cell.append(byte)
            }
        }
        cells.append(String(decoding: cell, as: UTF8.self).trimmed)
        return cells
    }

    private mutating func readHeadings(_ cells: [String]) throws(RecordingError) {
        time = TimeColumn(heading: cells[0])
        let names = time == nil ? cells[...] : cells.dropFirst()
        guard (1...FrameLimits.blocksMax).contains(names.count) else {
            let range = "1…\(FrameLimits.blocksMax)"
            throw RecordingError("the CSV has \(names.count) columns of samples, \(range) are allowed")
        }
        guard names.allSatisfy({ !$0.isEmpty && Double($0) == nil }) else {
            throw RecordingError("line \(lines) of the CSV must name every column, and no name is a number")
        }
        headings = names.map { Heading($0) }
        columns = names.map { _ in [] }
    }

    private mutating func readRow(_ cells: [String]) throws(RecordingError) {
        let expected = columns.count + (time == nil ? 0 : 1)
        guard cells.count == expected else {
            throw RecordingError("line \(lines) of the CSV has \(cells.count) cells, not \(expected)")
        }
        var numbers = cells[...]
        if let first = time {
            guard let (instant, unit) = first.nanoseconds(cells[0]) else {
                throw RecordingError("line \(lines) of the CSV: \"\(cells[0].cut(toBytes: 40))\" is not a time")
            }
            if let before = instants.last, instant <= before {
                throw RecordingError("line \(lines) of the CSV is not later than the line before")
            }
            time?.unit = unit
            instants.append(instant)
            numbers = numbers.dropFirst()
        }
        for (column, cell) in numbers.enumerated() {
            guard let number = Self.number(cell) else {
                let name = headings[column].name
                throw RecordingError(
                    "line \(lines) of the CSV: \"\(cell.cut(toBytes: 40))\" in column \(name) is not a number")
            }
            columns[column].append(number)
        }
    }

    private static func number(_ cell: String) -> Double? {
        if cell.isEmpty || cell.lowercased() == "nan" || cell.lowercased() == "null" { return .nan }
        return Double(cell)
    }

    /// The mean sample rate by the time column, rounded to whole Hz if it is within 10 ppm of them.
    ///
    /// - Returns: nil without a time column, or with fewer than two lines.
    func rate() throws(RecordingError) -> SampleRate? {
        guard let first = instants.first, let last = instants.last, instants.count > 1 else { return nil }
        let (span, overflow) = last.subtractingReportingOverflow(first)
        let hertz = Double(instants.count - 1) / (Double(span) / 1e9)
        let whole = hertz.rounded()
        let isWhole = whole >= 1 && abs(hertz - whole) < whole * 1e-5
        guard !overflow, let rate = SampleRate(hertz: isWhole ? whole : hertz) else {
            throw RecordingError("the times of the CSV give no sample rate: \(instants.count) lines in \(span) ns")
        }
        return rate
    }
}

extension String {
    /// The text without blanks and control characters at both ends.
    fileprivate var trimmed: String {
        guard let first = utf8.firstIndex(where: { $0 > 0x20 }), let last = utf8.lastIndex(where: { $0 > 0x20 }) else {
            return ""
        }
        return String(self[first...last])
    }
}
