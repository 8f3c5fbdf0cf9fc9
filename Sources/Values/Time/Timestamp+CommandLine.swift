extension Timestamp {
    /// Reads a time of a command line:
    ///
    /// - how long ago: `2h`, `2h ago`, `-2h`; `now`;
    /// - a date with or without a time of day and a zone, as `init(iso8601:lenient:)` reads it; without a zone UTC;
    /// - seconds, milliseconds, microseconds or nanoseconds since 1970, of times after 2001-09-09: 10, 13, 16 or 19
    ///   digits.
    ///
    /// Every text that `text(_:)` writes is among them, with or without " UTC" behind it.
    /// - Parameter now: the time from which durations are counted.
    /// - Returns: nil if `text` is none of these.
    public init?(commandLine text: String, now: Timestamp) {
        if text == "now" {
            self = now
        } else if let ago = Self.ago(text) {
            self = now.advanced(byNanoseconds: -ago.nanoseconds)
        } else if let time = Timestamp(iso8601: text, lenient: .zoneAndTime) {
            self = time
        } else if let nanoseconds = Self.unixNanoseconds(text) {
            self.init(unixNanoseconds: nanoseconds)
        } else {
            return nil
        }
    }

    private static func ago(_ text: String) -> Duration? {
        if text.hasSuffix(" ago") { return Duration(commandLine: text.dropLast(4)) }
        return Duration(commandLine: text.hasPrefix("-") ? text.dropFirst() : text[...])
    }

    private static func unixNanoseconds(_ text: String) -> Int64? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard [10, 13, 16, 19].contains(digits.count), digits.first != "0", let whole = Int64(digits) else {
            return nil
        }
        return Int64(decimal: text, times: nanosecondsPerUnit(of: Double(whole)))
    }

    /// Nanoseconds per unit of a number of seconds, milliseconds, microseconds or nanoseconds since 1970, distinguished
    /// by magnitude. Below 10^11 the unit is seconds, up to the year 5138; the range of each next unit is a thousand
    /// times as large.
    public static func nanosecondsPerUnit(of number: Double) -> Int64 {
        switch number.magnitude {
        case ..<1e11: 1_000_000_000
        case ..<1e14: 1_000_000
        case ..<1e17: 1000
        default: 1
        }
    }
}
