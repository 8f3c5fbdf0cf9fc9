import Simulation
import Testing

@testable import Model
@testable import Time

/// Each cause by itself, and who goes first where several fit.
@Suite struct LossAuditTests {
    private static let start = Timestamp(unixMilliseconds: 1_763_728_440_000)

    private func at(_ second: Int64) -> Timestamp { Self.start.advanced(bySeconds: second) }

    private func place(_ offset: Int64, _ incarnation: Int64 = 1) -> StreamPosition {
        StreamPosition(incarnation: incarnation, offset: offset)
    }

    /// A boot with gaps that were noted one second after the other, and whose frames came from `first` to `last`.
    private func stored(
        _ boot: Int64 = 1, next: Int64, _ gaps: [SequenceGap] = [], _ first: Int64 = 0, _ last: Int64 = 100
    ) -> LossAudit.Boot {
        var stored = LossAudit.Stored(next: next, frames: next - gaps.reduce(0) { $0 + $1.missing })
        stored.gaps = gaps.enumerated().map { LossAudit.NotedGap($0.element, at: at(Int64($0.offset) + 1)) }
        stored.stream = "s"
        (stored.first, stored.last) = (place(first), place(last))
        stored.lastAt = at(100)
        return LossAudit.Boot(boot: boot, stored: stored)
    }

    private func announced(_ next: Int64, age: Duration = .seconds(60), dropped: Int64 = 0) -> LossAudit.Announced {
        var announced = LossAudit.Announced(next: next, age: age, at: at(100))
        announced.firstAt = at(0)
        announced.dropped = dropped
        return announced
    }

    private func facts(_ boots: LossAudit.Boot...) -> LossAudit.Facts {
        var facts = LossAudit.Facts()
        facts.boots = boots
        return facts
    }

    private func losses(_ facts: LossAudit.Facts, grace: Duration = LossAudit.grace) -> [[SequenceGap]] {
        LossAudit.audit(facts, grace: grace).map(\.losses)
    }

    private func payload(
        _ second: Int64, _ offset: Int64, _ position: (boot: Int64, sequence: Int64)? = nil
    ) -> LossAudit.Quarantined {
        LossAudit.Quarantined(
            at: at(second), position: position.map { FramePosition(boot: $0.boot, sequence: $0.sequence) }, stream: "s",
            place: place(offset))
    }

    // MARK: counts

    @Test func whatIsCompleteHasNoLosses() {
        var boot = stored(next: 10)
        boot.stored?.duplicates = 3
        boot.stored?.givenUp = 1
        boot.announced = announced(10)
        let result = LossAudit.audit(facts(boot))
        #expect(
            result == [LossAudit.BootAudit(boot: 1, published: 10, stored: 10, duplicates: 3, givenUp: 1, losses: [])])
        #expect(LossAudit.findings(facts(boot)).isEmpty)
        #expect(LossAudit.audit(LossAudit.Facts()).isEmpty)
    }

    @Test func whatWasAnnouncedAndHasNotComeIsLate() {
        var boot = stored(next: 10, [SequenceGap(3...4)])
        boot.announced = announced(14)
        let result = LossAudit.audit(facts(boot))
        #expect(result.first?.losses == [SequenceGap(3...4), SequenceGap(10...13)])
        #expect(result.first?.published == 14 && result.first?.stored == 8 && result.first?.missing == 6)
        #expect(LossAudit.findings(facts(boot)).isEmpty)
    }

    /// Nobody makes so many frames, but a sensor may say so, or have said so to an earlier release.
    @Test func whateverASensorSaysTheSumsDontTrap() {
        let most = Int64.max
        var all = facts()
        all.boots = [
            LossAudit.Boot(boot: 1, announced: announced(most - 1)),
            LossAudit.Boot(boot: 2, announced: announced(most - 1)),
            stored(3, next: most - 1, [SequenceGap(0...(most - 3))]),
        ]
        let results = LossAudit.audit(all)
        #expect(results.map(\.missing) == [most - 1, most - 1, most - 2])
        #expect(results.saturatingSum(\.missing) == most)
        #expect(results.saturatingSum(\.published) == most)
        #expect(results.prefix(1).saturatingSum(\.missing) == most - 1)
        #expect(results.prefix(0).saturatingSum(\.missing) == 0)
    }

    @Test func aStartOfWhichNothingCameIsMissingAltogether() {
        #expect(losses(facts(LossAudit.Boot(boot: 1, announced: announced(5)))) == [[SequenceGap(0...4)]])
        #expect(losses(facts(LossAudit.Boot(boot: 1, announced: announced(0)))) == [[]])
    }

    @Test func whatIsAnnouncedGetsTimeToArrive() {
        var boot = stored(next: 10)
        boot.announced = announced(14, age: .seconds(9))
        #expect(losses(facts(boot)) == [[]])
        #expect(LossAudit.audit(facts(boot)).first?.published == 10)
        #expect(losses(facts(boot), grace: .seconds(9)) == [[SequenceGap(10...13)]])
        // The announcement before was long enough ago.
        boot.announced?.earlierNext = 12
        boot.announced?.earlierAge = .seconds(19)
        #expect(losses(facts(boot)) == [[SequenceGap(10...11)]])
        // After a graceful end, or in a boot that is over, nothing more comes.
        boot.announced?.isStopped = true
        #expect(losses(facts(boot)) == [[SequenceGap(10...13)]])
        boot.announced?.isStopped = false
        #expect(losses(facts(boot, stored(2, next: 1)))[0] == [SequenceGap(10...13, cause: .sensorRestarted)])
    }

    @Test func olderThanWasAskedForIsLeftOut() {
        let old = stored(next: 10, [SequenceGap(3...4), SequenceGap(6...6)])
        #expect(LossAudit.audit(facts(old), since: at(2)).first?.losses == [SequenceGap(6...6)])
        #expect(LossAudit.audit(facts(old), since: at(100)).first?.losses == [])
        #expect(LossAudit.audit(facts(old), since: at(101)).isEmpty)
    }

    // MARK: holes of the stream

    @Test func theIngestersCauseStands() {
        let boot = stored(
            next: 20, [SequenceGap(3...4, cause: .brokerRetention), SequenceGap(6...6, cause: .streamReset)])
        var all = facts(boot, stored(2, next: 1, [], 200, 200))
        all.quarantined = [payload(1, 3, (1, 3)), payload(1, 4)]
        all.boots[0].announced = announced(20, dropped: 5)
        #expect(losses(all)[0] == boot.stored?.gaps.map(\.gap))
        #expect(LossAudit.findings(all).isEmpty)
    }

    @Test func aHoleAtTheEdgeOfABootIsItsCause() {
        var all = facts(stored(1, next: 10, [], 0, 50), stored(2, next: 9, [SequenceGap(0...2)], 70, 80))
        all.boots[0].announced = announced(12)
        all.holes = ["s": [LossAudit.NotedHole(StreamGap(first: place(51), cause: .brokerRetention), at: at(5))]]
        #expect(
            losses(all) == [
                [SequenceGap(10...11, cause: .brokerRetention)], [SequenceGap(0...2, cause: .brokerRetention)],
            ])
        #expect(
            LossAudit.findings(all)
                == [LossAudit.Finding(boot: 2, gap: SequenceGap(0...2, cause: .brokerRetention))])
        // Had the second boot begun before the hole, it would have taken nothing of the first.
        all.boots[1].stored?.first = place(40)
        #expect(losses(all)[0] == [SequenceGap(10...11, cause: .sensorRestarted)])
        // A gap of another stream concerns none of these frames.
        all.holes = ["t": all.holes["s"] ?? []]
        #expect(losses(all) == [[SequenceGap(10...11, cause: .sensorRestarted)], [SequenceGap(0...2)]])
    }

    @Test func aBootBetweenTwoOthersIsGoneWithTheStream() {
        var all = facts(
            stored(1, next: 10, [], 0, 50), LossAudit.Boot(boot: 2, announced: announced(7)),
            stored(3, next: 1, [], 0, 0))
        all.boots[2].stored?.first = place(0, 2)
        all.holes = ["s": [LossAudit.NotedHole(StreamGap(first: place(51), cause: .streamReset), at: at(5))]]
        #expect(losses(all)[1] == [SequenceGap(0...6, cause: .streamReset)])
        all.holes = [:]
        #expect(losses(all)[1] == [SequenceGap(0...6, cause: .sensorRestarted)])
    }

    @Test func withoutABootBeforeOnlyAHoleOfItsTimeIsTheCause() {
        var all = facts(stored(1, next: 10, [SequenceGap(0...4)], 70, 80))
        all.holes = ["s": [LossAudit.NotedHole(StreamGap(first: place(60), cause: .brokerRetention), at: at(5))]]
        #expect(losses(all) == [[SequenceGap(0...4)]])
        all.boots[0].announced = announced(10)
        #expect(losses(all) == [[SequenceGap(0...4, cause: .brokerRetention)]])
        all.boots[0].announced?.firstAt = at(6)
        #expect(losses(all) == [[SequenceGap(0...4)]])
    }

    @Test func theTailBehindAHoleOfTheStreamIsGoneWithIt() {
        var all = facts(stored(next: 10, [], 0, 50))
        all.boots[0].announced = announced(12)
        all.holes = ["s": [LossAudit.NotedHole(StreamGap(first: place(51), cause: .brokerRetention), at: at(5))]]
        #expect(losses(all) == [[SequenceGap(10...11, cause: .brokerRetention)]])
        all.boots[0].stored?.last = place(90)
        #expect(losses(all) == [[SequenceGap(10...11)]])
    }

    // MARK: quarantine

    @Test func aPayloadWithANumberIsThatFrame() {
        var all = facts(stored(next: 20, [SequenceGap(3...7), SequenceGap(9...9)]))
        all.quarantined = [payload(1, 5, (1, 5)), payload(1, 6, (1, 6)), payload(1, 9, (1, 9))]
        #expect(
            losses(all)[0] == [
                SequenceGap(3...4), SequenceGap(5...6, cause: .quarantined), SequenceGap(7...7),
                SequenceGap(9...9, cause: .quarantined),
            ])
        // A cause goes into the database only for a whole gap.
        #expect(LossAudit.findings(all) == [LossAudit.Finding(boot: 1, gap: SequenceGap(9...9, cause: .quarantined))])
    }

    @Test func aPayloadWithoutANumberIsOneFrameOfTheNextGap() {
        var all = facts(stored(next: 20, [SequenceGap(3...3), SequenceGap(5...5), SequenceGap(9...11)]))
        // The gaps were noted at 1, 2 and 3 s.
        all.quarantined = [payload(2, 5), payload(3, 9), payload(3, 10)]
        #expect(
            losses(all)[0] == [
                SequenceGap(3...3), SequenceGap(5...5, cause: .quarantined), SequenceGap(9...11, missing: 1),
                SequenceGap(9...11, missing: 2, cause: .quarantined),
            ])
        #expect(LossAudit.audit(all)[0].missing == 5)
        #expect(LossAudit.findings(all) == [LossAudit.Finding(boot: 1, gap: SequenceGap(5...5, cause: .quarantined))])
        // One that came behind the last gap is of the tail, or else of any gap.
        all.quarantined = [payload(50, 90)]
        #expect(losses(all)[0].first == SequenceGap(3...3, cause: .quarantined))
        all.boots[0].announced = announced(21)
        #expect(losses(all)[0].last == SequenceGap(20...20, cause: .quarantined))
    }

    @Test func aPayloadBelongsToTheBootThatRanThen() {
        var all = facts(
            stored(1, next: 10, [SequenceGap(3...3)], 0, 50), stored(2, next: 10, [SequenceGap(4...4)], 51, 90))
        all.quarantined = [payload(1, 60)]
        #expect(losses(all)[1] == [SequenceGap(4...4, cause: .quarantined)])
        all.quarantined = [payload(1, 40)]
        #expect(losses(all)[1] == [SequenceGap(4...4)])
        #expect(losses(all)[0] == [SequenceGap(3...3, cause: .quarantined)])
        // A number that names no missing frame is damaged like the rest.
        all.quarantined = [payload(1, 60, (1, 7)), payload(1, 40, (77, 3))]
        #expect(losses(all).flatMap { $0 }.allSatisfy { $0.cause == .quarantined })
    }

    @Test func payloadsOfWhichNothingIsMissingExplainNothing() {
        var all = facts(stored(next: 10))
        all.quarantined = [payload(1, 5), payload(1, 6, (1, 4))]
        #expect(losses(all) == [[]])
    }

    // MARK: dropped at the source, restarted

    @Test func droppedFramesAreWholeGapsFirst() {
        var boot = stored(next: 100, [SequenceGap(10...19), SequenceGap(30...32), SequenceGap(50...50)])
        boot.announced = announced(100, dropped: 4)
        #expect(
            losses(facts(boot))[0] == [
                SequenceGap(10...19), SequenceGap(30...32, cause: .droppedAtSource),
                SequenceGap(50...50, cause: .droppedAtSource),
            ])
        boot.announced = announced(100, dropped: 14)
        #expect(losses(facts(boot))[0].allSatisfy { $0.cause == .droppedAtSource })
        #expect(LossAudit.findings(facts(boot)).map(\.gap) == losses(facts(boot))[0])
        boot.announced = announced(100, dropped: 7)
        #expect(
            losses(facts(boot))[0].prefix(2) == [
                SequenceGap(10...19, missing: 3, cause: .droppedAtSource), SequenceGap(10...19, missing: 7),
            ])
    }

    @Test func theTailOfAStoppedSensorMayBeDropped() {
        var boot = stored(next: 10)
        boot.announced = announced(13, dropped: 3)
        #expect(losses(facts(boot)) == [[SequenceGap(10...12, cause: .droppedAtSource)]])
    }

    @Test func whatAnOlderBootHasNotSentIsLostWithIt() {
        var old = stored(1, next: 10, [SequenceGap(3...3), SequenceGap(5...5)])
        old.announced = announced(15, dropped: 1)
        let all = facts(old, LossAudit.Boot(boot: 2, announced: announced(0)))
        #expect(
            losses(all)[0] == [
                SequenceGap(3...3, cause: .droppedAtSource), SequenceGap(5...5, cause: .sensorRestarted),
                SequenceGap(10...14, cause: .sensorRestarted),
            ])
        #expect(LossAudit.findings(all).map(\.gap.cause) == [.droppedAtSource, .sensorRestarted])
    }

    // MARK: all of them

    @Test func whoGoesFirst() {
        var boot = stored(next: 100, [SequenceGap(1...10)])
        boot.announced = announced(100, dropped: 3)
        var all = facts(boot, stored(2, next: 1, [], 101, 101))
        all.quarantined = [payload(1, 5, (1, 1)), payload(1, 6)]
        #expect(
            losses(all)[0] == [
                SequenceGap(1...1, cause: .quarantined),
                SequenceGap(2...10, missing: 3, cause: .droppedAtSource),
                SequenceGap(2...10, missing: 1, cause: .quarantined),
                SequenceGap(2...10, missing: 5, cause: .sensorRestarted),
            ])
        #expect(
            LossAudit.findings(all)
                == [LossAudit.Finding(boot: 1, gap: SequenceGap(1...10, cause: .sensorRestarted))])
    }

    /// What a payload was is known also when it has been dropped from quarantine.
    @Test func aCauseThatWasFoundStaysWhenTheFactsAreGone() {
        let all = facts(stored(next: 20, [SequenceGap(3...4, cause: .quarantined), SequenceGap(6...6)]))
        #expect(losses(all)[0] == [SequenceGap(3...4, cause: .quarantined), SequenceGap(6...6)])
    }

    @Test func joinedGapsCountWhatIsMissing() {
        var boot = stored(next: 100, [SequenceGap(0...20, missing: 5), SequenceGap(30...30)])
        boot.announced = announced(100, dropped: 2)
        var all = facts(boot)
        all.quarantined = [payload(1, 5, (1, 7))]
        #expect(
            losses(all)[0] == [
                SequenceGap(0...20, missing: 1, cause: .droppedAtSource),
                SequenceGap(0...20, missing: 3), SequenceGap(0...20, missing: 1, cause: .quarantined),
                SequenceGap(30...30, cause: .droppedAtSource),
            ])
    }

    /// Whatever is lost is listed once, and what is found is what is listed.
    @Test(arguments: 0..<20)
    func everyMissingFrameHasOneCause(round: UInt64) {
        var random = SplitMix64(seed: round)
        var all = LossAudit.Facts()
        var missing: [Int64: Int64] = [:]
        for number in 1...Int64.random(in: 1...4, using: &random) {
            var ledger = SequenceLedger()
            var frames: Int64 = 0
            for _ in 0..<30 where ledger.note(.random(in: 0...60, using: &random)) != .duplicate { frames += 1 }
            var boot = stored(number, next: ledger.next, ledger.gaps, number * 100, number * 100 + 50)
            let more = Int64.random(in: 0...5, using: &random)
            boot.announced = announced(ledger.next + more, dropped: .random(in: 0...9, using: &random))
            missing[number] = ledger.next + more - frames
            all.boots.append(boot)
            for _ in 0..<Int.random(in: 0...9, using: &random) {
                let isRead = Bool.random(using: &random)
                let sequence = Int64.random(in: 0...65, using: &random)
                all.quarantined.append(
                    payload(.random(in: 0...9, using: &random), number * 100, isRead ? (number, sequence) : nil))
            }
        }
        if Bool.random(using: &random) {
            let hole = StreamGap(first: place(.random(in: 0...500, using: &random)), cause: .brokerRetention)
            all.holes = ["s": [LossAudit.NotedHole(hole, at: at(3))]]
        }
        for result in LossAudit.audit(all) {
            #expect(result.missing == missing[result.boot])
            #expect(result.published - result.stored == missing[result.boot])
        }
        for finding in LossAudit.findings(all) {
            let result = LossAudit.audit(all).first { $0.boot == finding.boot }
            #expect(finding.gap.cause != .late)
            #expect(result?.losses.contains { $0.cause == finding.gap.cause } == true)
        }
    }
}
