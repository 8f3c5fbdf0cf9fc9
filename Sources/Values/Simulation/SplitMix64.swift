internal import Glibc

/// A small and fast seeded generator of random numbers: the same seed gives the same numbers on every machine.
///
/// After Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014).
public struct SplitMix64: RandomNumberGenerator, Sendable, Equatable {
    private var state: UInt64

    /// A generator with that seed.
    public init(seed: UInt64) { state = seed }

    /// The next 64 random bits.
    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        return Self.mix(state)
    }

    /// The next number, uniformly distributed over 0..<1.
    public mutating func uniform() -> Double { Self.unit(next()) }

    /// The next number of a normal distribution with mean 0 and standard deviation 1.
    public mutating func gaussian() -> Double { Self.normal(next(), next()) }

    /// 64 pseudorandom bits that depend only on the two numbers: noise as a pure function of time.
    static func hash(_ seed: UInt64, _ index: Int64) -> UInt64 {
        mix(mix(seed &+ 0x9E37_79B9_7F4A_7C15) ^ UInt64(bitPattern: index))
    }

    /// A normally distributed number (mean 0, standard deviation 1) that depends only on the two numbers.
    static func gaussian(_ seed: UInt64, _ index: Int64) -> Double {
        let bits = hash(seed, index)
        return normal(bits, mix(bits &+ 0x9E37_79B9_7F4A_7C15))
    }

    private static func mix(_ value: UInt64) -> UInt64 {
        var bits = value
        bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
        return bits ^ (bits >> 31)
    }

    private static func unit(_ bits: UInt64) -> Double { Double(bits >> 11) * 0x1p-53 }

    /// The Box–Muller transform of two independent numbers.
    private static func normal(_ first: UInt64, _ second: UInt64) -> Double {
        (-2 * log(1 - unit(first))).squareRoot() * cos(2 * .pi * unit(second))
    }
}
