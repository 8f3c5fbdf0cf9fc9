import Sensors
import Testing

@Suite struct LedgerBookTests {
    private let key = LedgerBook.Key(sensor: 1, boot: 10)

    private func loaded(_ keys: [LedgerBook.Key]) -> LedgerBook {
        var book = LedgerBook()
        for key in keys { book.load(key, LedgerBook.Entry(ledger: SequenceLedger(), version: 0)) }
        return book
    }

    @Test func whatIsNotLoadedIsNamedInOrder() {
        let keys = [(2, 1), (1, 9), (1, 2), (3, 0)].map { LedgerBook.Key(sensor: $0.0, boot: $0.1) }
        var book = LedgerBook()
        book.load(keys[3], LedgerBook.Entry(ledger: SequenceLedger(), version: 4))
        #expect(book.unknown(among: Set(keys)) == [keys[2], keys[1], keys[0]])
        book.forget([keys[3]])
        #expect(book.unknown(among: [keys[3]]) == [keys[3]])
    }

    @Test func aBatchIsCountedAndCommitted() throws {
        var book = loaded([key])
        #expect(book.changes.isEmpty)
        #expect([0, 1, 1, 3, 0].map { book.note(key, $0) } == [.new, .new, .duplicate, .new, .duplicate])
        let change = try #require(book.changes.first)
        #expect(book.changes.count == 1 && change.key == key && change.version == 0)
        #expect(change.frames == 3 && change.duplicates == 2 && change.ledger.next == 4)
        #expect(change.gapsAdded == [2...2] && change.gapsRemoved.isEmpty)
        book.commit()
        #expect(book.changes.isEmpty)
        #expect(book.note(key, 2) == .late)
        let next = try #require(book.changes.first)
        #expect(next.version == 1 && next.gapsAdded.isEmpty && next.gapsRemoved == [2...2])
    }

    @Test func whatIsRolledBackComesAgain() throws {
        var book = loaded([key])
        _ = book.note(key, 0)
        book.commit()
        #expect(book.note(key, 1) == .new)
        book.rollBack()
        #expect(book.changes.isEmpty)
        #expect(book.note(key, 1) == .new && book.note(key, 0) == .duplicate)
        #expect(try #require(book.changes.first).version == 1)
    }

    @Test func changesAreInOrderOfTheKeys() {
        let keys = [(2, 1), (1, 9), (1, 2)].map { LedgerBook.Key(sensor: $0.0, boot: $0.1) }
        var book = loaded(keys)
        for key in keys { _ = book.note(key, 0) }
        #expect(book.changes.map(\.key) == keys.sorted())
    }

    /// What the database does with a change: remove some gaps, add others. It must end with the ledger's own list,
    /// whatever is committed or rolled back in between.
    @Test(arguments: 0..<40)
    func removedAndAddedGapsGiveTheNewList(round: UInt64) {
        var random = Seeded(round)
        let keys = (0..<3).map { LedgerBook.Key(sensor: Int32($0), boot: 1) }
        var book = loaded(keys)
        var stored: [LedgerBook.Key: Set<ClosedRange<Int64>>] = [:]
        var versions: [LedgerBook.Key: Int64] = [:]
        var seen: [LedgerBook.Key: Set<Int64>] = [:]
        for _ in 0..<40 {
            var batch = seen
            for _ in 0..<Int.random(in: 0...20, using: &random) {
                let key = keys[Int.random(in: 0..<3, using: &random)]
                let sequence = Int64.random(in: 0...120, using: &random)
                let isFresh = batch[key, default: []].insert(sequence).inserted
                #expect((book.note(key, sequence) != .duplicate) == isFresh)
            }
            guard Bool.random(using: &random) else {
                book.rollBack()
                continue
            }
            for change in book.changes {
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
            book.commit()
            seen = batch
        }
    }

    @Test func aBookOfTooManyLedgersForgetsThem() {
        var book = LedgerBook()
        let entry = LedgerBook.Entry(ledger: SequenceLedger(), version: 0)
        for sensor in 0...Int32(LedgerBook.entriesMax) { book.load(LedgerBook.Key(sensor: sensor, boot: 0), entry) }
        let first = LedgerBook.Key(sensor: 0, boot: 0)
        #expect(book.unknown(among: [first]).isEmpty)
        book.commit()
        #expect(book.unknown(among: [first]) == [first])
    }
}
