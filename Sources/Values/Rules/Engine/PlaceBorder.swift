internal import Signals

/// The border of a circle or polygon on a sphere of the Earth's mean radius.
struct PlaceBorder: Sendable, Equatable {
    /// Metres.
    private static let earthRadius = 6_371_008.8
    private static let degree = Double.pi / 180

    private enum Shape: Sendable, Equatable {
        case circle(centre: SIMD3<Double>, radius: Double)
        case polygon([Condition.Place.Corner])
    }

    private let shape: Shape

    init(_ place: Condition.Place) {
        if let circle = place.circle {
            shape = .circle(
                centre: Self.vector(latitude: circle.latitude, longitude: circle.longitude), radius: circle.radius)
        } else {
            shape = .polygon(Self.unwrapped(place.polygon ?? []))
        }
    }

    /// How far a point lies outside of the place, in metres; negative inside.
    func distanceOutside(latitude: Double, longitude: Double) -> Double {
        switch shape {
        case .circle(let centre, let radius):
            let between = Self.vector(latitude: latitude, longitude: longitude) - centre
            let chord = (between * between).sum().squareRoot()
            return 2 * Self.earthRadius * Self.arcSine(min(1, chord / 2)) - radius
        case .polygon(let corners):
            return Self.distance(latitude, longitude, to: corners)
        }
    }

    /// The corners with longitudes that go on beyond the date line, so that no edge goes around the Earth.
    private static func unwrapped(_ corners: [Condition.Place.Corner]) -> [Condition.Place.Corner] {
        var unwrapped: [Condition.Place.Corner] = []
        for var corner in corners {
            let last = unwrapped.last?.longitude ?? corner.longitude
            while corner.longitude - last > 180 { corner.longitude -= 360 }
            while corner.longitude - last < -180 { corner.longitude += 360 }
            unwrapped.append(corner)
        }
        return unwrapped
    }

    /// The distance to the nearest edge on the plane that touches the Earth at the point, negative if the point is inside.
    private static func distance(
        _ latitude: Double, _ longitude: Double, to corners: [Condition.Place.Corner]
    ) -> Double {
        let scale = earthRadius * degree
        let eastScale = scale * (latitude * degree).sineAndCosine.cosine
        guard let first = corners.first, let last = corners.last else { return .infinity }
        var turn = 0.0
        while first.longitude + turn - longitude > 180 { turn -= 360 }
        while first.longitude + turn - longitude < -180 { turn += 360 }
        func onPlane(_ corner: Condition.Place.Corner) -> SIMD2<Double> {
            SIMD2((corner.longitude + turn - longitude) * eastScale, (corner.latitude - latitude) * scale)
        }
        var nearest = Double.infinity
        var isInside = false
        var from = onPlane(last)
        for corner in corners {
            let to = onPlane(corner)
            let edge = to - from
            let length = (edge * edge).sum()
            let share = length > 0 ? max(0, min(1, -(from * edge).sum() / length)) : 0
            let foot = from + edge * share
            nearest = min(nearest, (foot * foot).sum())
            if (from.y > 0) != (to.y > 0), from.x - from.y / edge.y * edge.x > 0 { isInside.toggle() }
            from = to
        }
        let metres = nearest.squareRoot()
        return isInside ? -metres : metres
    }

    private static func vector(latitude: Double, longitude: Double) -> SIMD3<Double> {
        let (north, parallel) = (latitude * degree).sineAndCosine
        let (east, prime) = (longitude * degree).sineAndCosine
        return SIMD3(parallel * prime, parallel * east, north)
    }

    /// For 0…1, by Newton's method.
    private static func arcSine(_ value: Double) -> Double {
        var angle = value
        for _ in 0..<30 {
            let (sine, cosine) = angle.sineAndCosine
            guard cosine > 1e-9 else { break }
            let step = (sine - value) / cosine
            angle = min(.pi / 2, angle - step)
            if abs(step) < 1e-15 { break }
        }
        return angle
    }
}
