internal import Glibc
internal import Model
internal import Time

/// One sine term of a slow signal.
private struct Wave: Sendable {
    /// The amplitude in the unit of the signal.
    var amplitude: Double
    /// Radians per second.
    var angularRate: Double
    /// The phase in radians.
    var phase: Double

    func value(_ seconds: Double) -> Double { amplitude * sin(angularRate * seconds + phase) }
    func slope(_ seconds: Double) -> Double { amplitude * angularRate * cos(angularRate * seconds + phase) }
    /// The integral from second 0.
    func integral(_ seconds: Double) -> Double {
        amplitude / angularRate * (cos(phase) - cos(angularRate * seconds + phase))
    }
}

extension Wave {
    /// A wave of about that period in seconds (±15 %) with a random phase.
    init(amplitude: Double, period: Double, random: inout SplitMix64) {
        self.init(
            amplitude: amplitude, angularRate: 2 * .pi / (period * (0.85 + 0.3 * random.uniform())),
            phase: 2 * .pi * random.uniform())
    }
}

/// Temperature and relative humidity of a hall: a daily cycle with its maximum at 15:00 UTC, drifts of minutes to an
/// hour, a cycle of the ventilation (about 40 s, ±0.4 °C), noise. A pure function of seed and time.
struct ClimateSignal: Sendable {
    private let seed: UInt64
    private let base: Double
    private let waves: [Wave]

    init(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        self.seed = random.next()
        base = 20 + 3 * random.uniform()
        waves = [(0.8, 4800.0), (0.5, 1500), (0.3, 400), (0.4, 40)].map {
            Wave(amplitude: $0.0, period: $0.1, random: &random)
        }
    }

    /// Temperature in °C and relative humidity in % at that time.
    func values(at time: Timestamp) -> [Double] {
        let seconds = Double(time.unixNanoseconds) / 1e9
        let daily = 4 * cos(2 * .pi * (seconds / 86_400 - 15.0 / 24))
        let drift = waves.reduce(0) { $0 + $1.value(seconds) }
        let temperature = base + daily + drift
        let humidity = 45 - 2.2 * (temperature - 21) + 0.3 * SplitMix64.gaussian(seed &+ 1, time.unixNanoseconds)
        return [
            temperature + 0.03 * SplitMix64.gaussian(seed, time.unixNanoseconds), max(5, min(95, humidity)),
        ]
    }
}

/// Distance and speed of a vehicle with varying speed that never drives backwards. A pure function of seed and time.
struct OdometerSignal: Sendable {
    /// The mean speed in m/s.
    private static let meanSpeed = 12.0
    private let seed: UInt64
    private let origin: Timestamp
    private let waves: [Wave]

    init(seed: UInt64, origin: Timestamp) {
        var random = SplitMix64(seed: seed)
        self.seed = random.next()
        self.origin = origin
        waves = [(5.0, 300.0), (4.0, 97), (2.5, 31)].map { Wave(amplitude: $0.0, period: $0.1, random: &random) }
    }

    /// Distance in metres since the origin and speed in m/s at that time. The amplitudes add up to less than the mean,
    /// so the speed is never 0.
    func values(at time: Timestamp) -> [Double] {
        let seconds = time.seconds(since: origin)
        let distance = waves.reduce(Self.meanSpeed * seconds) { $0 + $1.integral(seconds) }
        let speed = waves.reduce(Self.meanSpeed) { $0 + $1.value(seconds) }
        return [distance, max(0, speed + 0.05 * SplitMix64.gaussian(seed, time.unixNanoseconds))]
    }
}

/// A walk of some hundred metres around a position; speed and heading are those of the walk. A pure function of seed
/// and time.
struct WalkSignal: Sendable {
    private static let metresPerDegree = 111_320.0
    private let home: GeoPosition
    private let origin: Timestamp
    private let east: [Wave]
    private let north: [Wave]
    private let up: Wave

    init(seed: UInt64, home: GeoPosition, origin: Timestamp) {
        var random = SplitMix64(seed: seed)
        self.home = home
        self.origin = origin
        let terms = [(180.0, 1400.0), (45, 310), (9, 71), (2, 17)]
        east = terms.map { Wave(amplitude: $0.0, period: $0.1, random: &random) }
        north = terms.map { Wave(amplitude: $0.0, period: $0.1, random: &random) }
        up = Wave(amplitude: 6, period: 900, random: &random)
    }

    /// The position at that time.
    func place(at time: Timestamp) -> GeoPosition {
        let seconds = time.seconds(since: origin)
        let metresEast = east.reduce(0) { $0 + $1.value(seconds) }
        let metresNorth = north.reduce(0) { $0 + $1.value(seconds) }
        let shrinking = max(0.01, cos(home.latitude * .pi / 180))
        let longitude = home.longitude + metresEast / (Self.metresPerDegree * shrinking)
        return GeoPosition(
            latitude: max(-90, min(90, home.latitude + metresNorth / Self.metresPerDegree)),
            longitude: longitude > 180 ? longitude - 360 : longitude < -180 ? longitude + 360 : longitude,
            altitude: home.altitude + up.value(seconds))
    }

    /// Speed in m/s and heading in degrees clockwise from north at that time.
    func values(at time: Timestamp) -> [Double] {
        let seconds = time.seconds(since: origin)
        let speedEast = east.reduce(0) { $0 + $1.slope(seconds) }
        let speedNorth = north.reduce(0) { $0 + $1.slope(seconds) }
        let heading = atan2(speedEast, speedNorth) * 180 / .pi
        return [
            (speedEast * speedEast + speedNorth * speedNorth).squareRoot(), heading < 0 ? heading + 360 : heading,
        ]
    }
}
