/// Count, mean, central moments and range of samples, from which crest factor and kurtosis follow.
///
/// Those of two sets of samples make those of both together, without loss: sums of powers about a common origin would cancel where
/// the mean is large beside the deviation, these do not.
public struct SampleMoments: Sendable, Equatable {
    /// The number of finite samples.
    public private(set) var count = 0.0
    /// Their mean; 0 without one.
    public private(set) var mean = 0.0
    /// The sums of the second, third and fourth powers of their deviations from the mean.
    private var second = 0.0
    private var third = 0.0
    private var fourth = 0.0
    /// The smallest and the largest.
    public private(set) var minimum = Double.infinity
    /// The largest.
    public private(set) var maximum = -Double.infinity

    /// Of no samples.
    public init() {}

    /// Of these samples; only finite ones count.
    public init(_ samples: borrowing Span<Double>) {
        let whole = samples.count & ~3
        var (sum, zero) = (SIMD4<Double>(), SIMD4<Double>())
        var (low, high) = (SIMD4<Double>(repeating: .infinity), SIMD4<Double>(repeating: -.infinity))
        var index = 0
        while index < whole {
            let four = SIMD4(samples[index], samples[index + 1], samples[index + 2], samples[index + 3])
            sum += four
            zero += four * 0
            low.replace(with: four, where: four .< low)
            high.replace(with: four, where: four .> high)
            index += 4
        }
        guard zero == SIMD4<Double>() else {
            for index in 0..<samples.count { add(samples[index]) }
            return
        }
        if whole > 0 {
            count = Double(whole)
            mean = sum.sum() / count
            (minimum, maximum) = (low.min(), high.max())
            var (second, third, fourth) = (SIMD4<Double>(), SIMD4<Double>(), SIMD4<Double>())
            index = 0
            while index < whole {
                let four = SIMD4(samples[index], samples[index + 1], samples[index + 2], samples[index + 3])
                let deviation = four - mean
                let square = deviation * deviation
                second += square
                third += square * deviation
                fourth += square * square
                index += 4
            }
            (self.second, self.third, self.fourth) = (second.sum(), third.sum(), fourth.sum())
        }
        while index < samples.count {
            add(samples[index])
            index += 1
        }
    }

    /// Adds one sample; one that is not finite changes nothing.
    private mutating func add(_ sample: Double) {
        guard sample.isFinite else { return }
        var one = SampleMoments()
        (one.count, one.mean, one.minimum, one.maximum) = (1, sample, sample, sample)
        merge(one)
    }

    /// Adds the samples of another set, by the formulas of Chan and of Pébay.
    public mutating func merge(_ other: SampleMoments) {
        guard other.count > 0 else { return }
        guard count > 0 else {
            self = other
            return
        }
        let (n, m) = (count, other.count)
        let total = n + m
        let delta = other.mean - mean
        let share = delta / total
        let product = delta * share * n * m
        fourth +=
            other.fourth + product * share * share * (n * n - n * m + m * m)
            + 6 * share * share * (n * n * other.second + m * m * second)
            + 4 * share * (n * other.third - m * third)
        third += other.third + product * share * (n - m) + 3 * share * (n * other.second - m * second)
        second += other.second + product
        mean += share * m
        count = total
        minimum = Swift.min(minimum, other.minimum)
        maximum = Swift.max(maximum, other.maximum)
    }

    /// The root mean square of the deviations from the mean; 0 without samples.
    public var deviation: Double { count > 0 ? (second / count).squareRoot() : 0 }

    /// Whether the samples differ by more than what rounding of their mean makes.
    private var varies: Bool {
        let scale = Swift.max(abs(minimum), abs(maximum))
        return count >= 2 && deviation > 1e-12 * scale
    }

    /// The largest deviation from the mean over the root mean square of the deviations: 1 of a square wave, √2 of a sine; nil if
    /// the samples are all the same.
    public var crestFactor: Double? { varies ? Swift.max(maximum - mean, mean - minimum) / deviation : nil }

    /// The mean fourth power of the deviations over the square of their mean square (Pearson's, not the excess): 1 of a square
    /// wave, 1.5 of a sine, 3 of normal noise; nil if the samples are all the same.
    public var kurtosis: Double? { varies ? count * fourth / (second * second) : nil }
}

extension SampleMoments {
    static let wordCount = 7

    func write(to words: inout [UInt64]) {
        for number in [count, mean, second, third, fourth, minimum, maximum] { words.append(number.bitPattern) }
    }

    /// What was written there.
    init(words: borrowing Span<UInt64>, at first: Int) {
        count = Double(bitPattern: words[first])
        mean = Double(bitPattern: words[first + 1])
        second = Double(bitPattern: words[first + 2])
        third = Double(bitPattern: words[first + 3])
        fourth = Double(bitPattern: words[first + 4])
        minimum = Double(bitPattern: words[first + 5])
        maximum = Double(bitPattern: words[first + 6])
    }
}
