import Sensors
import Testing

/// SplitMix64: the same numbers in every run, so that a failure can be seen again.
struct Seeded: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// 2026-11-21T09:30:00Z.
let now = Timestamp(unixNanoseconds: 1_795_253_400_000_000_000)

/// A rate that there is.
func rate(_ hertz: Double) throws -> SampleRate { try #require(SampleRate(hertz: hertz)) }

/// A sound frame of one channel with `count` floats.
func frame(_ count: Int = 1, rate: SampleRate? = SampleRate(hertz: 1000), start: Timestamp? = now) -> Frame {
    let samples = (0..<count).map { Float($0) }
    return Frame(
        position: FramePosition(boot: 1, sequence: 0), start: start, rate: rate,
        blocks: [Block(channel: .number(0), samples: .floats(samples))])
}
