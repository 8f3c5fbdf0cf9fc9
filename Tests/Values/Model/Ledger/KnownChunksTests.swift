import Model
import Testing
import Time

@Suite struct KnownChunksTests {
    private static let day: Int64 = 86_400
    private static let start = Timestamp(unixNanoseconds: 1_763_683_200_000_000_000)

    private static func time(_ seconds: Int64) -> Timestamp { start.advanced(bySeconds: seconds) }
    private static func chunk(_ number: Int64) -> Range<Timestamp> { time(number * day)..<time((number + 1) * day) }

    @Test func whatIsNotKnownIsAskedForOnce() {
        var chunks = KnownChunks()
        #expect(chunks.firstUnknown([Self.time(5)]) == Self.time(5))
        chunks.note(Self.chunk(0))
        #expect(chunks.firstUnknown([Self.time(0), Self.time(Self.day - 1)]) == nil)
        #expect(chunks.firstUnknown([Self.time(1), Self.time(Self.day), Self.time(2)]) == Self.time(Self.day))
        #expect(chunks.firstUnknown([Self.time(-1)]) == Self.time(-1))
        #expect(chunks.firstUnknown([Timestamp]()) == nil)
    }

    @Test func chunksMayComeInAnyOrderAndLeaveHoles() {
        var chunks = KnownChunks()
        for number in [7, 2, 9, 0, 3] as [Int64] { chunks.note(Self.chunk(number)) }
        let known = Set<Int64>([7, 2, 9, 0, 3])
        for number in Int64(-1)...11 {
            let inside = Self.time(number * Self.day + 77)
            #expect((chunks.firstUnknown([inside]) == nil) == known.contains(number), "chunk \(number)")
        }
    }

    @Test func touchedChunksAreCountedOnce() {
        var chunks = KnownChunks()
        for number in 0..<20 { chunks.note(Self.chunk(Int64(number))) }
        #expect(chunks.count([Timestamp]()) == 0)
        #expect(chunks.count((0..<1000).map { Self.time(Int64($0)) }) == 1)
        #expect(chunks.count((0..<60).map { Self.time(Int64($0 % 17) * Self.day) }) == 17)
    }

    @Test func theNextChunkIsDueInTheLastTenth() {
        var chunks = KnownChunks()
        #expect(chunks.due(now: Self.time(0)) == nil)
        chunks.note(Self.chunk(0))
        #expect(chunks.due(now: Self.time(Self.day * 9 / 10)) == nil)
        #expect(chunks.due(now: Self.time(Self.day * 9 / 10 + 1)) == Self.time(Self.day))
        chunks.note(Self.chunk(1))
        #expect(chunks.due(now: Self.time(Self.day - 1)) == nil)
    }
}
