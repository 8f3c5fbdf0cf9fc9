extension Timestamp {
    /// What a text may leave out.
    public enum Leniency: Sendable {
        /// Nothing: date, time of day to the second, and zone, as machines write them.
        case none
        /// The zone; it is UTC then.
        case zone
        /// The zone, the seconds and the time of day, as people write them.
        case zoneAndTime
    }

    /// Reads ISO 8601: `2026-11-21T09:30:00.000000001Z`, exact to the nanosecond. The one parser of dates.
    ///
    /// A blank may replace the T. A fraction of a second is truncated to nanoseconds. The zone is `Z`, `UTC`, `GMT`, or
    /// an offset as `+01:00`, `+0100` or `+01`; a blank may precede it.
    /// - Parameter leniency: what may be missing.
    /// - Returns: nil if the text is not such a time, or is outside of the range of `Timestamp`.
    public init?(iso8601 text: some StringProtocol, lenient leniency: Leniency = .zone) {
        var rest = Substring(text)
        guard let year = rest.number(digits: 4), rest.take("-"), let month = rest.number(digits: 2), rest.take("-"),
            let day = rest.number(digits: 2), (1677...2262).contains(year), (1...12).contains(month),
            (1...Self.days(inMonth: month, of: year)).contains(day)
        else { return nil }
        var time = TimeOfDay()
        if !rest.isEmpty || leniency != .zoneAndTime {
            guard rest.take("T") || rest.take("t") || rest.take(" "),
                let read = rest.timeOfDay(needsSeconds: leniency != .zoneAndTime)
            else { return nil }
            time = read
        }
        guard let offset = rest.isEmpty && leniency != .none ? 0 : rest.offset(), rest.isEmpty else { return nil }
        let days = Self.daysSince1970(year: year, month: month, day: day)
        var seconds = ((days * 24 + time.hour) * 60 + time.minute - offset) * 60 + time.second
        var fraction = time.nanosecond
        // The first representable second begins before the first representable nanosecond.
        if seconds < 0 { (seconds, fraction) = (seconds + 1, fraction - 1_000_000_000) }
        let (product, isBeyond) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, isBeyondToo) = product.addingReportingOverflow(fraction)
        if isBeyond || isBeyondToo { return nil }
        self.init(unixNanoseconds: sum)
    }

    private static func days(inMonth month: Int64, of year: Int64) -> Int64 {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// After Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`, for years after 0.
    private static func daysSince1970(year: Int64, month: Int64, day: Int64) -> Int64 {
        let year = month <= 2 ? year - 1 : year
        let yearOfEra = year % 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return year / 400 * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}

private struct TimeOfDay {
    var hour: Int64 = 0
    var minute: Int64 = 0
    /// 60 is a leap second, which is the first of the next minute.
    var second: Int64 = 0
    var nanosecond: Int64 = 0
}

extension Substring {
    /// Removes exactly that many digits from the front and returns their number; nil if there are fewer.
    fileprivate mutating func number(digits: Int) -> Int64? {
        let text = prefix(digits)
        guard text.utf8.count == digits, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        self = dropFirst(digits)
        return Int64(text)
    }

    /// Removes `text` from the front; false if it is not there.
    fileprivate mutating func take(_ text: String) -> Bool {
        guard hasPrefix(text) else { return false }
        self = dropFirst(text.count)
        return true
    }

    /// Removes `hh:mm:ss` with or without a fraction from the front; `hh:mm` unless seconds are needed.
    fileprivate mutating func timeOfDay(needsSeconds: Bool) -> TimeOfDay? {
        guard let hour = number(digits: 2), take(":"), let minute = number(digits: 2), hour < 24, minute < 60 else {
            return nil
        }
        var time = TimeOfDay(hour: hour, minute: minute)
        guard take(":") else { return needsSeconds ? nil : time }
        guard let second = number(digits: 2), second <= 60 else { return nil }
        time.second = second
        if take(".") {
            guard let nanosecond = fraction() else { return nil }
            time.nanosecond = nanosecond
        }
        return time
    }

    /// Removes all digits from the front and returns them as a fraction of a second in nanoseconds, truncated to 9
    /// digits.
    private mutating func fraction() -> Int64? {
        let digits = prefix { $0.isASCII && $0.isNumber }
        guard !digits.isEmpty else { return nil }
        self = dropFirst(digits.count)
        return Int64((digits + "00000000").prefix(9))
    }

    /// Removes the zone from the front and returns the minutes east of Greenwich.
    fileprivate mutating func offset() -> Int64? {
        _ = take(" ")
        if take("Z") || take("z") || take("UTC") || take("GMT") { return 0 }
        let sign: Int64 = hasPrefix("-") ? -1 : 1
        guard take("-") || take("+"), let hours = number(digits: 2), hours < 24 else { return nil }
        if isEmpty { return sign * hours * 60 }
        _ = take(":")
        guard let minutes = number(digits: 2), minutes < 60 else { return nil }
        return sign * (hours * 60 + minutes)
    }
}
