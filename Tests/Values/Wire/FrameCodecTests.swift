import Model
import Simulation
import Testing
import Time

@testable import Wire

@Suite struct FrameCodecTests {
    private func detail(_ bytes: [UInt8]) -> String {
        switch FrameCodec.read(bytes) {
        case .success(let frame): "\(frame)"
        case .failure(let rejection): "\(rejection)"
        }
    }

    @Test func anyFrameComesBack() {
        var random = SplitMix64(seed: 1)
        for _ in 0..<300 {
            let frame = random.frame()
            #expect(FrameCodec.read(FrameCodec.encode(frame)) == .success(frame))
        }
    }

    @Test func theLargestBlocksComeBack() throws {
        let floats = (0..<FrameLimits.samplesMax).map { Float($0) }
        let counts = (0..<FrameLimits.samplesMax).map { Int16(truncatingIfNeeded: $0) }
        let frame = Frame(
            position: FramePosition(boot: 1, sequence: 1), start: nil, rate: SampleRate(hertz: 48_000),
            blocks: [
                Block(channel: .number(0), samples: .floats(floats)),
                Block(channel: .number(1), samples: .counts(counts, scale: 1, offset: 0)),
            ])
        #expect(FrameCodec.read(FrameCodec.encode(frame)) == .success(frame))
    }

    @Test func notANumberIsKept() throws {
        let samples: [Float] = [.nan, .infinity, -.infinity, 1]
        let frame = Frame(
            position: FramePosition(boot: 1, sequence: 1), start: nil, rate: SampleRate(hertz: 1),
            blocks: [
                Block(channel: .number(0), samples: .floats(samples)),
                Block(channel: .number(1), samples: .value(.nan)),
            ])
        let read = try FrameCodec.read(FrameCodec.encode(frame)).get()
        guard case .floats(let floats) = read.blocks[0].samples, case .value(let value) = read.blocks[1].samples else {
            Issue.record("\(read)")
            return
        }
        #expect(floats.map(\.bitPattern) == samples.map(\.bitPattern) && value.isNaN)
    }

    /// A device that fills in neither boot nor sequence: its frames are not all repeats of the first.
    @Test func anUnnumberedFrameStaysUnnumbered() throws {
        var frame = SplitMix64.sample
        frame.position = nil
        #expect(try FrameCodec.read(FrameCodec.encode(frame)).get() == frame)
        frame.position = FramePosition(boot: 0, sequence: 7)
        #expect(try FrameCodec.read(FrameCodec.encode(frame)).get().position == nil)
    }

    /// Cut anywhere: it is refused, or what is left is a whole, valid frame with fewer blocks.
    @Test func aCutFrameIsNeverTakenForMore() {
        var random = SplitMix64(seed: 2)
        for _ in 0..<20 {
            let frame = random.frame()
            let bytes = FrameCodec.encode(frame)
            for length in 0..<bytes.count {
                guard case .success(let part) = FrameCodec.read(Array(bytes.prefix(length))) else { continue }
                #expect(part.blocks.count < frame.blocks.count || part.captures.count < frame.captures.count)
                #expect(frame.blocks.starts(with: part.blocks) && frame.captures.starts(with: part.captures))
                #expect(part.isCapture == frame.isCapture)
                #expect(part.position == frame.position && part.start == frame.start)
            }
        }
    }

    /// Whatever comes in is refused, or is a frame that keeps the rules and can be written and read again.
    private func expectSound(_ bytes: [UInt8]) {
        guard case .success(let frame) = DataPayload.read(bytes) else { return }
        #expect(throws: Never.self) { try frame.validate() }
        guard frame.position != nil else { return }
        let again = try? FrameCodec.read(FrameCodec.encode(frame)).get()
        #expect(again?.sampleCount == frame.sampleCount && again?.position == frame.position, "\(bytes)")
    }

    @Test func randomBytesNeverCrash() {
        var random = SplitMix64(seed: 3)
        for round in 0..<20_000 {
            var bytes = random.bytes(Int.random(in: 0...60, using: &random))
            // Every other one begins as a frame does, to get further in.
            if round.isMultiple(of: 2) { bytes = [0x08, 0x01] + bytes }
            if round.isMultiple(of: 8) { bytes = Raw.frame([bytes]) }
            expectSound(bytes)
        }
    }

    @Test func flippedBitsNeverCrash() {
        var random = SplitMix64(seed: 4)
        for _ in 0..<40 {
            let bytes = FrameCodec.encode(random.frame())
            for _ in 0..<100 {
                var damaged = bytes
                for _ in 0..<Int.random(in: 1...4, using: &random) {
                    damaged[Int.random(in: 0..<bytes.count, using: &random)] ^=
                        1 << UInt8.random(in: 0...7, using: &random)
                }
                expectSound(damaged)
            }
        }
    }

    /// A length that promises more than there is, for each field that has one.
    @Test(arguments: [UInt64(1) << 31, 1 << 32, .max, 1 << 20])
    func lengthsThatLieAreRefused(length: UInt64) {
        for field in [6, 7, 99] as [UInt64] {
            let bytes = Raw.number(1, 1) + Raw.varint(field << 3 | 2) + Raw.varint(length) + [1, 2, 3]
            #expect(detail(bytes) == "undecodable: not a Frame")
        }
    }

    @Test func unknownFieldsArePassedOver() throws {
        let unknown = Raw.number(100, .max) + Raw.fixed(101, 1) + Raw.bytes(102, [1, 2, 3])
        let plain = Raw.frame([Raw.value(channel: 3, 7)])
        #expect(
            try FrameCodec.read(unknown + Raw.frame([unknown + Raw.value(channel: 3, 7) + unknown]) + unknown).get()
                == FrameCodec.read(plain).get())
    }

    @Test(
        arguments: [
            (Raw.frame([]), "invalid_frame: no blocks"),
            (Raw.frame(schema: 0, [Raw.value(channel: 0)]), "undecodable: a Frame without a schema"),
            ([], "undecodable: a Frame without a schema"),
            (Raw.frame(schema: 3, [Raw.value(channel: 0)]), "newer_schema: schema 3, this release knows 2"),
            (Raw.frame(schema: 3, []), "newer_schema: schema 3, this release knows 2"),
            (Raw.frame(boot: 1 << 63, [Raw.value(channel: 0)]), "invalid_frame: boot_id above 2^63 - 1"),
            (Raw.frame(boot: .max, [Raw.value(channel: 0)]), "invalid_frame: boot_id above 2^63 - 1"),
            (Raw.frame(sequence: 1 << 63, [Raw.value(channel: 0)]), "invalid_frame: sequence above 2^63 - 1"),
            (Raw.frame(sequence: 1 << 53, [Raw.value(channel: 0)]), "invalid_frame: sequence not below 2^53"),
            (Raw.frame([Raw.value(channel: 40_000)]), "invalid_frame: channel 40000, at most 32767"),
            (Raw.frame([Raw.value(channel: 1), Raw.value(channel: 1)]), "invalid_frame: channel number(1) twice"),
            (Raw.frame([Raw.number(1, 0)]), "invalid_frame: a block without samples"),
            (Raw.frame([Raw.bytes(2, [])]), "invalid_frame: 0 samples in a block, 1…65536"),
            (Raw.frame([Raw.bytes(3, Raw.bytes(1, [1, 2, 3]))]), "invalid_frame: half a 16-bit sample"),
            (Raw.frame([Raw.bytes(2, Raw.bytes(1, [1, 2, 3]))]), "undecodable: not a Frame"),
            (Raw.frame((0..<65).map { Raw.value(channel: $0) }), "invalid_frame: 65 blocks"),
            (
                Raw.frame(hertz: .nan, [Raw.bytes(2, Raw.bytes(1, Array(repeating: 0, count: 8)))]),
                "invalid_frame: several samples without a valid rate"
            ),
            (
                Raw.frame([Raw.bytes(2, Raw.bytes(1, Array(repeating: 0, count: 4 * 65_537)))]),
                "invalid_frame: 65537 samples in a block, 1…65536"
            ),
            (
                Raw.frame([Raw.bytes(3, Raw.bytes(1, Array(repeating: 0, count: 2 * 65_537)))]),
                "invalid_frame: 65537 samples in a block, 1…65536"
            ),
            (
                Raw.frame([Raw.value(channel: 0)]) + Raw.bytes(6, Raw.double(1, 91)),
                "invalid_frame: a place that is not on Earth"
            ),
        ] as [([UInt8], String)])
    func faultsAreNamed(bytes: [UInt8], text: String) {
        #expect(detail(bytes) == text)
    }

    /// 1 MiB is the limit of a message, whatever is in it.
    @Test func aMessageHasAMebibyteAtMost() throws {
        let frame = Raw.frame([Raw.value(channel: 0)])
        let head = Raw.varint(99 << 3 | 2)
        let largest =
            frame + head + Raw.varint(UInt64((1 << 20) - frame.count - head.count - 3))
            + Array(repeating: 0, count: (1 << 20) - frame.count - head.count - 3)
        try #require(largest.count == 1 << 20)
        #expect(throws: Never.self) { try FrameCodec.read(largest).get() }
        #expect(detail(largest + [0]) == "too_large: 1048577 bytes")
        #expect(DataPayload.read(largest + [0]) == .failure(Rejection(.tooLarge, "1048577 bytes")))
        #expect(
            DataPayload.read(Array(repeating: 0x7B, count: 20 << 20))
                == .failure(Rejection(.tooLarge, "20971520 bytes")))
    }

    @Test func theLastOfRepeatedFieldsWins() throws {
        let block = Raw.number(1, 3) + Raw.double(4, 1) + Raw.bytes(2, Raw.bytes(1, [0, 0, 0, 0])) + Raw.double(4, 2)
        let frame = try FrameCodec.read(Raw.number(1, 2) + Raw.frame([block])).get()
        #expect(frame.blocks == [Block(channel: .number(3), samples: .value(2))])
    }
}

extension SplitMix64 {
    static var sample: Frame {
        Frame(
            position: FramePosition(boot: 1, sequence: 2), start: Timestamp(unixNanoseconds: 3),
            rate: SampleRate(hertz: 4),
            blocks: [Block(channel: .number(5), samples: .floats([6, 7]))])
    }
}
