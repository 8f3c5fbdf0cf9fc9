import Model
import Simulation
import Support
import Testing

@Suite struct BackoffTests {
    /// Always the same jitter: three quarters of the full wait.
    private struct Halves: RandomNumberGenerator {
        mutating func next() -> UInt64 { 1 << 63 }
    }

    @Test func waitsDoubleUpToTheLongest() {
        var random = Halves()
        var backoff = Backoff(first: .milliseconds(100), longest: .seconds(5))
        let waits = (0..<8).map { _ in backoff.next(using: &random) }
        #expect(waits == [75, 150, 300, 600, 1200, 2400, 3750, 3750].map { .milliseconds($0) })
        backoff.reset()
        #expect(backoff.next(using: &random) == .milliseconds(75))
    }

    @Test func everyWaitIsBetweenHalfAndAllOfTheFullOne() {
        var random = SplitMix64(seed: 4)
        var seen: Set<Duration> = []
        for _ in 0..<200 {
            var backoff = Backoff(first: .seconds(1), longest: .seconds(10))
            for full in [1.0, 2, 4, 8, 10, 10] {
                let wait = backoff.next(using: &random)
                #expect(wait >= .seconds(full / 2) && wait <= .seconds(full))
                seen.insert(wait)
            }
        }
        #expect(seen.count > 1000, "jitter")
    }

    @Test func aThousandFailuresDoNotOverflow() {
        var backoff = Backoff(first: .seconds(3600), longest: .seconds(86_400))
        for _ in 0..<1000 { #expect(backoff.next() <= .seconds(86_400)) }
    }
}

@Suite struct FingerprintTests {
    /// Test vectors of draft-eastlake-fnv, 64-bit FNV-1a.
    @Test(
        arguments: [
            ("", 0xCBF2_9CE4_8422_2325), ("a", 0xAF63_DC4C_8601_EC8C), ("b", 0xAF63_DF4C_8601_F1A5),
            ("fo", 0x0898_5907_B541_D342), ("foo", 0xDCB2_7518_FED9_D577), ("foobar", 0x8594_4171_F739_67E8),
        ] as [(String, UInt64)])
    func knownVectors(text: String, hash: UInt64) {
        #expect(Fingerprint.payload(Array(text.utf8)) == Int64(bitPattern: hash))
    }

    @Test func aMessageIsItsKeyAZeroAndItsBody() {
        #expect(Fingerprint.message(key: "ab", body: [3]) == Fingerprint.payload([97, 98, 0, 3]))
        #expect(Fingerprint.message(key: "a", body: [98]) != Fingerprint.message(key: "ab", body: []))
        #expect(Fingerprint.message(key: "", body: []) != Fingerprint.payload([]))
    }

    @Test func partsAddUp() {
        var fingerprint = Fingerprint()
        fingerprint.add("foo".utf8)
        fingerprint.add([])
        fingerprint.add("bar".utf8)
        #expect(fingerprint.value == Fingerprint.payload(Array("foobar".utf8)))
    }
}

@Suite struct StreamCursorTests {
    /// Messages whose fingerprint is their offset.
    private func verdicts(_ cursor: StreamCursor, _ offsets: [Int64]) -> [StreamCursor.Verdict] {
        var cursor = cursor
        return offsets.map { offset in cursor.note(offset: offset, fingerprint: { offset }) }
    }

    private let fresh = StreamCursor(committed: nil, fingerprint: nil)
    private let resumed = StreamCursor(committed: 10, fingerprint: 10)

    @Test func aNewStreamIsReadFromItsBeginning() {
        #expect(verdicts(fresh, [0, 1, 2]) == [.take, .take, .take])
        // What retention dropped before it was first read is a hole too.
        #expect(verdicts(fresh, [500, 501]) == [.takeAfterHole(0...499), .take])
    }

    @Test func readingResumesAtTheLastStoredMessageAndSkipsIt() {
        #expect(verdicts(resumed, [10, 11, 12]) == [.skip, .take, .take])
    }

    @Test func theRestOfTheChunkBeforeItIsSkipped() {
        #expect(verdicts(resumed, [7, 8, 9, 10, 11]) == [.skip, .skip, .skip, .skip, .take])
    }

    @Test func theNextMessageAloneWillDo() {
        #expect(verdicts(resumed, [11, 12]) == [.take, .take])
    }

    @Test func whatRetentionDroppedIsAHole() {
        #expect(verdicts(resumed, [15, 16]) == [.takeAfterHole(11...14), .take])
        #expect(verdicts(resumed, [10, 13, 14]) == [.skip, .takeAfterHole(11...12), .take])
        #expect(verdicts(fresh, [0, 3]) == [.take, .takeAfterHole(1...2)])
    }

    /// The first entry of a segment has an offset and is no message.
    @Test func oneOffsetThatIsMissingIsNoHole() {
        #expect(verdicts(fresh, [0, 2, 3, 5]) == [.take, .take, .take, .take])
        #expect(verdicts(resumed, [10, 12, 13]) == [.skip, .take, .take])
        #expect(verdicts(resumed, [12]) == [.take])
    }

    @Test func whatComesAgainIsSkipped() {
        #expect(verdicts(fresh, [0, 1, 0, 1, 2]) == [.take, .take, .skip, .skip, .take])
        #expect(verdicts(resumed, [10, 11, 10, 12]) == [.skip, .take, .skip, .take])
    }

    @Test func anotherMessageAtTheSameOffsetIsAnotherStream() {
        var cursor = StreamCursor(committed: 10, fingerprint: 99)
        #expect(cursor.note(offset: 9, fingerprint: { 9 }) == .skip)
        #expect(cursor.note(offset: 10, fingerprint: { 10 }) == .reset)
    }

    @Test func withoutAStoredFingerprintTheOffsetDecides() {
        #expect(verdicts(StreamCursor(committed: 10, fingerprint: nil), [10, 11]) == [.skip, .take])
    }

    @Test func theFingerprintIsOnlyReckonedWhereItDecides() {
        var cursor = StreamCursor(committed: 10, fingerprint: 10)
        var reckoned = 0
        for offset in Int64(8)...20 {
            _ = cursor.note(offset: offset) {
                reckoned += 1
                return offset
            }
        }
        #expect(reckoned == 1)
    }

    @Test(arguments: [(nil, true), (11, false), (10, false), (9, true), (0, true)] as [(Int64?, Bool)])
    func aTailBelowWhatIsStoredIsAnotherStream(tail: Int64?, isReset: Bool) {
        #expect(resumed.isReset(tail: tail) == isReset)
        #expect(!fresh.isReset(tail: tail))
    }

    /// Any stream, any crash: each message is taken exactly once, whatever chunk the broker resumes with.
    @Test(arguments: 0..<20)
    func restartsTakeEachMessageOnce(round: UInt64) {
        var random = SplitMix64(seed: round)
        var committed: Int64?
        var taken: [Int64] = []
        while taken.count < 300 {
            var cursor = StreamCursor(committed: committed, fingerprint: committed)
            let begin = max(0, (committed ?? 0) - Int64.random(in: 0...5, using: &random))
            for offset in begin..<(begin + Int64.random(in: 1...40, using: &random)) {
                if cursor.note(offset: offset, fingerprint: { offset }) == .take {
                    taken.append(offset)
                    committed = offset
                }
            }
        }
        #expect(taken == Array(0..<Int64(taken.count)))
    }
}
