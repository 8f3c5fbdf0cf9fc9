import Model
import Simulation
import Testing

@Suite struct SequenceLedgerTests {
    /// What a ledger stands for: the set of all that came.
    private struct Model {
        var seen: Set<Int64> = []

        mutating func note(_ sequence: Int64) -> SequenceLedger.Verdict {
            if seen.contains(sequence) { return .duplicate }
            let isNew = sequence > (seen.max() ?? -1)
            seen.insert(sequence)
            return isNew ? .new : .late
        }

        var gaps: [ClosedRange<Int64>] {
            var gaps: [ClosedRange<Int64>] = []
            var next: Int64 = 0
            for sequence in seen.sorted() {
                if sequence > next { gaps.append(next...(sequence - 1)) }
                next = sequence + 1
            }
            return gaps
        }
    }

    @Test(arguments: 0..<10)
    func anyOrderAndAnyRepeatAgreesWithASet(round: UInt64) {
        var random = SplitMix64(seed: round)
        var ledger = SequenceLedger()
        var model = Model()
        for _ in 0..<200 {
            let sequence = Int64.random(in: 0...(round.isMultiple(of: 2) ? 60 : 400), using: &random)
            #expect(ledger.note(sequence) == model.note(sequence))
            #expect(ledger.ranges == model.gaps)
            #expect(ledger.next == (model.seen.max() ?? -1) + 1)
            #expect(ledger.missing == ledger.next - Int64(model.seen.count))
        }
    }

    @Test func aShuffledBootWithRepeatsEndsWithoutGaps() {
        var random = SplitMix64(seed: 9)
        var ledger = SequenceLedger()
        var stored = 0
        for sequence in (Array(0..<500) + Array(0..<500)).shuffled(using: &random) {
            if ledger.note(Int64(sequence)) != .duplicate { stored += 1 }
        }
        #expect(stored == 500 && ledger.gaps.isEmpty && ledger.next == 500)
    }

    @Test func aGapClosesFromEveryside() {
        var ledger = SequenceLedger(next: 10, gaps: [SequenceGap(2...6, cause: .streamReset)])
        #expect(ledger.note(2) == .late && ledger.ranges == [3...6])
        #expect(ledger.note(6) == .late && ledger.ranges == [3...5])
        #expect(ledger.note(4) == .late && ledger.ranges == [3...3, 5...5])
        #expect(ledger.gaps.allSatisfy { $0.cause == .streamReset && !$0.isJoined && $0.missing == 1 })
        #expect(ledger.note(3) == .late && ledger.note(5) == .late && ledger.gaps.isEmpty)
        #expect(ledger.note(4) == .duplicate && ledger.missing == 0 && ledger.next == 10)
    }

    @Test func onlyAFrameThatLeavesSomeOutAsksForTheCause() {
        var ledger = SequenceLedger()
        var asked = 0
        func note(_ sequence: Int64) -> SequenceLedger.Verdict {
            ledger.note(sequence) {
                asked += 1
                return .brokerRetention
            }
        }
        #expect(note(0) == .new && note(0) == .duplicate && note(1) == .new && asked == 0)
        #expect(note(5) == .new && asked == 1)
        #expect(ledger.gaps == [SequenceGap(2...4, cause: .brokerRetention)])
        #expect(note(3) == .late && asked == 1)
    }

    /// The oldest gaps are joined over what is stored between them. The number of missing frames stays right, and
    /// nothing within is stored again: neither what is there nor, alas, what is not.
    @Test func beyondTheLimitTheOldestGapsAreJoined() {
        var ledger = SequenceLedger()
        let limit = Int64(SequenceLedger.gapsMax)
        for gap in 0..<limit { #expect(ledger.note(gap * 2 + 1) == .new) }
        #expect(ledger.gaps.count == SequenceLedger.gapsMax && ledger.ranges.prefix(2) == [0...0, 2...2])
        #expect(ledger.missing == limit)
        #expect(ledger.note(limit * 2 + 1) == .new)
        #expect(ledger.gaps.count == SequenceLedger.gapsMax && ledger.ranges.prefix(2) == [0...2, 4...4])
        #expect(ledger.gaps[0].missing == 2 && ledger.gaps[0].isJoined && !ledger.gaps[1].isJoined)
        #expect(ledger.missing == limit + 1)
        for sequence: Int64 in 0...2 { #expect(ledger.note(sequence) == .unknown) }
        #expect(ledger.note(3) == .duplicate && ledger.missing == limit + 1)
        for gap in 1...5000 { _ = ledger.note((limit + Int64(gap)) * 2 + 1) }
        #expect(ledger.gaps.count == SequenceLedger.gapsMax && ledger.missing == limit + 5001)
        #expect(zip(ledger.ranges, ledger.ranges.dropFirst()).allSatisfy { $0.upperBound + 1 < $1.lowerBound })
        #expect(ledger.gaps.dropFirst().allSatisfy { !$0.isJoined })
    }

    @Test func joinedGapsKeepACauseThatTheyShare() {
        let limit = Int64(SequenceLedger.gapsMax)
        var ledger = SequenceLedger(
            next: limit * 10,
            gaps: (0..<limit).map { SequenceGap(($0 * 10)...($0 * 10 + 2), cause: $0 < 2 ? .streamReset : .late) })
        #expect(ledger.note(501) == .late)
        #expect(ledger.gaps[0] == SequenceGap(0...12, missing: 6, cause: .streamReset))
        #expect(ledger.note(601) == .late)
        #expect(ledger.gaps[0] == SequenceGap(0...22, missing: 9, cause: .late))
        #expect(ledger.gaps.count == SequenceLedger.gapsMax)
        #expect(ledger.ranges.contains(500...500) && ledger.ranges.contains(502...502))
    }

    @Test func aBootThatBeginsLateHasAGapFromZero() {
        var ledger = SequenceLedger()
        #expect(ledger.note(1_000_000_000_000) == .new)
        #expect(ledger.ranges == [0...999_999_999_999] && ledger.missing == 1_000_000_000_000)
    }

    @Test func theHighestSequenceOfAValidFrameIsNoted() {
        var ledger = SequenceLedger()
        #expect(ledger.note(.max - 1) == .new)
        #expect(ledger.next == .max && ledger.missing == .max - 1)
        #expect(ledger.note(.max - 1) == .duplicate)
    }
}

extension SequenceLedger {
    /// The holes without their causes.
    var ranges: [ClosedRange<Int64>] { gaps.map(\.range) }
}
