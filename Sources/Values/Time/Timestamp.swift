/// A moment: nanoseconds since 1970-01-01T00:00:00Z, leap seconds not counted (POSIX time).
///
/// Covers the years 1677 to 2262.
public struct Timestamp: Hashable, Sendable, Comparable {
    /// Nanoseconds since 1970-01-01T00:00:00Z; negative before.
    public var unixNanoseconds: Int64

    /// The moment that many nanoseconds after 1970-01-01T00:00:00Z.
    public init(unixNanoseconds: Int64) { self.unixNanoseconds = unixNanoseconds }

    /// The moment that many milliseconds after 1970-01-01T00:00:00Z, limited to the range of `Timestamp`.
    public init(unixMilliseconds: Int64) {
        let (product, overflow) = unixMilliseconds.multipliedReportingOverflow(by: 1_000_000)
        unixNanoseconds = overflow ? (unixMilliseconds < 0 ? .min : .max) : product
    }

    /// Whole microseconds since 1970, rounded down: the precision of a PostgreSQL `timestamptz`.
    public var unixMicroseconds: Int64 { unixNanoseconds.flooredDivision(by: 1000).quotient }

    /// The 0–999 nanoseconds that `unixMicroseconds` omits.
    public var nanosecondsBelowMicrosecond: Int16 {
        let rest = unixNanoseconds % 1000
        return Int16(rest < 0 ? rest + 1000 : rest)
    }

    /// Orders earlier moments first.
    public static func < (left: Timestamp, right: Timestamp) -> Bool { left.unixNanoseconds < right.unixNanoseconds }

    /// The moment `nanoseconds` later, limited to the range of `Timestamp`.
    public func advanced(byNanoseconds nanoseconds: Int64) -> Timestamp {
        let (sum, overflow) = unixNanoseconds.addingReportingOverflow(nanoseconds)
        return Timestamp(unixNanoseconds: overflow ? (nanoseconds < 0 ? .min : .max) : sum)
    }

    /// The moment `seconds` later, limited to the range of `Timestamp`.
    public func advanced(bySeconds seconds: Int64) -> Timestamp {
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return Timestamp(unixNanoseconds: seconds < 0 ? .min : .max) }
        return advanced(byNanoseconds: product)
    }

    /// Nanoseconds from `earlier` to this moment, limited to the range of `Int64`.
    public func nanoseconds(since earlier: Timestamp) -> Int64 {
        let (difference, overflow) = unixNanoseconds.subtractingReportingOverflow(earlier.unixNanoseconds)
        return overflow ? (unixNanoseconds < 0 ? .min : .max) : difference
    }

    /// Seconds from `earlier` to this moment, as a floating-point number.
    public func seconds(since earlier: Timestamp) -> Double { Double(nanoseconds(since: earlier)) / 1e9 }
}

extension Int64 {
    /// Quotient rounded towards minus infinity, and the remainder, which is never negative.
    public func flooredDivision(by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}
