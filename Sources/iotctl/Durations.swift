extension Duration {
    /// In one unit, for people: "340ms", "12s", "5m", "3h", "2d".
    var short: String {
        let seconds = self.seconds
        switch abs(seconds) {
        case ..<1: return "\(Int((seconds * 1000).rounded()))ms"
        case ..<120: return "\(Int(seconds))s"
        case ..<7200: return "\(Int(seconds / 60))m"
        case ..<172_800: return "\(Int(seconds / 3600))h"
        default: return "\(Int(seconds / 86_400))d"
        }
    }

    /// Seconds, with their fraction.
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }

    /// Whole milliseconds, rounded down.
    var wholeMilliseconds: Int64 { components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000 }
}
