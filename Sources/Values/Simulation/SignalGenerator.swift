internal import Model
internal import SampleFiles
internal import Time

/// Computes a sensor's samples. Deterministic: the same seed, start and sample index give the same value.
enum SignalGenerator: Sendable {
    /// A loop shared with other sensors, played from the sensor's own offset.
    case vibration(VibrationTable, offset: Int)
    /// Temperature and humidity.
    case climate(ClimateSignal)
    /// Distance and speed.
    case odometer(OdometerSignal)
    /// Position, speed and heading.
    case gps(WalkSignal)
    /// A recording, in a loop.
    case recording(Recording)

    /// The generator of `configuration`'s source at its initial rate.
    init(configuration: SensorConfiguration, rate: SampleRate, origin: Timestamp, library: SignalLibrary) {
        let seed = SplitMix64.hash(configuration.seed, 0)
        switch configuration.source {
        case .kind(.vibration): self = .vibration(library.table(at: rate), offset: Int(seed >> 40))
        case .kind(.climate): self = .climate(ClimateSignal(seed: seed))
        case .kind(.odometer): self = .odometer(OdometerSignal(seed: seed, origin: origin))
        case .kind(.gps):
            self = .gps(WalkSignal(seed: seed, home: configuration.place ?? Self.home(seed), origin: origin))
        case .recording(let recording): self = .recording(recording)
        }
    }

    /// A random position within some kilometres of Karlsruhe.
    private static func home(_ seed: UInt64) -> GeoPosition {
        var random = SplitMix64(seed: seed)
        return GeoPosition(
            latitude: 49.01 + 0.05 * (random.uniform() - 0.5), longitude: 8.40 + 0.08 * (random.uniform() - 0.5),
            altitude: 115)
    }

    /// Continues at another rate.
    mutating func change(to rate: SampleRate, library: SignalLibrary) {
        if case .vibration(_, let offset) = self { self = .vibration(library.table(at: rate), offset: offset) }
    }

    /// The sensor's position, if the sensor moves.
    func place(at time: Timestamp) -> GeoPosition? {
        if case .gps(let walk) = self { walk.place(at: time) } else { nil }
    }

    /// The next `count` samples of each channel.
    func samples(clock: SampleClock, origin: Timestamp, count: Int, encoding: SampleEncoding) -> [Samples] {
        switch self {
        case .vibration(let table, let offset):
            let elapsed = (clock.start.seconds(since: origin) * clock.rate.hertz).rounded()
            let position = (Int(exactly: elapsed) ?? 0) &+ Int(clock.next) &+ offset
            let samples = table.samples(from: position & .max, count: count, encoding: encoding)
            return count == 1 ? samples.map { .value($0[0]) } : samples
        case .climate(let signal): return Self.evaluate(clock, count) { signal.values(at: $0) }
        case .odometer(let signal): return Self.evaluate(clock, count) { signal.values(at: $0) }
        case .gps(let signal): return Self.evaluate(clock, count) { signal.values(at: $0) }
        case .recording(let recording):
            return recording.samples(from: Int(clock.taken % Int64(recording.length)), count: count)
        }
    }

    /// Calls `values` for each of the next `count` samples; a single sample is a double.
    private static func evaluate(
        _ clock: SampleClock, _ count: Int, values: (Timestamp) -> [Double]
    ) -> [Samples] {
        if count == 1 { return values(clock.nextTime).map { .value($0) } }
        var channels: [[Float]] = []
        for step in 0..<count {
            let instant = values(clock.time(ofSample: clock.next + Int64(step)))
            if channels.isEmpty { channels = instant.map { _ in [] } }
            for (channel, value) in instant.enumerated() { channels[channel].append(Float(value)) }
        }
        return channels.map { .floats($0) }
    }
}
