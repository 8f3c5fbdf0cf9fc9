import Model
import Testing
import Time

@testable import Simulation

@Suite struct SampleRingTests {
    /// A piece of `count` floats at 1 kHz whose values are their numbers.
    private func piece(_ first: Int64, _ count: Int) throws -> RecordedPiece {
        RecordedPiece(
            first: first, start: origin.advanced(byNanoseconds: first * 1_000_000), rate: try rate(1000),
            samples: [.floats((0..<count).map { Float(first) + Float($0) })])
    }

    private func numbers(_ pieces: [RecordedPiece]) -> [Int64] {
        pieces.flatMap { piece in (0..<piece.count).map { Int64(piece.samples[0][$0]) } }
    }

    @Test func holdsAsMuchAsTheSpanAllows() throws {
        var ring = SampleRing(nanosecondsMax: 1_000_000_000, bytesMax: .max)
        for index in 0..<500 { ring.append(try piece(Int64(index) * 100, 100)) }
        // 50 s in; a piece leaves when its last sample is a second older than the newest.
        #expect(ring.count == 10)
        #expect(ring.first(from: origin)?.number == 49_000)
        #expect(ring.first(from: after(49.5))?.number == 49_500)
        #expect(ring.first(from: after(49.5001))?.number == 49_501, "the first that is not older")
        #expect(ring.first(from: after(49.999))?.time == after(49.999))
        #expect(ring.first(from: after(49.9991)) == nil)
    }

    @Test func holdsAsMuchAsTheBytesAllow() throws {
        let size = SampleRing.overhead.piece + SampleRing.overhead.channel + 400
        var ring = SampleRing(nanosecondsMax: .max, bytesMax: 3 * size)
        for index in 0..<100 {
            ring.append(try piece(Int64(index) * 100, 100))
            #expect(ring.bytes <= 3 * size && ring.count == min(3, index + 1))
        }
        #expect(ring.first(from: origin)?.number == 9700)
        // The newest piece stays even if it is too large.
        ring.append(try piece(10_000, 1000))
        #expect(ring.count == 1 && ring.first(from: origin)?.number == 10_000)
        ring.removeAll()
        #expect(ring.count == 0 && ring.bytes == 0)
    }

    /// Ranges in any order: each sample is taken once, with its time.
    @Test func nothingIsTakenTwice() throws {
        var random = SplitMix64(seed: 5)
        for _ in 0..<50 {
            var ring = SampleRing(nanosecondsMax: .max, bytesMax: .max)
            for index in 0..<10 { ring.append(try piece(Int64(index) * 100, 100)) }
            var taken = Set<Int64>()
            var wanted = Set<Int64>()
            for _ in 0..<12 {
                let lower = Int64(random.next() % 900)
                let range = lower..<lower + 1 + Int64(random.next() % 300)
                wanted.formUnion(Set(range).intersection(0..<1000))
                let pieces = ring.take(range)
                let new = numbers(pieces)
                #expect(new == new.sorted() && taken.isDisjoint(with: new))
                #expect(pieces.allSatisfy { $0.start == origin.advanced(byNanoseconds: $0.first * 1_000_000) })
                taken.formUnion(new)
                #expect(taken == wanted)
            }
        }
    }
}
