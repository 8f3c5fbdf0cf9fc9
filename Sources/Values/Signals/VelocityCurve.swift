/// A limit of the peak particle velocity that depends on the frequency.
public struct VelocityCurve: Sendable, Hashable {
    /// A point of the curve.
    public struct Point: Sendable, Hashable {
        /// The frequency in Hz, above zero.
        public var hertz: Double
        /// The limit there in mm/s, above zero.
        public var limit: Double

        /// That limit at that frequency.
        public init(hertz: Double, limit: Double) {
            self.hertz = hertz
            self.limit = limit
        }
    }

    /// How the limit goes from one point to the next.
    public enum Interpolation: String, Sendable, CaseIterable {
        /// Straight on paper with linear axes.
        case linear
        /// Straight on paper with logarithmic axes.
        case logarithmic
    }

    /// The points, by frequency. Before the first and after the last the limit stays.
    public let points: [Point]
    /// Between two points.
    public let interpolation: Interpolation

    /// The curve through these points.
    /// - Returns: nil without a point, if frequencies do not grow, or if one number is not above zero and finite.
    public init?(_ points: [Point], _ interpolation: Interpolation = .linear) {
        guard !points.isEmpty,
            points.allSatisfy({ $0.hertz > 0 && $0.hertz < .infinity && $0.limit > 0 && $0.limit < .infinity }),
            zip(points, points.dropFirst()).allSatisfy({ $0.hertz < $1.hertz })
        else { return nil }
        self.init(known: points.map { ($0.hertz, $0.limit) }, interpolation)
    }

    private init(known points: [(Double, Double)], _ interpolation: Interpolation = .linear) {
        self.points = points.map { Point(hertz: $0.0, limit: $0.1) }
        self.interpolation = interpolation
    }

    /// The limit at a frequency, in mm/s.
    public func limit(at hertz: Double) -> Double {
        guard let above = points.firstIndex(where: { $0.hertz >= hertz }) else { return points[points.count - 1].limit }
        guard above > 0 else { return points[0].limit }
        let (left, right) = (points[above - 1], points[above])
        switch interpolation {
        case .linear:
            let share = (hertz - left.hertz) / (right.hertz - left.hertz)
            return left.limit + share * (right.limit - left.limit)
        case .logarithmic:
            let share = (hertz / left.hertz).naturalLogarithm / (right.hertz / left.hertz).naturalLogarithm
            return left.limit * (share * (right.limit / left.limit).naturalLogarithm).exponential
        }
    }
}

/// Curves of standards, for short vibration at a building's foundation. Like those of `SeverityZones` they were compared in public sources,
/// which docs/rules-signals.md names, not read in the standards.
extension VelocityCurve {
    /// DIN 4150-3:2016-12, table 1, line 1: commercial and industrial buildings.
    public static let din4150Line1 = VelocityCurve(known: [(1, 20), (10, 20), (50, 40), (100, 50)])
    /// DIN 4150-3:2016-12, table 1, line 2: dwellings.
    public static let din4150Line2 = VelocityCurve(known: [(1, 5), (10, 5), (50, 15), (100, 20)])
    /// DIN 4150-3:2016-12, table 1, line 3: buildings that are particularly sensitive, such as listed ones.
    public static let din4150Line3 = VelocityCurve(known: [(1, 3), (10, 3), (50, 8), (100, 10)])
    /// BS 7385-2:1993, table 1, line 1: reinforced or framed structures, industrial and heavy commercial buildings, 4 Hz and above.
    public static let bs7385Line1 = VelocityCurve(known: [(4, 50)])
    /// BS 7385-2:1993, table 1, line 2: unreinforced or light framed structures, dwellings. Below 4 Hz the standard limits the displacement to
    /// 0.6 mm; the curve says so as the velocity 2π f × 0.6 mm of a sine, from 0.4 Hz.
    public static let bs7385Line2 = VelocityCurve(
        known: [(0.4, 1.508), (3.979, 15), (4, 15), (15, 20), (40, 50)])

    /// The built-in curves by their names.
    public static let named: [String: VelocityCurve] = [
        "din-4150-3-line-1": din4150Line1, "din-4150-3-line-2": din4150Line2, "din-4150-3-line-3": din4150Line3,
        "bs-7385-2-line-1": bs7385Line1, "bs-7385-2-line-2": bs7385Line2,
    ]
}
