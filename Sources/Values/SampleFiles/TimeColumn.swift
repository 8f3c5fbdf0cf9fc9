internal import Time

/// The format of the time in the first column of a CSV file.
struct TimeColumn: Equatable {
    /// Nanoseconds per unit of a number in the column; nil until the name or the first number determines it.
    var unit: Int64?

    /// Reads a column's name: time, timestamp or t, optionally followed by a unit as in `time_ms`, `t [us]`, `Time
    /// (s)`.
    /// - Returns: nil if it is not the name of a time column.
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

    /// The cell as nanoseconds since the column's origin, and the unit with which it was read.
    ///
    /// If the unit is not known, the number's magnitude determines it, so that times of 2001…2286 are read as s, ms, µs
    /// or ns since 1970; small numbers are seconds.
    /// - Returns: nil if the cell is not a time.
    func nanoseconds(_ cell: String) -> (Int64, unit: Int64?)? {
        if let time = Timestamp(iso8601: cell) { return (time.unixNanoseconds, unit) }
        guard let number = Double(cell), number.isFinite else { return nil }
        let unit = unit ?? Timestamp.nanosecondsPerUnit(of: number)
        // A number with an exponent, 1.5e3, is read with the precision of Double.
        let nanoseconds = Int64(decimal: cell, times: unit) ?? Int64(exactly: (number * Double(unit)).rounded())
        return nanoseconds.map { ($0, unit) }
    }
}
