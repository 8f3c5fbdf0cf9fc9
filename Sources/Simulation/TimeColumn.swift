/// How the first column of a CSV file tells the time.
struct TimeColumn: Equatable {
    /// Nanoseconds for one unit of a number in it; nil until the name or the first number tells.
    var unit: Int64?

    /// Reads a column's name: time, timestamp or t, then perhaps a unit as in `time_ms`, `t [us]`, `Time (s)`.
    /// - Returns: nil if it is not the name of a time.
    init?(heading: String) {
        let words = heading.lowercased().split { !$0.isLetter && $0 != "µ" && $0 != "μ" }
        guard let first = words.first, ["time", "timestamp", "t"].contains(first), words.count <= 2 else { return nil }
        guard words.count == 2 else { return }
        switch words[1] {
        case "s", "seconds", "sec": unit = 1_000_000_000
        case "ms", "milliseconds": unit = 1_000_000
        case "us", "µs", "μs", "microseconds": unit = 1000
        case "ns", "nanoseconds": unit = 1
        case "utc", "iso": break
        default: return nil
        }
    }

    /// The cell as nanoseconds since the column's origin, and the unit that it was read with.
    ///
    /// A number without a known unit tells it by its size, as 2001…2286 would be written: s, ms, µs or ns since 1970; small
    /// numbers are seconds.
    /// - Returns: nil if the cell is no time.
    func nanoseconds(_ cell: String) -> (Int64, unit: Int64?)? {
        if let instant = Self.iso8601(cell) { return (instant, unit) }
        guard let number = Double(cell), number.isFinite else { return nil }
        let unit = unit ?? Self.unit(ofSize: abs(number))
        let parts = cell.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count <= 2, let whole = Int64(parts[0]) else {  // 1.5e3, .5: no more exact than a Double
            return Int64(exactly: (number * Double(unit)).rounded()).map { ($0, unit) }
        }
        let (product, overflow) = whole.multipliedReportingOverflow(by: unit)
        guard !overflow, let fraction = Double("0." + (parts.count == 2 ? parts[1] : "0")) else { return nil }
        let rest = Int64((fraction * Double(unit)).rounded())
        let (sum, overflows) = product.addingReportingOverflow(parts[0].hasPrefix("-") ? -rest : rest)
        return overflows ? nil : (sum, unit)
    }

    private static func unit(ofSize size: Double) -> Int64 {
        switch size {
        case 1e17...: 1
        case 1e14...: 1000
        case 1e11...: 1_000_000
        default: 1_000_000_000
        }
    }

    /// Reads `2026-11-21T09:30:00.000000001Z`; a blank may stand for the T, the zone may be missing (UTC) or `±hh:mm`.
    /// - Returns: nanoseconds since 1970, nil if the text is nothing of the kind or lies outside of 1678…2261.
    static func iso8601(_ text: String) -> Int64? {
        var rest = text[...]
        guard let year = rest.number(digits: 4), rest.take("-"), let month = rest.number(digits: 2), rest.take("-"),
            let day = rest.number(digits: 2), rest.take("T") || rest.take(" "),
            let hour = rest.number(digits: 2), rest.take(":"), let minute = rest.number(digits: 2), rest.take(":"),
            let second = rest.number(digits: 2), (1678...2261).contains(year), (1...12).contains(month),
            (1...31).contains(day), hour < 24, minute < 60, second <= 60
        else { return nil }
        var fraction: Int64 = 0
        if rest.take(".") {
            guard let nanoseconds = rest.fraction() else { return nil }
            fraction = nanoseconds
        }
        guard let offset = rest.offset(), rest.isEmpty else { return nil }
        let days = daysSince1970(year: year, month: month, day: day)
        return ((days * 24 + hour) * 60 + minute - offset) * 60_000_000_000 + second * 1_000_000_000 + fraction
    }

    /// After Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`, for years after 0.
    private static func daysSince1970(year: Int64, month: Int64, day: Int64) -> Int64 {
        let year = month <= 2 ? year - 1 : year
        let yearOfEra = year % 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return year / 400 * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}

extension Substring {
    /// Takes exactly that many digits off the front.
    fileprivate mutating func number(digits: Int) -> Int64? {
        let text = prefix(digits)
        guard text.utf8.count == digits, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        self = dropFirst(digits)
        return Int64(text)
    }

    /// Takes `text` off the front if it is there.
    fileprivate mutating func take(_ text: String) -> Bool {
        guard hasPrefix(text) else { return false }
        self = dropFirst(text.count)
        return true
    }

    /// Takes 1–9 digits (more are cut) off the front: a fraction of a second in nanoseconds.
    fileprivate mutating func fraction() -> Int64? {
        let digits = prefix { $0.isASCII && $0.isNumber }
        guard !digits.isEmpty else { return nil }
        self = dropFirst(digits.count)
        return Int64((digits + "00000000").prefix(9))
    }

    /// Takes `Z` or `±hh:mm` off the front: minutes east of Greenwich, 0 if nothing is there.
    fileprivate mutating func offset() -> Int64? {
        if isEmpty || take("Z") { return 0 }
        let sign: Int64 = hasPrefix("-") ? -1 : 1
        guard take("-") || take("+"), let hours = number(digits: 2) else { return nil }
        _ = take(":")
        guard let minutes = number(digits: 2) else { return nil }
        return sign * (hours * 60 + minutes)
    }
}

extension String {
    /// The longest beginning that has at most `limit` bytes and ends between characters.
    func cut(toBytes limit: Int) -> String {
        guard utf8.count > limit else { return self }
        var end = startIndex
        var bytes = 0
        while end < endIndex {
            bytes += self[end].utf8.count
            if bytes > limit { break }
            end = index(after: end)
        }
        return String(self[..<end])
    }
}
