/// The statistics that a row holds of its samples. Only finite samples count; NaN and infinities are stored but never
/// averaged.
public struct SampleStatistics: Sendable, Equatable {
    /// The number of finite samples.
    public var finiteCount = 0
    /// The smallest finite sample; nil without one.
    public var min: Double?
    /// The largest finite sample; nil without one.
    public var max: Double?
    /// The arithmetic mean of the finite samples; nil without one.
    public var mean: Double?
    /// The root of the mean square of the finite samples; nil without one.
    public var rms: Double?

    /// The statistics of `samples`.
    public init(_ samples: Samples) {
        switch samples {
        case .floats(let samples): self.init(floats: samples)
        case .counts(let counts, let scale, let offset): self.init(counts: counts, scale: scale, offset: offset)
        case .value(let value):
            let count = value.isFinite ? 1 : 0
            self.init(count: count, min: value, max: value, sum: value, squares: value * value)
        }
    }

    private init(count: Int, min: Double, max: Double, sum: Double, squares: Double) {
        guard count > 0 else { return }
        finiteCount = count
        self.min = min
        self.max = max
        mean = sum / Double(count)
        // A single value's magnitude is its root mean square; its square may underflow or overflow.
        rms = count == 1 ? abs(sum) : (squares / Double(count)).squareRoot()
    }

    /// Processes four samples at a time. A sample that is not finite becomes NaN when it is multiplied by 0: then the
    /// samples are processed again, one by one.
    private init(floats: [Float]) {
        typealias Four = SIMD4<Float>
        let samples = floats.span
        var (low, high, zero) = (Four(repeating: .infinity), Four(repeating: -.infinity), Four())
        var (sum, squares) = (SIMD4<Double>(), SIMD4<Double>())
        let whole = samples.count & ~3
        var index = 0
        while index < whole {
            let four = Four(samples[index], samples[index + 1], samples[index + 2], samples[index + 3])
            let wide = SIMD4<Double>(four)
            zero += four * 0
            low.replace(with: four, where: four .< low)
            high.replace(with: four, where: four .> high)
            sum += wide
            squares += wide * wide
            index += 4
        }
        var sums = FiniteSums(low: low.min(), high: high.max(), sum: sum.sum(), squares: squares.sum(), count: whole)
        if zero != Four() { (sums, index) = (FiniteSums(), 0) }
        for index in index..<samples.count { sums.add(samples[index]) }
        self.init(
            count: sums.count, min: Double(sums.low), max: Double(sums.high), sum: sums.sum, squares: sums.squares)
    }

    private struct FiniteSums {
        var low = Float.infinity
        var high = -Float.infinity
        var sum = 0.0
        var squares = 0.0
        var count = 0

        mutating func add(_ sample: Float) {
            guard sample.isFinite else { return }
            count += 1
            low = Swift.min(low, sample)
            high = Swift.max(high, sample)
            sum += Double(sample)
            squares += Double(sample) * Double(sample)
        }
    }

    /// Integer sums are exact, and so is n² times the variance of the counts (65,536 samples of 16 bits fit in 64
    /// bits). So a large offset that cancels leaves no noise: the mean of squares is the mean squared plus scale²
    /// var(c).
    private init(counts: [Int16], scale: Double, offset: Double) {
        var low = Int16.max
        var high = Int16.min
        var sum: Int64 = 0
        var squares: Int64 = 0
        for count in counts {
            low = Swift.min(low, count)
            high = Swift.max(high, count)
            sum &+= Int64(count)
            squares &+= Int64(Int32(count) &* Int32(count))
        }
        let ends = [offset + scale * Double(low), offset + scale * Double(high)]
        guard !counts.isEmpty, let smallest = ends.min(), let largest = ends.max() else { return }
        let n = Double(counts.count)
        let center = offset + scale * (Double(sum) / n)
        let spread = Double(Int64(counts.count) &* squares &- sum &* sum).squareRoot() / n * scale
        finiteCount = counts.count
        min = smallest
        max = largest
        mean = center
        rms = spread == 0 ? abs(center) : (center * center + spread * spread).squareRoot()
    }
}
