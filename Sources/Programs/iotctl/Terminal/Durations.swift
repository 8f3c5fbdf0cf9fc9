internal import Time

extension Duration {
    /// The duration in one unit, rounded down, for people: "340ms", "12s", "5m", "3h", "2d". The options for durations
    /// and times accept it.
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
}
