/// The velocity of one axis, half-wave by half-wave, against a curve.
///
/// A half-wave lies between two zero crossings of the filtered signal, placed between samples by a straight line. It has a peak, and a
/// frequency: that of a sine whose half-wave lasts as long. So each peak is compared with the limit at its own frequency. A half-wave
/// counts when it has ended. Of three axes, the one with the largest share decides.
public struct ParticleVelocity: Sendable, Equatable {
    /// A half-wave.
    public struct Peak: Sendable, Equatable {
        /// The largest absolute velocity, in mm/s.
        public var velocity: Double
        /// The frequency, in Hz.
        public var hertz: Double
        /// The velocity over the limit at that frequency.
        public var share: Double
    }

    private var signal = FilteredSignal()
    /// The last filtered sample; NaN after a start.
    private var last = Double.nan
    /// The samples since the last zero crossing; negative: there was none yet.
    private var length = -1.0
    /// The largest absolute value since.
    private var peak = 0.0

    /// No samples yet.
    public init() {}

    /// The band of a velocity in mm/s that is compared with a curve: 1 Hz to 315 Hz, as meters of DIN 45669-1 have it.
    /// - Parameters:
    ///   - isAcceleration: whether the signal is an acceleration.
    ///   - factor: from the signal's unit to mm/s, or mm/s² if it is an acceleration.
    /// - Returns: nil if the factor is not finite.
    public static func band(isAcceleration: Bool, factor: Double) -> SignalBand? {
        SignalBand(from: 1, to: 315, isIntegrated: isAcceleration, factor: factor)
    }

    /// Adds a block.
    /// - Parameters:
    ///   - samples: the samples; one that is not finite is a gap.
    ///   - rate: samples a second.
    ///   - isContinuous: whether the first sample follows the last one of the block before; otherwise everything starts anew.
    ///   - band: the band, always the same one; its factor makes mm/s of the signal.
    ///   - curve: the limit.
    /// - Returns: of the half-waves that ended in this block, the one with the largest share; nil if none did.
    public mutating func add(
        _ samples: borrowing Span<Double>, rate: Double, isContinuous: Bool, band: SignalBand, curve: VelocityCurve
    ) -> Peak? {
        var (last, length, peak) = (last, length, peak)
        var worst: Peak?
        signal.add(samples, rate: rate, isContinuous: isContinuous, band) {
            (last, length, peak) = (.nan, -1, 0)
        } _: { samples, range, filter, offset, memory in
            var (before, since, top) = (last, length, peak)
            filter.run(samples, range, less: offset, &memory) { value in
                if before < 0 && value >= 0 || before >= 0 && value < 0 {
                    let place = before / (before - value)
                    if since >= 0 {
                        let hertz = rate / (2 * (since + place))
                        let share = top / curve.limit(at: hertz)
                        if share > (worst?.share ?? 0) { worst = Peak(velocity: top, hertz: hertz, share: share) }
                    }
                    since = 1 - place
                    top = abs(value)
                } else if since >= 0 {
                    since += 1
                    top = max(top, abs(value))
                }
                before = value
            }
            (last, length, peak) = (before, since, top)
        }
        (self.last, self.length, self.peak) = (last, length, peak)
        return worst
    }

    /// Compares the states; two starts are the same.
    public static func == (left: ParticleVelocity, right: ParticleVelocity) -> Bool { left.words == right.words }
}

extension ParticleVelocity {
    /// How many words `words` has.
    public static let wordCount = FilteredSignal.wordCount + 3

    /// The state, to be stored.
    public var words: [UInt64] {
        var words: [UInt64] = []
        words.reserveCapacity(Self.wordCount)
        signal.write(to: &words)
        words += [last.bitPattern, length.bitPattern, peak.bitPattern]
        return words
    }

    /// A state that was stored.
    /// - Returns: nil if these are not the words of one.
    public init?(words: [UInt64]) {
        guard words.count == Self.wordCount else { return nil }
        signal = FilteredSignal(words: words.span, at: 0)
        let rest = FilteredSignal.wordCount
        (last, length) = (Double(bitPattern: words[rest]), Double(bitPattern: words[rest + 1]))
        peak = Double(bitPattern: words[rest + 2])
    }
}
