/// What a condition says. The raw value is in the state.
enum RuleTruth: UInt64, Sendable {
    /// Not judged yet.
    case unknown = 0
    case no = 1
    /// It holds; of two limits, the upper one.
    case yes = 2
    /// It holds below the lower of two limits.
    case low = 3

    var holds: Bool { rawValue >= 2 }
}
