import Model
import Simulation
import Testing

@testable import Wire

@Suite struct FrameHeaderTests {
    private func header(_ bytes: [UInt8]) -> FrameHeader? { unsafe FrameHeader(bytes.span.bytes) }

    @Test func everyFrameHasOne() {
        var random = SplitMix64(seed: 11)
        for _ in 0..<200 {
            let frame = random.frame()
            let expected = frame.position ?? FramePosition(boot: 0, sequence: 0)
            // Boot 0, which no sensor has, is left out on the wire: then there is nothing to go by.
            #expect(header(FrameCodec.encode(frame))?.position == (expected.boot == 0 ? nil : expected))
        }
    }

    /// schema 2, boot 7, sequence 300, then a field that no release knows, then rubbish.
    private let later: [UInt8] = [8, 2, 17, 7, 0, 0, 0, 0, 0, 0, 0, 24, 0xAC, 2, 0xA2, 6, 3, 1, 2, 3]

    @Test func aLaterSchemaIsReadAsFarAsItIsKnown() {
        #expect(header(later)?.schema == 2)
        #expect(header(later)?.position == FramePosition(boot: 7, sequence: 300))
        #expect(header(later + [0xFF])?.position == FramePosition(boot: 7, sequence: 300))
    }

    /// Cut behind the header the position is there; cut in it there is none, and nothing traps.
    @Test func aCutFrameKeepsItsHeader() {
        for count in 0..<later.count {
            let position = header(Array(later.prefix(count)))?.position
            #expect(position == (count < 14 ? nil : FramePosition(boot: 7, sequence: 300)))
        }
    }

    @Test func whatIsNoFrameHasNone() {
        for bytes in [Array("{\"a\": 1}".utf8), Array("hello".utf8), [], [8], [8, 0], [8, 1], [10, 0xFF, 0xFF]] {
            #expect(header(bytes) == nil)
        }
        // A boot above 2^63 - 1, and a sequence after which there is no other.
        #expect(header([8, 1, 17, 0, 0, 0, 0, 0, 0, 0, 0x80]) == nil)
        let last: [UInt8] = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F]
        #expect(header([8, 1, 17, 1, 0, 0, 0, 0, 0, 0, 0, 24] + last) == nil)
        var random = SplitMix64(seed: 12)
        for _ in 0..<2000 {
            _ = header((0..<Int.random(in: 0...40, using: &random)).map { _ in .random(in: 0...255, using: &random) })
        }
    }

    @Test func aLaterReleaseReadsALaterSchema() throws {
        let frame = SplitMix64.sample
        var bytes = FrameCodec.encode(frame)
        bytes[1] = 3
        #expect(throws: Rejection(.newerSchema, "schema 3, this release knows 2")) {
            try unsafe DataPayload.decode(bytes.span.bytes)
        }
        #expect(try unsafe DataPayload.decode(bytes.span.bytes, newest: 3) == frame)
    }
}
