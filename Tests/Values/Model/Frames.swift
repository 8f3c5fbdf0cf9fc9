import Model
import Testing
import Time

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
