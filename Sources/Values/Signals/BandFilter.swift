/// The filter of a `SignalBand` at a sample rate: sections of the second order, one after the other.
///
/// Two sections make the lower edge, two the upper one. The integral is taken in the first: the pole of a sum is cancelled by a
/// zero of the lower edge, so that nothing grows. What a sum is off an integral, sin(x)/x of half the angle of a sample, a fifth
/// section corrects to 0.06 % for frequencies up to 0.46 of the sample rate.
///
/// The four sections work side by side on four samples that follow each other: each takes what the one before made of a sample
/// one step ago. So a result comes three samples late.
struct BandFilter: Sendable {
    /// The share of the sample rate above which an upper edge is none.
    static let highestShare = 0.49

    /// One section: y = b x + p; p' = c x + q - a₁ p; q' = d x - a₂ p. So only one product and one sum of a sample wait for those
    /// of the sample before.
    struct Section: Sendable {
        var b = 1.0
        var c = 0.0
        var d = 0.0
        var a1 = 0.0
        var a2 = 0.0

        /// The section that lets everything through.
        init() {}

        /// The section (b₀ + b₁ z⁻¹ + b₂ z⁻²) / (1 + a₁ z⁻¹ + a₂ z⁻²).
        init(_ b0: Double, _ b1: Double, _ b2: Double, _ a1: Double, _ a2: Double) {
            b = b0
            c = b1 - a1 * b0
            d = b2 - a2 * b0
            self.a1 = a1
            self.a2 = a2
        }
    }

    /// What a filter remembers.
    struct Memory: Sendable, Equatable {
        /// Of the four sections.
        var p = SIMD4<Double>()
        var q = SIMD4<Double>()
        /// What each section made last.
        var results = SIMD4<Double>()
        /// Of the correction of the integral.
        var correction = SIMD2<Double>()

        static let wordCount = 14

        /// Sets what is too small to matter to zero: such numbers make a processor slow.
        mutating func flush() {
            let tiny = SIMD4<Double>(repeating: 1e-150)
            p.replace(with: 0, where: (p .< tiny) .& (p .> -tiny))
            q.replace(with: 0, where: (q .< tiny) .& (q .> -tiny))
            results.replace(with: 0, where: (results .< tiny) .& (results .> -tiny))
            let small = SIMD2<Double>(repeating: 1e-150)
            correction.replace(with: 0, where: (correction .< small) .& (correction .> -small))
        }
    }

    let rate: Double
    /// By what samples are multiplied, if they are not integrated.
    private let gain: Double
    /// Nil: the samples are not integrated.
    private let correction: Section?
    /// The four sections, coefficient by coefficient.
    private let b: SIMD4<Double>
    private let c: SIMD4<Double>
    private let d: SIMD4<Double>
    private let a1: SIMD4<Double>
    private let a2: SIMD4<Double>

    /// The filter of a band at that many samples a second.
    init(_ band: SignalBand, rate: Double) {
        self.rate = rate
        gain = band.factor
        correction = band.isIntegrated ? Self.integralCorrection(gain: band.factor / rate) : nil
        // The damping of the two sections of a Butterworth filter of the fourth order: 2 cos(π/8) and 2 cos(3π/8).
        let damping = [1.847_759_065_022_573_5, 0.765_366_864_730_179_6]
        var sections = Array(repeating: Section(), count: 4)
        if band.from > 0 {
            let angle = Double.pi * min(Self.highestShare, band.from / rate)
            sections[0] = Self.lowerEdge(angle, damping[0], isIntegrated: band.isIntegrated)
            sections[1] = Self.lowerEdge(angle, damping[1], isIntegrated: false)
        }
        if band.to <= Self.highestShare * rate {
            let angle = Double.pi * band.to / rate
            for index in 0..<2 { sections[2 + index] = Self.upperEdge(angle, damping[index]) }
        }
        b = SIMD4(sections.map(\.b))
        c = SIMD4(sections.map(\.c))
        d = SIMD4(sections.map(\.d))
        a1 = SIMD4(sections.map(\.a1))
        a2 = SIMD4(sections.map(\.a2))
    }

    private static func integralCorrection(gain: Double) -> Section {
        // Fitted to sin(x)/x, x = half the angle of a sample: the greatest deviation up to 0.46 of the rate is the least.
        let (b1, b2, a1, a2) = (0.836_719_03, 0.130_225_72, 0.659_611_86, 0.044_217_93)
        let scale = gain * (1 + a1 + a2) / (1 + b1 + b2)
        return Section(scale, scale * b1, scale * b2, a1, a2)
    }

    /// (1 - z⁻¹)² over the poles; integrated, 1 - z⁻¹.
    private static func lowerEdge(_ angle: Double, _ damping: Double, isIntegrated: Bool) -> Section {
        let poles = poles(angle, damping)
        return isIntegrated
            ? Section(poles.norm, -poles.norm, 0, poles.a1, poles.a2)
            : Section(poles.norm, -2 * poles.norm, poles.norm, poles.a1, poles.a2)
    }

    /// (1 + z⁻¹)² over the poles.
    private static func upperEdge(_ angle: Double, _ damping: Double) -> Section {
        let poles = poles(angle, damping)
        let b = poles.tangent * poles.tangent * poles.norm
        return Section(b, 2 * b, b, poles.a1, poles.a2)
    }

    /// By the bilinear transform, with the edge at its place; `angle` is half the angle of a sample at the edge.
    private static func poles(
        _ angle: Double, _ damping: Double
    ) -> (tangent: Double, a1: Double, a2: Double, norm: Double) {
        let (sine, cosine) = angle.sineAndCosine
        let tangent = sine / cosine
        let norm = 1 / (1 + damping * tangent + tangent * tangent)
        return (
            tangent, 2 * (tangent * tangent - 1) * norm, (1 - damping * tangent + tangent * tangent) * norm, norm
        )
    }

    /// Filters samples and hands each result to `body`.
    @inline(__always)
    func run(
        _ samples: borrowing Span<Double>, _ range: Range<Int>, less offset: Double, _ memory: inout Memory,
        _ body: (Double) -> Void
    ) {
        var (p, q, results) = (memory.p, memory.q, memory.results)
        if let correction {
            var (first, second) = (memory.correction[0], memory.correction[1])
            for index in range {
                let sample = samples[index] - offset
                let input = correction.b * sample + first
                let next = correction.c * sample + second - correction.a1 * first
                second = correction.d * sample - correction.a2 * first
                first = next
                step(input, &p, &q, &results)
                body(results[3])
            }
            memory.correction = SIMD2(first, second)
        } else {
            for index in range {
                step((samples[index] - offset) * gain, &p, &q, &results)
                body(results[3])
            }
        }
        (memory.p, memory.q, memory.results) = (p, q, results)
    }

    @inline(__always)
    private func step(
        _ input: Double, _ p: inout SIMD4<Double>, _ q: inout SIMD4<Double>, _ results: inout SIMD4<Double>
    ) {
        let inputs = SIMD4(input, results[0], results[1], results[2])
        results = b * inputs + p
        let next = c * inputs + q - a1 * p
        q = d * inputs - a2 * p
        p = next
    }
}

extension BandFilter.Memory {
    func write(to words: inout [UInt64]) {
        for section in 0..<4 {
            for number in [p[section], q[section], results[section]] { words.append(number.bitPattern) }
        }
        words += [correction[0].bitPattern, correction[1].bitPattern]
    }

    /// What was written there.
    init(words: borrowing Span<UInt64>, at first: Int) {
        for section in 0..<4 {
            p[section] = Double(bitPattern: words[first + 3 * section])
            q[section] = Double(bitPattern: words[first + 3 * section + 1])
            results[section] = Double(bitPattern: words[first + 3 * section + 2])
        }
        correction = SIMD2(Double(bitPattern: words[first + 12]), Double(bitPattern: words[first + 13]))
    }
}
