import Simulation
import Testing

@testable import Model
@testable import Time

@Suite struct LedgerCacheTests {
    private let key = LedgerCache.Key(sensor: 1, boot: 10)

    private func loaded(_ keys: [LedgerCache.Key]) -> LedgerCache {
        var cache = LedgerCache()
        for key in keys { cache.load(key, LedgerCache.Entry(ledger: SequenceLedger(), version: 0)) }
        return cache
    }

    @Test func whatIsNotLoadedIsNamedInOrder() {
        let keys = [(2, 1), (1, 9), (1, 2), (3, 0)].map { LedgerCache.Key(sensor: $0.0, boot: $0.1) }
        var cache = LedgerCache()
        cache.load(keys[3], LedgerCache.Entry(ledger: SequenceLedger(), version: 4))
        #expect(cache.unknown(among: Set(keys)) == [keys[2], keys[1], keys[0]])
        cache.forget([keys[3]])
        #expect(cache.unknown(among: [keys[3]]) == [keys[3]])
    }

    @Test func aBatchIsCountedAndCommitted() throws {
        var cache = loaded([key])
        #expect(cache.changes.isEmpty)
        #expect([0, 1, 1, 3, 0].map { cache.note(key, $0) } == [.new, .new, .duplicate, .new, .duplicate])
        let change = try #require(cache.changes.first)
        #expect(cache.changes.count == 1 && change.key == key && change.version == 0)
        #expect(change.frames == 3 && change.duplicates == 2 && change.ledger.next == 4)
        #expect(change.gapsAdded == [SequenceGap(2...2)] && change.gapsRemoved.isEmpty)
        cache.commit()
        #expect(cache.changes.isEmpty)
        #expect(cache.note(key, 2) == .late)
        let next = try #require(cache.changes.first)
        #expect(next.version == 1 && next.gapsAdded.isEmpty && next.gapsRemoved == [SequenceGap(2...2)])
    }

    /// What is left of a hole, or is joined of several, is known since the first of them was.
    @Test func holesKeepTheTimeThatTheyWereNoted() throws {
        let times = (0..<4).map { Timestamp(unixMilliseconds: 1_763_728_440_000 + $0) }
        var change = LedgerCache.Change(key: key, version: 1, ledger: SequenceLedger())
        change.gapsRemoved = [SequenceGap(0...9), SequenceGap(20...20), SequenceGap(30...39)]
        change.gapsAdded = [SequenceGap(0...20, missing: 11), SequenceGap(30...31), SequenceGap(33...39)]
        change.gapsAdded.append(SequenceGap(50...51))
        #expect(
            change.notedAt([0: times[2], 20: times[1], 30: times[3]]) == [times[1], times[3], times[3], nil])
        #expect(change.notedAt([:]) == [nil, nil, nil, nil])
        change.gapsRemoved = []
        #expect(change.notedAt([0: times[0]]) == [nil, nil, nil, nil])
    }

    @Test func whatIsRolledBackComesAgain() throws {
        var cache = loaded([key])
        _ = cache.note(key, 0)
        cache.commit()
        #expect(cache.note(key, 1) == .new)
        cache.rollBack()
        #expect(cache.changes.isEmpty)
        #expect(cache.note(key, 1) == .new && cache.note(key, 0) == .duplicate)
        #expect(try #require(cache.changes.first).version == 1)
    }

    @Test func changesAreInOrderOfTheKeys() {
        let keys = [(2, 1), (1, 9), (1, 2)].map { LedgerCache.Key(sensor: $0.0, boot: $0.1) }
        var cache = loaded(keys)
        for key in keys { _ = cache.note(key, 0) }
        #expect(cache.changes.map(\.key) == keys.sorted())
    }

    /// What the database does with a change: remove some gaps, add others. It must end with the ledger's own list,
    /// whatever is committed or rolled back in between.
    @Test(arguments: 0..<40)
    func removedAndAddedGapsGiveTheNewList(round: UInt64) {
        var random = SplitMix64(seed: round)
        let keys = (0..<3).map { LedgerCache.Key(sensor: SensorID(rawValue: $0), boot: 1) }
        var cache = loaded(keys)
        var stored: [LedgerCache.Key: Set<SequenceGap>] = [:]
        var versions: [LedgerCache.Key: Int64] = [:]
        var seen: [LedgerCache.Key: Set<Int64>] = [:]
        for _ in 0..<40 {
            var batch = seen
            for _ in 0..<Int.random(in: 0...20, using: &random) {
                let key = keys[Int.random(in: 0..<3, using: &random)]
                let sequence = Int64.random(in: 0...120, using: &random)
                let isFresh = batch[key, default: []].insert(sequence).inserted
                #expect((cache.note(key, sequence) != .duplicate) == isFresh)
            }
            guard Bool.random(using: &random) else {
                cache.rollBack()
                continue
            }
            for change in cache.changes {
                #expect(change.version == versions[change.key, default: 0])
                versions[change.key] = change.version + 1
                #expect(stored[change.key, default: []].isSuperset(of: change.gapsRemoved))
                #expect(stored[change.key, default: []].isDisjoint(with: change.gapsAdded))
                stored[change.key, default: []].subtract(change.gapsRemoved)
                stored[change.key, default: []].formUnion(change.gapsAdded)
                #expect(stored[change.key, default: []] == Set(change.ledger.gaps))
                let before = seen[change.key, default: []]
                #expect(change.frames == batch[change.key, default: []].count - before.count)
            }
            cache.commit()
            seen = batch
        }
    }

    private func place(_ offset: Int64, incarnation: Int64 = 1) -> StreamPosition {
        StreamPosition(incarnation: incarnation, offset: offset)
    }

    @Test func aGapOverAHoleOfTheStreamHasItsCause() throws {
        var cache = loaded([key])
        cache.load(StreamGaps([StreamGap(first: place(10), cause: .brokerRetention)]))
        for (sequence, offset) in [(0, 5), (2, 9), (4, 20), (6, 21)] as [(Int64, Int64)] {
            #expect(cache.note(key, sequence, at: place(offset)) == .new)
        }
        let change = try #require(cache.changes.first)
        #expect(
            change.gapsAdded == [SequenceGap(1...1), SequenceGap(3...3, cause: .brokerRetention), SequenceGap(5...5)])
        #expect(change.first == place(5) && change.last == place(21))
    }

    @Test func aHoleOfTheBatchCountsOnceForEachBoot() throws {
        let other = LedgerCache.Key(sensor: 2, boot: 10)
        var cache = loaded([key, other])
        _ = cache.note(key, 0, at: place(1))
        cache.commit()
        for isKept in [false, true] {
            cache.note(StreamGap(first: place(2), cause: .brokerRetention))
            // The second boot has begun in the hole.
            _ = cache.note(key, 5, at: place(8))
            _ = cache.note(other, 3, at: place(9))
            _ = cache.note(key, 7, at: place(10))
            _ = cache.note(other, 5, at: place(11))
            let gaps = cache.changes.map(\.gapsAdded)
            #expect(gaps[0] == [SequenceGap(1...4, cause: .brokerRetention), SequenceGap(6...6)])
            #expect(gaps[1] == [SequenceGap(0...2, cause: .brokerRetention), SequenceGap(4...4)])
            if isKept { cache.commit() } else { cache.rollBack() }
        }
        // A boot that begins later has not lost its first frames there, as far as is known here.
        let later = LedgerCache.Key(sensor: 3, boot: 1)
        _ = cache.note(later, 2, at: place(12))
        #expect(cache.changes.first?.gapsAdded == [SequenceGap(0...1)])
    }

    @Test func framesOfTheStreamBeforeHaveGoneWithIt() throws {
        var cache = LedgerCache()
        cache.load(key, LedgerCache.Entry(ledger: SequenceLedger(next: 5), version: 3, last: place(70)))
        cache.load(StreamGaps([StreamGap(first: place(71), cause: .streamReset)]))
        #expect(cache.note(key, 8, at: place(0, incarnation: 2)) == .new)
        let change = try #require(cache.changes.first)
        #expect(change.gapsAdded == [SequenceGap(5...7, cause: .streamReset)])
    }

    /// An older state of the broker: what is stored comes again first, and then what followed the loss.
    @Test func framesThatAreReadAgainDoNotHideTheReset() throws {
        var cache = LedgerCache()
        cache.load(key, LedgerCache.Entry(ledger: SequenceLedger(next: 5), version: 3, last: place(70)))
        cache.load(StreamGaps([StreamGap(first: place(71), cause: .streamReset)]))
        for sequence in 0..<4 as Range<Int64> {
            #expect(cache.note(key, sequence, at: place(sequence, incarnation: 2)) == .duplicate)
        }
        #expect(cache.note(key, 8, at: place(4, incarnation: 2)) == .new)
        let change = try #require(cache.changes.first)
        #expect(change.gapsAdded == [SequenceGap(5...7, cause: .streamReset)])
    }

    /// A frame that comes back out of quarantine stands in no place of the stream.
    @Test func aFrameWithoutAPlaceLeavesThePlaceAsItWas() throws {
        var cache = LedgerCache()
        cache.load(key, LedgerCache.Entry(ledger: SequenceLedger(next: 5), version: 3, last: place(70)))
        cache.load(StreamGaps([StreamGap(first: place(1), cause: .streamReset)]))
        #expect(cache.note(key, 8) == .new)
        let change = try #require(cache.changes.first)
        #expect(change.gapsAdded == [SequenceGap(5...7)] && change.first == nil && change.last == place(70))
    }

    @Test func framesInAJoinedGapAreGivenUp() throws {
        var cache = LedgerCache()
        let ledger = SequenceLedger(next: 100, gaps: [SequenceGap(0...9, missing: 4)])
        cache.load(key, LedgerCache.Entry(ledger: ledger, version: 1))
        #expect(cache.note(key, 3) == .unknown && cache.note(key, 10) == .duplicate)
        let change = try #require(cache.changes.first)
        #expect(change.givenUp == 1 && change.duplicates == 1 && change.frames == 0)
        #expect(change.gapsAdded.isEmpty && change.gapsRemoved.isEmpty)
    }

    @Test func aCacheOfTooManyGapsForgetsThem() {
        var cache = LedgerCache()
        let gaps = (0..<Int64(SequenceLedger.gapsMax)).map { SequenceGap(($0 * 2)...($0 * 2)) }
        let keys = (0...Int32(LedgerCache.gapsMax / gaps.count)).map {
            LedgerCache.Key(sensor: SensorID(rawValue: $0), boot: 0)
        }
        let entry = LedgerCache.Entry(ledger: SequenceLedger(next: 1_000_000, gaps: gaps), version: 1)
        for key in keys.dropLast() { cache.load(key, entry) }
        cache.commit()
        #expect(cache.unknown(among: Set(keys)) == [keys[keys.count - 1]])
        for key in keys { cache.load(key, entry) }
        cache.commit()
        #expect(cache.unknown(among: Set(keys)) == keys)
    }

    @Test func aCacheOfTooManyLedgersForgetsThem() {
        var cache = LedgerCache()
        let entry = LedgerCache.Entry(ledger: SequenceLedger(), version: 0)
        for number in 0...Int32(LedgerCache.entriesMax) {
            cache.load(LedgerCache.Key(sensor: SensorID(rawValue: number), boot: 0), entry)
        }
        let first = LedgerCache.Key(sensor: 0, boot: 0)
        #expect(cache.unknown(among: [first]).isEmpty)
        cache.commit()
        #expect(cache.unknown(among: [first]) == [first])
    }
}
