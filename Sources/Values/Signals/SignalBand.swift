/// A range of frequencies of a signal, and what is made of it: the signal itself or its integral over time.
///
/// The edges are those of Butterworth filters of the fourth order: a sine at an edge keeps 0.71 of its amplitude (-3 dB), one
/// octave outside 1/16, and white noise seems to fill a band that is 2.6 % wider at each edge. An edge above 0.49 of the sample rate
/// is no edge: what lies there is not in the samples.
public struct SignalBand: Sendable, Hashable {
    /// The lower edge in Hz; 0: none, then the mean counts too.
    public let from: Double
    /// The upper edge in Hz.
    public let to: Double
    /// Whether the signal is integrated over time, as velocity is made of acceleration. Means and drifts of the signal do not
    /// reach the integral.
    public let isIntegrated: Bool
    /// By what the result is multiplied, after integration.
    public let factor: Double

    /// That range.
    /// - Returns: nil if the edges are not in order, not finite or negative, or if a signal is to be integrated without a lower
    ///   edge.
    public init?(from: Double, to: Double, isIntegrated: Bool = false, factor: Double = 1) {
        guard from >= 0, to > from, to < .infinity, factor.isFinite, from > 0 || !isIntegrated else { return nil }
        self.from = from
        self.to = to
        self.isIntegrated = isIntegrated
        self.factor = factor
    }

    /// Whether samples of that rate show the whole band.
    /// - Parameter rate: samples a second.
    public func isCovered(atRate rate: Double) -> Bool { to <= BandFilter.highestShare * rate }

    /// The samples after a start that are not judged, because the filter still swings: five periods of the lower edge.
    /// - Parameter rate: samples a second.
    public func settling(atRate rate: Double) -> Int {
        Int(min(1e15, (rate * 5 / (from > 0 ? from : to)).rounded(.up)))
    }
}
