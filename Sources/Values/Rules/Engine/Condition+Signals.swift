internal import Signals

extension Condition.MotionUnit {
    /// Whether it is a unit of acceleration, and not of velocity.
    var isAcceleration: Bool {
        switch self {
        case .g, .metresPerSecondSquared: true
        case .millimetresPerSecond, .metresPerSecond: false
        }
    }

    /// From this unit to mm/s² or mm/s.
    var factor: Double {
        switch self {
        case .g: 9806.65
        case .metresPerSecondSquared, .metresPerSecond: 1000
        case .millimetresPerSecond: 1
        }
    }
}

extension Condition.Machine {
    /// The borders of its zones; nil if neither a group nor borders are given.
    var zones: SeverityZones? {
        if let borders { return SeverityZones(ab: borders.ab, bc: borders.bc, cd: borders.cd) }
        return switch group {
        case .classI: .classI
        case .classII: .classII
        case .classIII: .classIII
        case .classIV: .classIV
        case .largeRigid: .largeRigid
        case .largeFlexible: .largeFlexible
        case .mediumRigid: .mediumRigid
        case .mediumFlexible: .mediumFlexible
        case nil: nil
        }
    }
}

extension Condition.Machine.Zone {
    var severity: SeverityZones.Zone {
        switch self {
        case .b: .b
        case .c: .c
        case .d: .d
        }
    }
}

extension Condition.ParticleVelocity {
    /// The curve; nil if there is none.
    var velocityCurve: VelocityCurve? {
        if let standard { return VelocityCurve.named[standard] }
        return VelocityCurve(
            (curve ?? []).map { VelocityCurve.Point(hertz: $0.hertz, limit: $0.limit) },
            interpolation == .logarithmic ? .logarithmic : .linear)
    }

    /// The names of the curves that are known.
    static var standards: [String] { VelocityCurve.named.keys.sorted() }
}
