/// The faults to inject into the frames of sensors, so that a test can observe the effects.
///
/// At most one of the four kinds applies to a frame; the skew of the clock is added to it.
public struct FaultPlan: Sendable, Equatable {
    /// A kind of fault of a frame.
    public enum Kind: String, Sendable, CaseIterable {
        /// The frame is numbered and never sent; the sensor does not report it as dropped.
        case drop
        /// The frame is sent twice.
        case duplicate
        /// The frame is sent after one to three later frames of the same sensor.
        case reorder
        /// The frame is sent as undecodable bytes.
        case corrupt
    }

    /// The error for an invalid specification.
    public struct Fault: Error, Sendable, Equatable, CustomStringConvertible {
        /// The reason, in one line.
        public let description: String
    }

    /// The fraction of all frames for each kind, above 0; together at most 1.
    public private(set) var shares: [Kind: Double] = [:]
    /// How far the sensors' clocks are ahead of the true time, in nanoseconds; negative: behind.
    public private(set) var skewNanoseconds: Int64 = 0

    /// The largest skew in either direction: 36,500 days.
    private static let skewSecondsMax = 36_500 * 86_400.0

    /// Reads `drop:0.1%,duplicate:0.001,reorder:1%,skew:-5s,corrupt:0.05%`: any of them, each once.
    ///
    /// Shares are percentages or fractions of 1. A skew is a number with ms, s, m, h or d.
    /// - Throws: `Fault`, which names the invalid part.
    public init(_ text: String) throws(Fault) {
        var names = Set<Substring>()
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let words = part.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard words.count == 2, let name = words.first, let value = words.last else {
                throw Fault(description: "\(part.isEmpty ? "nothing" : String(part)): not KIND:VALUE")
            }
            guard names.insert(name).inserted else { throw Fault(description: "\(name) is given twice") }
            if name == "skew" {
                skewNanoseconds = try Self.skew(value)
            } else if let kind = Kind(rawValue: String(name)) {
                let share = try Self.share(value, kind)
                if share > 0 { shares[kind] = share }
            } else {
                let kinds = Kind.allCases.map(\.rawValue) + ["skew"]
                throw Fault(description: "\(name): not one of \(kinds.joined(separator: ", "))")
            }
        }
        let total = shares.values.reduce(0, +)
        guard total <= 1 + 1e-9 else { throw Fault(description: "the shares add up to more than 100%") }
    }

    /// The kind of fault for a random number `lot`, 0..<1; nil: none.
    func kind(ofLot lot: Double) -> Kind? {
        var bound = 0.0
        for kind in Kind.allCases {
            guard let share = shares[kind] else { continue }
            bound += share
            if lot < bound { return kind }
        }
        return nil
    }

    private static func share(_ text: Substring, _ kind: Kind) throws(Fault) -> Double {
        let isPercentage = text.last == "%"
        let number = number(isPercentage ? text.dropLast() : text).map { isPercentage ? $0 / 100 : $0 }
        guard let number, (0...1).contains(number) else {
            throw Fault(description: "\(kind.rawValue):\(text): not a share such as 0.1% or 0.001")
        }
        return number
    }

    private static func skew(_ text: Substring) throws(Fault) -> Int64 {
        let units: [(name: String, seconds: Double)] = [("ms", 0.001), ("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)]
        let unit = units.first { text.hasSuffix($0.name) }
        let seconds = unit.flatMap { unit in number(text.dropLast(unit.name.count)).map { $0 * unit.seconds } }
        guard let seconds, seconds.magnitude <= skewSecondsMax else {
            throw Fault(description: "skew:\(text): not a time such as 5s, -5s, 500ms, 2m, 1h or 3d")
        }
        return Int64((seconds * 1e9).rounded())
    }

    /// A plain decimal number; `Double` alone would also read "inf", "0x1" and "1e3".
    private static func number(_ text: Substring) -> Double? {
        text.allSatisfy { $0.isASCII && $0.isNumber || $0 == "." || $0 == "-" } ? Double(text) : nil
    }
}
