/// How strong a band of a signal is: the root mean square of the filtered samples over a sliding window.
///
/// The samples come in blocks of any length; none is kept. The window moves in quarters: each quarter that ends gives a value over the
/// last four, so the values do not depend on how the samples are cut into blocks. The first comes one window and five periods of
/// the band's lower edge after a start.
public struct BandLevel: Sendable, Equatable {
    /// The values of the windows that ended in a block.
    public struct Reading: Sendable, Equatable {
        /// The smallest root mean square.
        public var lowest: Double
        /// The largest root mean square.
        public var highest: Double
        /// The newest root mean square.
        public var latest: Double
        /// The largest absolute value within these windows.
        public var peak: Double

        /// These values.
        public init(lowest: Double, highest: Double, latest: Double, peak: Double) {
            self.lowest = lowest
            self.highest = highest
            self.latest = latest
            self.peak = peak
        }
    }

    private static let quarters = 4

    private var signal = FilteredSignal()
    /// The sums of squares and the peaks of the last quarters that ended; the newest is last.
    private var squares = SIMD4<Double>()
    private var peaks = SIMD4<Double>()
    /// How many quarters have ended, 4 at most.
    private var ended = 0
    /// Of the quarter that runs.
    private var square = 0.0
    private var peak = 0.0
    private var count = 0

    /// No samples yet.
    public init() {}

    /// Adds a block.
    /// - Parameters:
    ///   - samples: the samples; one that is not finite is a gap.
    ///   - rate: samples a second.
    ///   - isContinuous: whether the first sample follows the last one of the block before; otherwise everything starts anew.
    ///   - band: the band, always the same one.
    ///   - window: the length of the window in seconds, always the same.
    /// - Returns: nil if no window ended in this block.
    public mutating func add(
        _ samples: borrowing Span<Double>, rate: Double, isContinuous: Bool, band: SignalBand, window: Double
    ) -> Reading? {
        let length = max(1, Int(min(1e15, (window * rate / Double(Self.quarters)).rounded())))
        var reading: Reading?
        var (square, peak, count, ended) = (square, peak, count, ended)
        var (squares, peaks) = (squares, peaks)
        signal.add(samples, rate: rate, isContinuous: isContinuous, band) {
            (square, peak, count, ended) = (0, 0, 0, 0)
        } _: { samples, range, filter, offset, memory in
            var start = range.lowerBound
            while start < range.upperBound {
                let end = min(range.upperBound, start + (length - count))
                var (sum, top) = (square, peak)
                filter.run(samples, start..<end, less: offset, &memory) { value in
                    sum += value * value
                    top = max(top, abs(value))
                }
                (square, peak) = (sum, top)
                count += end - start
                start = end
                guard count >= length else { continue }
                squares = SIMD4(squares[1], squares[2], squares[3], square)
                peaks = SIMD4(peaks[1], peaks[2], peaks[3], peak)
                (square, peak, count) = (0, 0, 0)
                ended = min(Self.quarters, ended + 1)
                guard ended == Self.quarters else { continue }
                let level = (squares.sum() / Double(Self.quarters * length)).squareRoot()
                reading = Reading(
                    lowest: min(level, reading?.lowest ?? level), highest: max(level, reading?.highest ?? level),
                    latest: level, peak: max(peaks.max(), reading?.peak ?? 0))
            }
        }
        (self.square, self.peak, self.count, self.ended) = (square, peak, count, ended)
        (self.squares, self.peaks) = (squares, peaks)
        return reading
    }
}

extension BandLevel {
    /// How many words `words` has.
    public static let wordCount = FilteredSignal.wordCount + 2 * quarters + 4

    /// The state, to be stored.
    public var words: [UInt64] {
        var words: [UInt64] = []
        words.reserveCapacity(Self.wordCount)
        signal.write(to: &words)
        for quarter in 0..<Self.quarters {
            words.append(squares[quarter].bitPattern)
            words.append(peaks[quarter].bitPattern)
        }
        words += [square.bitPattern, peak.bitPattern, UInt64(count), UInt64(ended)]
        return words
    }

    /// A state that was stored.
    /// - Returns: nil if these are not the words of one.
    public init?(words: [UInt64]) {
        guard words.count == Self.wordCount, words[words.count - 2] <= 1 << 50, words[words.count - 1] <= Self.quarters
        else {
            return nil
        }
        let first = FilteredSignal.wordCount
        signal = FilteredSignal(words: words.span, at: 0)
        for quarter in 0..<Self.quarters {
            squares[quarter] = Double(bitPattern: words[first + 2 * quarter])
            peaks[quarter] = Double(bitPattern: words[first + 2 * quarter + 1])
        }
        let rest = first + 2 * Self.quarters
        (square, peak) = (Double(bitPattern: words[rest]), Double(bitPattern: words[rest + 1]))
        (count, ended) = (Int(words[rest + 2]), Int(words[rest + 3]))
    }
}
