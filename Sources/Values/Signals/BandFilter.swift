/// The filter of a `SignalBand` at a sample rate: five sections of the second order, one after the other.
///
/// Two sections make the lower edge, two the upper one. The integral is taken in the first: the pole of a sum is cancelled by a
/// zero of the lower edge, so that nothing grows. What a sum is off an integral, sin(x)/x of half the angle of a sample, the fifth
/// section corrects to 0.06 % for frequencies up to 0.46 of the sample rate.
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

        /// The section (b₀ + b₁ z⁻¹ + b₂ z⁻²) / (1 + a₁ z⁻¹ + a₂ z⁻²).
        init(_ b0: Double, _ b1: Double, _ b2: Double, _ a1: Double, _ a2: Double) {
            b = b0
            c = b1 - a1 * b0
            d = b2 - a2 * b0
            self.a1 = a1
            self.a2 = a2
        }

        init() {}

        @inline(__always)
        func step(_ sample: Double, _ p: inout Double, _ q: inout Double) -> Double {
            let result = b * sample + p
            let next = c * sample + q - a1 * p
            q = d * sample - a2 * p
            p = next
            return result
        }
    }

    /// What a filter remembers, two numbers for each section.
    struct Memory: Sendable, Equatable {
        var p = SIMD8<Double>()
        var q = SIMD8<Double>()

        static let wordCount = 2 * sections

        /// Sets what is too small to matter to zero: such numbers make a processor slow.
        mutating func flush() {
            let tiny = SIMD8<Double>(repeating: 1e-150)
            p.replace(with: 0, where: (p .< tiny) .& (p .> -tiny))
            q.replace(with: 0, where: (q .< tiny) .& (q .> -tiny))
        }
    }

    static let sections = 5

    let rate: Double
    let correction: Section
    let lower: (Section, Section)
    let upper: (Section, Section)

    /// The filter of a band at that many samples a second.
    init(_ band: SignalBand, rate: Double) {
        self.rate = rate
        let gain = band.isIntegrated ? band.factor / rate : band.factor
        correction = band.isIntegrated ? Self.integralCorrection(gain: gain) : Section(gain, 0, 0, 0, 0)
        // The damping of the two sections of a Butterworth filter of the fourth order: 2 cos(π/8) and 2 cos(3π/8).
        let damping = (1.847_759_065_022_573_5, 0.765_366_864_730_179_6)
        if band.from > 0 {
            let angle = Double.pi * min(Self.highestShare, band.from / rate)
            lower = (
                Self.lowerEdge(angle, damping.0, isIntegrated: band.isIntegrated),
                Self.lowerEdge(angle, damping.1, isIntegrated: false)
            )
        } else {
            lower = (Section(), Section())
        }
        if band.to <= Self.highestShare * rate {
            let angle = Double.pi * band.to / rate
            upper = (Self.upperEdge(angle, damping.0), Self.upperEdge(angle, damping.1))
        } else {
            upper = (Section(), Section())
        }
    }

    private static func integralCorrection(gain: Double) -> Section {
        // Fitted to sin(x)/x, x = half the angle of a sample: the greatest deviation up to 0.46 of the rate is the least.
        let (b1, b2, a1, a2) = (0.836_719_03, 0.130_225_72, 0.659_611_86, 0.044_217_93)
        let scale = gain * (1 + a1 + a2) / (1 + b1 + b2)
        return Section(scale, scale * b1, scale * b2, a1, a2)
    }

    /// (1 - z⁻¹)² over the poles; integrated, 1 - z⁻¹.
    private static func lowerEdge(_ angle: Double, _ damping: Double, isIntegrated: Bool) -> Section {
        let (k, a1, a2, norm) = poles(angle, damping)
        _ = k
        return isIntegrated ? Section(norm, -norm, 0, a1, a2) : Section(norm, -2 * norm, norm, a1, a2)
    }

    /// (1 + z⁻¹)² over the poles.
    private static func upperEdge(_ angle: Double, _ damping: Double) -> Section {
        let (k, a1, a2, norm) = poles(angle, damping)
        let b = k * k * norm
        return Section(b, 2 * b, b, a1, a2)
    }

    /// By the bilinear transform, with the edge at its place: k is the tangent of half the angle of a sample at the edge.
    private static func poles(_ angle: Double, _ damping: Double) -> (k: Double, a1: Double, a2: Double, norm: Double) {
        let (sine, cosine) = angle.sineAndCosine
        let k = sine / cosine
        let norm = 1 / (1 + damping * k + k * k)
        return (k, 2 * (k * k - 1) * norm, (1 - damping * k + k * k) * norm, norm)
    }

    /// Filters samples and hands each result to `body`.
    @inline(__always)
    func run(
        _ samples: borrowing Span<Double>, _ range: Range<Int>, less offset: Double, _ memory: inout Memory,
        _ body: (Double) -> Void
    ) {
        let (s0, s1, s2, s3, s4) = (correction, lower.0, lower.1, upper.0, upper.1)
        var (p0, p1, p2, p3, p4) = (memory.p[0], memory.p[1], memory.p[2], memory.p[3], memory.p[4])
        var (q0, q1, q2, q3, q4) = (memory.q[0], memory.q[1], memory.q[2], memory.q[3], memory.q[4])
        for index in range {
            var value = s0.step(samples[index] - offset, &p0, &q0)
            value = s1.step(value, &p1, &q1)
            value = s2.step(value, &p2, &q2)
            value = s3.step(value, &p3, &q3)
            value = s4.step(value, &p4, &q4)
            body(value)
        }
        memory.p = SIMD8(p0, p1, p2, p3, p4, 0, 0, 0)
        memory.q = SIMD8(q0, q1, q2, q3, q4, 0, 0, 0)
    }
}
