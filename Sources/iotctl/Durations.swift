internal import ArgumentParser

/// A length of time on the command line: `500ms`, `10s`, `2m`, `1.5h`, `7d`; a bare number is seconds.
struct Span: ExpressibleByArgument, Sendable, Equatable {
    /// The longest that is understood: ten years.
    static let longest: Duration = .seconds(3650 * 86_400)

    /// That long; not negative.
    let duration: Duration

    /// That long.
    init(_ duration: Duration) { self.duration = duration }

    /// Reads one; nil if it is none, negative or over `longest`.
    init?(argument: String) {
        let units: [(name: String, seconds: Double)] = [
            ("ms", 0.001), ("s", 1), ("m", 60), ("h", 3600), ("d", 86_400), ("", 1),
        ]
        guard let unit = units.first(where: { argument.hasSuffix($0.name) }),
            let number = Double(argument.dropLast(unit.name.count)), number >= 0,
            number * unit.seconds <= Double(Self.longest.components.seconds)
        else { return nil }
        duration = .milliseconds(Int64((number * unit.seconds * 1000).rounded()))
    }

    /// As it is typed.
    var defaultValueDescription: String { duration.short }
}

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
