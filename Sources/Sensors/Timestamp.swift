/// A moment: nanoseconds since 1970-01-01T00:00:00Z, leap seconds not counted (POSIX time).
///
/// Covers the years 1677 to 2262.
public struct Timestamp: Hashable, Sendable, Comparable {
    /// Nanoseconds since 1970-01-01T00:00:00Z; negative before.
    public var unixNanoseconds: Int64

    /// The moment that many nanoseconds after 1970-01-01T00:00:00Z.
    public init(unixNanoseconds: Int64) { self.unixNanoseconds = unixNanoseconds }

    /// The moment that many milliseconds after 1970-01-01T00:00:00Z; the nearest that can be represented.
    public init(unixMilliseconds: Int64) {
        let (product, overflow) = unixMilliseconds.multipliedReportingOverflow(by: 1_000_000)
        unixNanoseconds = overflow ? (unixMilliseconds < 0 ? .min : .max) : product
    }

    /// Whole microseconds since 1970, rounded down: what a PostgreSQL `timestamptz` can hold.
    public var unixMicroseconds: Int64 { unixNanoseconds.flooredDivision(by: 1000).quotient }

    /// The 0–999 nanoseconds that `unixMicroseconds` leaves out.
    public var nanosecondsBelowMicrosecond: Int16 {
        let rest = unixNanoseconds % 1000
        return Int16(rest < 0 ? rest + 1000 : rest)
    }

    /// Earlier first.
    public static func < (left: Timestamp, right: Timestamp) -> Bool { left.unixNanoseconds < right.unixNanoseconds }

    /// The moment `nanoseconds` later, stopping at the ends of the range.
    public func advanced(byNanoseconds nanoseconds: Int64) -> Timestamp {
        let (sum, overflow) = unixNanoseconds.addingReportingOverflow(nanoseconds)
        return Timestamp(unixNanoseconds: overflow ? (nanoseconds < 0 ? .min : .max) : sum)
    }

    /// The moment `seconds` later, stopping at the ends of the range.
    public func advanced(bySeconds seconds: Int64) -> Timestamp {
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return Timestamp(unixNanoseconds: seconds < 0 ? .min : .max) }
        return advanced(byNanoseconds: product)
    }

    /// Nanoseconds from `earlier` to here, stopping at the ends of `Int64`.
    public func nanoseconds(since earlier: Timestamp) -> Int64 {
        let (difference, overflow) = unixNanoseconds.subtractingReportingOverflow(earlier.unixNanoseconds)
        return overflow ? (unixNanoseconds < 0 ? .min : .max) : difference
    }

    /// Seconds from `earlier` to here, as a floating-point number.
    public func seconds(since earlier: Timestamp) -> Double { Double(nanoseconds(since: earlier)) / 1e9 }
}

extension Timestamp: CustomStringConvertible {
    /// ISO 8601 in UTC with nanoseconds, `2026-11-21T09:30:00.000000001Z`.
    public var description: String {
        let (days, nanosecondOfDay) = unixNanoseconds.flooredDivision(by: 86_400_000_000_000)
        let (year, month, day) = Self.civil(daysSince1970: days)
        let second = nanosecondOfDay / 1_000_000_000
        return "\(pad(year, 4))-\(pad(month, 2))-\(pad(day, 2))T"
            + "\(pad(second / 3600, 2)):\(pad(second / 60 % 60, 2)):\(pad(second % 60, 2))"
            + ".\(pad(nanosecondOfDay % 1_000_000_000, 9))Z"
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

    private func pad(_ number: Int64, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}

extension Int64 {
    /// Quotient rounded towards minus infinity, and the remainder, which is never negative.
    func flooredDivision(by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}
