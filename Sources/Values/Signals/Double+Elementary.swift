/// Elementary functions: no Foundation here.
extension Double {
    /// Sine and cosine of an angle of -π…π, to 1e-15.
    package var sineAndCosine: (sine: Double, cosine: Double) {
        let half = self / 2
        var (sine, cosine) = (half, 1.0)
        var (odd, even) = (half, 1.0)
        for k in 1...14 {
            let step = Double(2 * k)
            even *= -half * half / ((step - 1) * step)
            odd *= -half * half / (step * (step + 1))
            cosine += even
            sine += odd
        }
        return (2 * sine * cosine, cosine * cosine - sine * sine)
    }

    /// The natural logarithm of a number above zero, to 1e-15 of its size.
    var naturalLogarithm: Double {
        // 2 artanh((m - 1) / (m + 1)) for m within 0.7…1.4.
        let isUpper = significand > 1.4
        let mantissa = isUpper ? significand / 2 : significand
        let ratio = (mantissa - 1) / (mantissa + 1)
        var (power, sum) = (ratio, ratio)
        for k in 1...16 {
            power *= ratio * ratio
            sum += power / Double(2 * k + 1)
        }
        return 2 * sum + Double(Int(exponent) + (isUpper ? 1 : 0)) * 0.693_147_180_559_945_3
    }

    /// e to this power, for -700…700, to 1e-15 of the result.
    var exponential: Double {
        let doublings = (self / 0.693_147_180_559_945_3).rounded()
        let rest = addingProduct(-doublings, 0.693_147_180_559_945_3)
        var (term, sum) = (1.0, 1.0)
        for k in 1...18 {
            term *= rest / Double(k)
            sum += term
        }
        return Double(sign: .plus, exponent: Int(doublings), significand: 1) * sum
    }
}
