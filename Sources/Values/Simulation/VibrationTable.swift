internal import Glibc
internal import Model
internal import SampleFiles
internal import Synchronization

/// Some seconds of the acceleration of a rotating machine, computed once and played in a loop by many sensors.
///
/// The shaft turns 25 times per second (1,500 rpm) and causes harmonics; a damaged outer race is struck 3.58 times per
/// turn and rings at 1.6 kHz each time; white noise is added. Components above 0.45 × the rate are omitted, as by an
/// anti-aliasing filter. The loop holds a whole number of turns and strokes, so that its end fits its beginning.
struct VibrationTable: Sendable {
    /// Turns of the shaft per second.
    static let shaftHertz = 25.0
    /// Strokes on the damaged outer race per turn of the shaft.
    static let strokesPerTurn = 3.58
    /// m/s² per count of the 16-bit converter: a range of ±164 m/s² (±16 g).
    static let scale = 0.005
    /// The shortest loop in seconds; longer loops are this times a power of two. It holds 100 turns and 358 strokes.
    private static let loopSeconds = 4.0
    private static let lengthMin = 16_384.0

    /// The signal of each axis: the amplitudes of the harmonics 1, 2, 3 and 7 in m/s², their phase in turns, the
    /// amplitude of the strokes and the standard deviation of the noise, both in m/s².
    private static let axes: [(harmonics: [Double], phase: Double, stroke: Double, noise: Double)] = [
        ([1.2, 0.5, 0.2, 0.25], 0, 3, 0.3),
        ([1.0, 0.6, 0.15, 0.2], 0.25, 2.5, 0.3),
        ([0.4, 0.2, 0.1, 0.1], 0.1, 1.5, 0.25),
    ]
    private static let orders = [1, 2, 3, 7]

    /// The sample rate of the loop.
    let rate: SampleRate
    /// One array of samples in m/s² for each axis.
    let floats: [[Float]]
    /// The same samples in counts of `scale`.
    let counts: [[Int16]]

    /// The number of samples in the loop.
    var length: Int { floats[0].count }

    /// The loop for `rate`; the same seed gives the same loop.
    init(rate: SampleRate, seed: UInt64) {
        var seconds = Self.loopSeconds
        while seconds * rate.hertz < Self.lengthMin { seconds *= 2 }
        let length = Int((seconds * rate.hertz).rounded())
        let turns = Int((seconds * Self.shaftHertz).rounded())
        var random = SplitMix64(seed: seed ^ rate.hertz.bitPattern)
        let strokes = Self.strokes(length: length, seconds: seconds, rate: rate, random: &random)
        self.rate = rate
        floats = Self.axes.map { axis in
            var samples = strokes.map { Float(axis.stroke) * $0 }
            for index in samples.indices { samples[index] += Float(axis.noise * random.gaussian()) }
            for (order, amplitude) in zip(Self.orders, axis.harmonics)
            where Double(order) * Self.shaftHertz < 0.45 * rate.hertz {
                Self.add(turns: turns * order, amplitude: amplitude, phase: axis.phase, to: &samples)
            }
            return samples
        }
        counts = floats.map { axis in
            axis.map { Int16(max(-32_768, min(32_767, (Double($0) / Self.scale).rounded()))) }
        }
    }

    private static func add(turns: Int, amplitude: Double, phase: Double, to samples: inout [Float]) {
        let length = samples.count
        for index in 0..<length {
            let angle = 2 * .pi * (Double(turns * index % length) / Double(length) + phase)
            samples[index] += Float(amplitude * sin(angle))
        }
    }

    /// Decaying rings of amplitude 1, one for each stroke, each up to 1 % of a period early or late.
    private static func strokes(
        length: Int, seconds: Double, rate: SampleRate, random: inout SplitMix64
    ) -> [Float] {
        let ringHertz = 1600.0
        let decaySeconds = 0.003
        var samples = [Float](repeating: 0, count: length)
        guard ringHertz < 0.45 * rate.hertz else { return samples }
        let count = Int((seconds * shaftHertz * strokesPerTurn).rounded())
        let ringLength = min(length, Int(5 * decaySeconds * rate.hertz))
        for stroke in 0..<count {
            let position = (Double(stroke) + 0.02 * (random.uniform() - 0.5)) / Double(count) * Double(length)
            let first = Int(position.rounded(.up))
            for step in 0..<ringLength {
                let time = (Double(first + step) - position) / rate.hertz
                let value = exp(-time / decaySeconds) * sin(2 * .pi * ringHertz * time)
                samples[(first + step + length) % length] += Float(value)
            }
        }
        return samples
    }

    /// `count` samples of each axis from `position` on, in a loop.
    func samples(from position: Int, count: Int, encoding: SampleEncoding) -> [Samples] {
        switch encoding {
        case .floats: floats.map { .floats($0.loop(from: position, count: count)) }
        case .counts:
            counts.map { .counts($0.loop(from: position, count: count), scale: Self.scale, offset: 0) }
        }
    }
}

/// The loops that the vibration sensors of a process share. Safe from any thread.
///
/// Holds at most 32 loops (0.4 MB each at 5 kHz, 14 MB at 200 kHz). For a 33rd rate the library returns the loop of the
/// nearest rate: the machine then appears to turn a little faster or slower.
public final class SignalLibrary: Sendable {
    private let seed: UInt64
    private let tablesMax: Int
    private let tables = Mutex<[VibrationTable]>([])

    /// An empty library whose loops depend on `seed`.
    public convenience init(seed: UInt64) { self.init(seed: seed, tablesMax: 32) }

    /// An empty library of at most that many loops.
    init(seed: UInt64, tablesMax: Int) {
        self.seed = seed
        self.tablesMax = tablesMax
    }

    /// The loop for `rate`, computed at the first request (5 ms at 5 kHz).
    func table(at rate: SampleRate) -> VibrationTable {
        tables.withLock { tables in
            let nearest = tables.min { abs($0.rate.hertz - rate.hertz) < abs($1.rate.hertz - rate.hertz) }
            if let nearest, nearest.rate == rate || tables.count >= tablesMax { return nearest }
            let table = VibrationTable(rate: rate, seed: seed)
            tables.append(table)
            return table
        }
    }
}
