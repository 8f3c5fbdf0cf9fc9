/// The zones of ISO 20816 for the vibration of a kind of machines, by the root mean square of the velocity at its bearings.
///
/// The standards are sold, so none of these values was read in the standard itself; each was compared in public sources, which
/// docs/rules-signals.md names with what they disagree about. A contract or a manufacturer's limit goes before them.
public struct SeverityZones: Sendable, Hashable {
    /// A zone, from good to bad.
    public enum Zone: String, Sendable, Comparable, CaseIterable {
        /// As of machines that were just put into service.
        case a = "A"
        /// Acceptable for long operation.
        case b = "B"
        /// Not satisfactory for long operation.
        case c = "C"
        /// Severe enough to damage the machine.
        case d = "D"

        /// By severity.
        public static func < (left: Zone, right: Zone) -> Bool { left.rawValue < right.rawValue }
    }

    /// The border between zones A and B, in mm/s.
    public let ab: Double
    /// The border between zones B and C, in mm/s.
    public let bc: Double
    /// The border between zones C and D, in mm/s.
    public let cd: Double

    /// Zones with these borders in mm/s, for limits of a contract or a manufacturer.
    public init(ab: Double, bc: Double, cd: Double) {
        self.ab = ab
        self.bc = bc
        self.cd = cd
    }

    /// ISO 10816-1:1995, annex B, table B.1, class I: small machines, such as motors up to 15 kW. ISO 20816-1:2016, which replaced
    /// it, gives ranges for the borders in place of classes.
    public static let classI = SeverityZones(ab: 0.71, bc: 1.8, cd: 4.5)
    /// ISO 10816-1:1995, table B.1, class II: medium machines, motors of 15 kW to 75 kW without special foundations.
    public static let classII = SeverityZones(ab: 1.12, bc: 2.8, cd: 7.1)
    /// ISO 10816-1:1995, table B.1, class III: large machines on rigid foundations.
    public static let classIII = SeverityZones(ab: 1.8, bc: 4.5, cd: 11.2)
    /// ISO 10816-1:1995, table B.1, class IV: large machines on soft foundations.
    public static let classIV = SeverityZones(ab: 2.8, bc: 7.1, cd: 18)

    /// ISO 20816-3:2022, group 1 (above 300 kW, or motors with a shaft height from 315 mm), rigid support: the values of ISO
    /// 10816-3:2009, table A.1.
    public static let largeRigid = SeverityZones(ab: 2.3, bc: 4.5, cd: 7.1)
    /// ISO 20816-3:2022, group 1, flexible support: the values of ISO 10816-3:2009, table A.1.
    public static let largeFlexible = SeverityZones(ab: 3.5, bc: 7.1, cd: 11)
    /// ISO 20816-3:2022, group 2 (15 kW to 300 kW, or motors with a shaft height of 160 mm to 315 mm), rigid support: the values of
    /// ISO 10816-3:2009, table A.2.
    public static let mediumRigid = SeverityZones(ab: 1.4, bc: 2.8, cd: 4.5)
    /// ISO 20816-3:2022, group 2, flexible support: the values of ISO 10816-3:2009, table A.2.
    public static let mediumFlexible = SeverityZones(ab: 2.3, bc: 4.5, cd: 7.1)

    /// The zone of a velocity in mm/s, root mean square. A velocity on a border is still in the better zone.
    public func zone(velocity: Double) -> Zone {
        if velocity > cd { return .d }
        if velocity > bc { return .c }
        return velocity > ab ? .b : .a
    }

    /// The velocity above which a zone begins, in mm/s; 0 for zone A.
    public func border(of zone: Zone) -> Double {
        switch zone {
        case .a: 0
        case .b: ab
        case .c: bc
        case .d: cd
        }
    }

    /// The band in which the velocity is taken: 10 Hz to 1000 Hz, from 2 Hz for machines that turn slower than 600 times a minute.
    /// - Parameters:
    ///   - isSlow: whether the machine turns slower than 600 times a minute.
    ///   - isAcceleration: whether the signal is an acceleration.
    ///   - factor: from the signal's unit to mm/s, or mm/s² if it is an acceleration.
    /// - Returns: nil if the factor is not finite.
    public static func band(isSlow: Bool, isAcceleration: Bool, factor: Double) -> SignalBand? {
        SignalBand(from: isSlow ? 2 : 10, to: 1000, isIntegrated: isAcceleration, factor: factor)
    }
}
