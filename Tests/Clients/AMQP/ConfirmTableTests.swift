import Simulation
import Testing

@testable import AMQP
@testable import Broker

@Suite struct ConfirmTableTests {
    private func place(_ position: Int, batch: Int = 0) -> ConfirmTable.Slot {
        ConfirmTable.Slot(batch: batch, position: position)
    }

    /// A table of `count` publishes of batch 0.
    private func table(_ count: Int) -> ConfirmTable {
        var table = ConfirmTable()
        for position in 0..<count { #expect(table.add(place(position)) == UInt64(position + 1)) }
        return table
    }

    private func positions(_ settled: [ConfirmTable.Settled]) -> [Int] { settled.map(\.place.position) }

    @Test func oneConfirmForAllUpToIt() {
        var table = table(5)
        let first = table.settle(3, multiple: true, ok: true)
        #expect(positions(first) == [0, 1, 2] && first.allSatisfy { $0.outcome == .confirmed })
        #expect(table.count == 2)
        #expect(positions(table.settle(5, multiple: true, ok: true)) == [3, 4] && table.count == 0)
    }

    @Test func singleConfirmsInAnyOrder() {
        var table = table(4)
        for tag in [3, 1, 4, 2] as [UInt64] {
            #expect(
                table.settle(tag, multiple: false, ok: true) == [.init(place: place(Int(tag) - 1), outcome: .confirmed)]
            )
        }
        #expect(table.count == 0 && table.nextTag == 5)
    }

    @Test func aMultipleConfirmPassesOverWhatIsSettled() {
        var table = table(5)
        _ = table.settle(2, multiple: false, ok: true)
        _ = table.settle(4, multiple: false, ok: false)
        #expect(positions(table.settle(5, multiple: true, ok: true)) == [0, 2, 4])
    }

    @Test func refusalsAreToldApart() {
        var table = table(3)
        #expect(table.settle(2, multiple: true, ok: false).map(\.outcome) == [.refused, .refused])
        #expect(table.settle(3, multiple: false, ok: true).map(\.outcome) == [.confirmed])
    }

    @Test func whatWasReturnedIsUnroutable() {
        var table = table(3)
        table.noteReturn(of: 2)
        #expect(table.settle(3, multiple: true, ok: true).map(\.outcome) == [.confirmed, .unroutable, .confirmed])
        // A refusal of a returned message is a refusal: it is to be published again.
        _ = table.add(place(9))
        table.noteReturn(of: 4)
        #expect(table.settle(4, multiple: false, ok: false).map(\.outcome) == [.refused])
    }

    @Test(arguments: [0, 4, 100, UInt64.max], [false, true])
    func tagsThatWereNeverGivenSettleNothing(tag: UInt64, multiple: Bool) {
        var table = table(3)
        table.noteReturn(of: tag)
        #expect(table.settle(tag, multiple: multiple, ok: true).isEmpty && table.count == 3)
        #expect(table.settle(3, multiple: true, ok: true).allSatisfy { $0.outcome == .confirmed })
    }

    @Test func aTagSettlesOnce() {
        var table = table(3)
        _ = table.settle(3, multiple: true, ok: true)
        for tag in UInt64(1)...3 {
            #expect(
                table.settle(tag, multiple: false, ok: true).isEmpty
                    && table.settle(tag, multiple: true, ok: false).isEmpty)
        }
    }

    @Test func batchesAreKeptApart() {
        var table = ConfirmTable()
        _ = table.add(place(0, batch: 1))
        _ = table.add(place(0, batch: 2))
        #expect(table.settle(2, multiple: true, ok: true).map(\.place.batch) == [1, 2])
    }

    /// A broker that answers in any way that AMQP allows settles each publish exactly once, and as it answered.
    @Test(arguments: 0..<50)
    func anyAnswersAgreeWithAModel(round: UInt64) {
        var random = SplitMix64(seed: round)
        var table = ConfirmTable()
        var open: [UInt64: Int] = [:]
        var returned: Set<UInt64> = []
        for position in 0..<300 {
            open[table.add(place(position))] = position
            if random.next().isMultiple(of: 10) {
                table.noteReturn(of: table.nextTag - 1)
                returned.insert(table.nextTag - 1)
            }
            guard random.next().isMultiple(of: 2) else { continue }
            let tag = UInt64.random(in: 1..<table.nextTag + 3, using: &random)
            let multiple = Bool.random(using: &random)
            let ok = !random.next().isMultiple(of: 4)
            let isKnown = tag < table.nextTag
            let tags = isKnown ? open.keys.filter { multiple ? $0 <= tag : $0 == tag }.sorted() : []
            let expected = tags.map { tag in
                ConfirmTable.Settled(
                    place: place(open[tag] ?? -1),
                    outcome: !ok ? .refused : returned.contains(tag) ? .unroutable : .confirmed)
            }
            #expect(table.settle(tag, multiple: multiple, ok: ok) == expected)
            for tag in tags { open[tag] = nil }
            #expect(table.count == open.count)
        }
    }
}

@Suite struct BrokerTextsTests {
    @Test func errorsSayWhatHappened() {
        #expect(BrokerError.unreachable("no such host").description == "no such host")
        #expect(
            BrokerError.rejected(operation: "declare logs", code: 406, text: "inequivalent arg").description
                == "declare logs: 406 inequivalent arg")
        #expect(BrokerError.cancelled(queue: "logs").description == "the broker cancelled the consumer of logs")
    }
}
