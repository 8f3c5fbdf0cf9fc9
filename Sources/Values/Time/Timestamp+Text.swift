extension Timestamp {
    /// The texts in which times are printed. Every one is read by `init(commandLine:now:)`.
    public enum Format: CaseIterable, Sendable {
        /// ISO 8601 in UTC with nanoseconds, `2026-11-21T09:30:00.000000001Z`: JSON, files, messages.
        case nanoseconds
        /// ISO 8601 in UTC with microseconds, `2026-11-21T09:30:00.123456Z`: the precision of PostgreSQL.
        case microseconds
        /// ISO 8601 in UTC with milliseconds, `2026-11-21T09:30:00.123Z`: log lines.
        case milliseconds
        /// For people, in UTC with milliseconds, `2026-11-21 09:30:00.123`.
        case precise
        /// For people, in UTC with seconds, `2026-11-21 09:30:00`.
        case short
        /// For people, the day in UTC, `2026-11-21`.
        case day
    }

    /// The time as text, rounded down to what the format shows.
    public func text(_ format: Format) -> String {
        let (days, nanosecondOfDay) = unixNanoseconds.flooredDivision(by: 86_400_000_000_000)
        let (year, month, day) = Self.civil(daysSince1970: days)
        let second = nanosecondOfDay / 1_000_000_000
        let nanosecond = nanosecondOfDay % 1_000_000_000
        let date = "\(Self.pad(year, 4))-\(Self.pad(month, 2))-\(Self.pad(day, 2))"
        let time = "\(Self.pad(second / 3600, 2)):\(Self.pad(second / 60 % 60, 2)):\(Self.pad(second % 60, 2))"
        return switch format {
        case .nanoseconds: "\(date)T\(time).\(Self.pad(nanosecond, 9))Z"
        case .microseconds: "\(date)T\(time).\(Self.pad(nanosecond / 1000, 6))Z"
        case .milliseconds: "\(date)T\(time).\(Self.pad(nanosecond / 1_000_000, 3))Z"
        case .precise: "\(date) \(time).\(Self.pad(nanosecond / 1_000_000, 3))"
        case .short: "\(date) \(time)"
        case .day: date
        }
    }

    /// Year, month and day of the proleptic Gregorian calendar.
    ///
    /// After Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
    private static func civil(daysSince1970 days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let (era, dayOfEra) = (days + 719_468).flooredDivision(by: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
    }

    private static func pad(_ number: Int64, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}

extension Timestamp: CustomStringConvertible {
    /// ISO 8601 in UTC with nanoseconds, `2026-11-21T09:30:00.000000001Z`.
    public var description: String { text(.nanoseconds) }
}
