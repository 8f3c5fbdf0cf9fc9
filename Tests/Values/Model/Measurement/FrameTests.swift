import Model
import Testing

@Suite struct FrameTests {
    private func rejection(_ frame: Frame) -> Rejection? {
        do throws(Rejection) {
            try frame.validate()
            return nil
        } catch { return error }
    }

    private func blocks(_ count: Int) -> [Block] {
        (0..<count).map { Block(channel: .number(Int16($0)), samples: .value(1)) }
    }

    @Test func aSoundFrameIsAccepted() {
        #expect(rejection(frame(500)) == nil)
        #expect(rejection(frame(1, rate: nil, start: nil)) == nil)
    }

    @Test(arguments: [(0, "no blocks"), (1, nil), (64, nil), (65, "65 blocks, at most 64")])
    func oneTo64Blocks(count: Int, detail: String?) {
        var frame = frame()
        frame.blocks = blocks(count)
        #expect(rejection(frame) == detail.map { Rejection(.invalidFrame, $0) })
    }

    @Test(arguments: [(0, false), (1, true), (65_536, true), (65_537, false)])
    func oneTo65536Samples(count: Int, isSound: Bool) {
        var kinds: [Samples] = [
            .floats(Array(repeating: 0, count: count)), .counts(Array(repeating: 0, count: count), scale: 1, offset: 0),
        ]
        if count == 1 { kinds.append(.value(0)) }
        for samples in kinds {
            var frame = frame()
            frame.blocks = [Block(channel: .number(0), samples: samples)]
            let expected = isSound ? nil : Rejection(.invalidFrame, "\(count) samples in a block, 1…65536")
            #expect(rejection(frame) == expected)
        }
    }

    @Test(arguments: [ChannelKey.number(3), .name("x")])
    func noChannelTwice(channel: ChannelKey) {
        var frame = frame()
        frame.blocks =
            blocks(3) + [Block(channel: channel, samples: .value(1)), Block(channel: channel, samples: .value(1))]
        #expect(rejection(frame)?.detail.hasSuffix("twice") == true)
        frame.blocks.removeLast()
        #expect(rejection(frame) == nil)
    }

    @Test(arguments: [
        (1.0, 0.0, true), (-1, 5, true), (0, 0, true), (.nan, 0, false), (1, .nan, false), (.infinity, 0, false),
        (1, -.infinity, false),
    ])
    func scaleAndOffsetAreFinite(scale: Double, offset: Double, isSound: Bool) {
        var frame = frame()
        frame.blocks = [Block(channel: .number(0), samples: .counts([1], scale: scale, offset: offset))]
        #expect((rejection(frame) == nil) == isSound)
    }

    /// Finite scales whose samples are not: their statistics would be infinite, and rules would see them.
    @Test(arguments: [(Double.greatestFiniteMagnitude, 0.0), (1e306, .greatestFiniteMagnitude), (-1e305, 0)])
    func countsGiveFiniteSamples(scale: Double, offset: Double) {
        var frame = frame()
        frame.blocks = [Block(channel: .number(0), samples: .counts([.min, .max], scale: scale, offset: offset))]
        #expect(rejection(frame)?.reason == .invalidFrame)
    }

    @Test func severalSamplesNeedARate() {
        #expect(rejection(frame(2, rate: nil)) == Rejection(.invalidFrame, "several samples without a valid rate"))
    }

    @Test(arguments: [(86_400.0, true), (86_400.001, false)])
    func aFrameSpansADayAtMost(seconds: Double, isSound: Bool) throws {
        let frame = frame(60_001, rate: try rate(60_000 / seconds))
        #expect(rejection(frame) == (isSound ? nil : Rejection(.invalidFrame, "spans more than a day")))
    }

    /// Blocks times minutes (and one for each end) are rows: at most 4,096.
    @Test(arguments: [(64, 62, true), (64, 63, false), (2, 1440, true), (3, 1440, false)])
    func aFrameDoesNotBecomeTooManyRows(blockCount: Int, minutes: Int, isSound: Bool) throws {
        var frame = frame(1, rate: try rate(1.0 / 60))
        frame.blocks = (0..<blockCount).map {
            Block(channel: .number(Int16($0)), samples: .floats(Array(repeating: 0, count: minutes + 1)))
        }
        let detail = "\(blockCount) blocks over \(minutes + 2) minutes: too many rows"
        #expect(rejection(frame) == (isSound ? nil : Rejection(.invalidFrame, detail)))
    }

    /// A rate at which 65,536 samples end within the second in which 64 bits of nanoseconds do.
    @Test(arguments: [9_223_372_036.5, 9_223_372_036.9, 9_223_372_037.0, 6e11])
    func aSpanOfCenturiesIsNotTakenForNone(seconds: Double) throws {
        let frame = frame(65_536, rate: try rate(65_535 / seconds))
        #expect(frame.spanNanoseconds > FrameLimits.spanNanosecondsMax)
        #expect(rejection(frame) == Rejection(.invalidFrame, "spans more than a day"))
    }

    @Test(arguments: [(Int64(-1), Int64(0)), (0, -1), (.min, .min)])
    func positionsAreNotNegative(boot: Int64, sequence: Int64) {
        var frame = frame()
        frame.position = FramePosition(boot: boot, sequence: sequence)
        #expect(rejection(frame)?.reason == .invalidFrame)
    }

    @Test func sequencesAreBelowTheirLimit() {
        var frame = frame()
        frame.position = FramePosition(boot: .max, sequence: (1 << 53) - 1)
        #expect(rejection(frame) == nil)
        for sequence in [1 << 53, Int64.max - 1, .max] {
            frame.position = FramePosition(boot: 1, sequence: sequence)
            #expect(rejection(frame) == Rejection(.invalidFrame, "sequence not below 2^53"))
        }
    }

    @Test(arguments: [
        (53.5, 10.0, 6.0, true), (90, 180, -400, true), (-90, -180, 0, true), (90.01, 0, 0, false),
        (0, 180.01, 0, false),
        (.nan, 0, 0, false), (0, .nan, 0, false), (0, 0, .infinity, false),
    ])
    func aPlaceIsOnEarth(latitude: Double, longitude: Double, altitude: Double, isSound: Bool) {
        var frame = frame()
        frame.place = GeoPosition(latitude: latitude, longitude: longitude, altitude: altitude)
        #expect((rejection(frame) == nil) == isSound)
    }

    @Test func samplesCanBeCutAndRead() {
        let counts = Samples.counts([1, 2, 3, 4], scale: 0.5, offset: 10)
        #expect(counts.slice(1..<3) == .counts([2, 3], scale: 0.5, offset: 10))
        #expect(counts[3] == 12 && counts.count == 4)
        let floats = Samples.floats([1, 2, 3])
        #expect(floats.slice(0..<3) == floats && floats.slice(2..<3) == .floats([3]) && floats[0] == 1)
        #expect(Samples.value(7).slice(0..<1) == .value(7) && Samples.value(7)[0] == 7)
    }

    @Test func aFrameKnowsItsLengthAndSpan() throws {
        var frame = frame(3, rate: try rate(2))
        frame.blocks.append(Block(channel: .number(1), samples: .value(1)))
        #expect(frame.sampleCount == 4 && frame.length == 3 && frame.spanNanoseconds == 1_000_000_000)
        frame.rate = nil
        #expect(frame.spanNanoseconds == 0)
    }

    @Test func positionsAreOrderedByBootThenSequence() {
        #expect(FramePosition(boot: 1, sequence: 9) < FramePosition(boot: 2, sequence: 0))
        #expect(FramePosition(boot: 1, sequence: 8) < FramePosition(boot: 1, sequence: 9))
    }
}
