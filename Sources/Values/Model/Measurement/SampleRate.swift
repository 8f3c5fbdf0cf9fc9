/// Samples per second and channel: finite and above zero, fractions allowed (one sample per minute is 1/60 Hz).
public struct SampleRate: Hashable, Sendable, CustomStringConvertible {
    /// The allowed rates: 1e-7…1e9 Hz, from one sample in about 116 days to one in a nanosecond.
    public static let hertzRange: ClosedRange<Double> = 1e-7...1e9

    /// Samples per second.
    public let hertz: Double

    /// A rate in samples per second.
    /// - Returns: nil if `hertz` is not within `hertzRange`.
    public init?(hertz: Double) {
        guard Self.hertzRange.contains(hertz) else { return nil }
        self.hertz = hertz
    }

    /// Nanoseconds from sample 0 to sample `index`, correct to a nanosecond for years at any rate.
    ///
    /// Whole seconds are split off before the fraction is scaled, so no product exceeds 53 bits.
    public func nanoseconds(toSample index: Int64) -> Int64 {
        let wholeSeconds = (Double(index) / hertz).rounded(.down)
        let samplesLeft = Double(index).addingProduct(-wholeSeconds, hertz)
        let seconds = Int64(exactly: wholeSeconds) ?? .max
        let (nanoseconds, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return .max }
        let sum = nanoseconds.addingReportingOverflow(Int64((samplesLeft / hertz * 1e9).rounded()))
        return sum.overflow ? .max : sum.partialValue
    }

    /// The index of the first sample that is taken later than `nanoseconds` after sample 0.
    public func samples(within nanoseconds: Int64) -> Int64 {
        guard nanoseconds >= 0 else { return 0 }
        guard nanoseconds < .max else { return .max }
        let estimate = Double(nanoseconds) / 1e9 * hertz
        var index = estimate >= 9.0e18 ? Int64.max : Int64(estimate)
        while index > 0, self.nanoseconds(toSample: index) > nanoseconds { index -= 1 }
        while self.nanoseconds(toSample: index) <= nanoseconds { index += 1 }
        return index
    }

    /// The rate as text: "1000 Hz", "0.5 Hz".
    public var description: String {
        hertz == hertz.rounded() && hertz < 1e15 ? "\(Int64(hertz)) Hz" : "\(hertz) Hz"
    }
}
