import Messaging
import Model
import Rules
import Simulation
import Testing
import Time
import Wire

@testable import Broker
@testable import Ingest
@testable import Store

/// The evaluation of a stream: a function of its messages, whoever reads them and however often.
@Suite struct StreamEvaluationTests {
    private static let begin: Int64 = 1_800_000_000_000
    private let lease = PartitionLease(stream: "s", epoch: 3, incarnation: 2, committed: nil, fingerprint: nil)
    private let now = Timestamp(unixMilliseconds: begin)

    // MARK: messages

    private func delivery(_ offset: Int64, _ key: String, _ body: [UInt8]) -> Delivery {
        Delivery(
            tag: UInt64(offset + 1), key: key, body: body, streamOffset: offset,
            receivedUnixMilliseconds: Self.begin + offset * 1000)
    }

    /// A frame of one sample a second.
    private func sample(_ offset: Int64, _ value: Double, of sensor: String = "a", sequence: Int64? = nil) -> Delivery {
        let frame = Frame(
            position: FramePosition(boot: 1, sequence: sequence ?? offset),
            start: Timestamp(unixMilliseconds: Self.begin + (sequence ?? offset) * 1000), rate: nil,
            blocks: [Block(channel: .number(0), samples: .value(value))])
        return delivery(offset, "sensor_\(sensor).data", FrameCodec.encode(frame))
    }

    private func tick(_ offset: Int64, _ revision: Int64) -> Delivery {
        delivery(
            offset, "s",
            TickCodec.encode(StreamTick(revision: revision, epoch: 3, sent: Timestamp(unixNanoseconds: offset))))
    }

    private func batch(_ deliveries: some Sequence<Delivery>) -> FrameBatch {
        FrameBatch(Array(deliveries)[...], of: "s")
    }

    // MARK: rules

    private func revision(
        _ number: Int64, _ rules: [Rule] = [], high: Double? = nil, sensors: [String] = ["a", "b"],
        deleted: [String] = []
    ) -> RuleRevision {
        let limits = high.map { [RuleRevision.Limits(channel: 0, high: $0)] } ?? []
        let isEmpty = rules.isEmpty && high == nil
        return RuleRevision(
            number: number, rules: rules,
            sensors: isEmpty
                ? []
                : sensors.map {
                    RuleRevision.Sensor(
                        serial: $0, channels: [RuleRevision.Channel(name: "x", number: 0)],
                        rules: rules.indices.map { RuleRevision.Selection(rule: $0, channels: [0]) }, limits: limits)
                }, deleted: deleted)
    }

    private let above5 = Rule(name: "high", condition: .threshold(Condition.Threshold(above: 5)))

    private func evaluation(_ revision: RuleRevision, behind offset: Int64? = nil) -> StreamEvaluation {
        StreamEvaluation(RuleEngine(revision), of: lease, behind: offset)
    }

    private func judge(
        _ deliveries: some Sequence<Delivery>, after before: Int64?, _ evaluation: inout StreamEvaluation,
        revisions: [RuleRevision] = [], now: Timestamp? = nil
    ) -> (outcome: StreamEvaluation.Outcome, events: [AlarmEvent]) {
        var events: [AlarmEvent] = []
        let outcome = evaluation.judge(
            batch(deliveries), after: before, now: now ?? self.now,
            revision: { number in revisions.first { $0.number == number }.map { .revision($0) } }, into: &events)
        return (outcome, events)
    }

    private func words(_ events: [AlarmEvent]) -> [String] {
        events.map { "\($0.edge.rawValue) \($0.alarm.id)\($0.alarm.cause.isEmpty ? "" : " " + $0.alarm.cause)" }
    }

    @Test func anAlarmSaysWhereItWasDecided() throws {
        var evaluation = evaluation(revision(1, [above5]))
        let (outcome, events) = judge([sample(4, 1), sample(5, 9), sample(6, 2)], after: nil, &evaluation)
        #expect(outcome == .done && evaluation.offset == 6 && evaluation.fingerprint == sample(6, 2).fingerprint)
        #expect(words(events) == ["trigger a/x/high/2/5", "clear a/x/high/2/5"])
        #expect(events.map(\.offset) == [5, 6] && events.map(\.alarm.isLate) == [false, false])
        #expect(events[1].alarm.origin == Alarm.Origin(stream: "s", epoch: 3, offset: 6))
        #expect(events[0].alarm.position == FramePosition(boot: 1, sequence: 5))
    }

    @Test func whatIsEvaluatedLongAfterwardsIsLate() {
        var evaluation = evaluation(revision(1, [above5]))
        let later = Timestamp(unixMilliseconds: Self.begin + 15_500)
        let (_, events) = judge([sample(5, 9), sample(6, 2)], after: nil, &evaluation, now: later)
        #expect(events.map(\.alarm.isLate) == [true, false])
    }

    /// The worker and the evaluator's own reader tell of the same messages, in pieces of their own.
    @Test(arguments: 0..<50)
    func readersMayOverlap(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let deliveries = (0..<200).map { index -> Delivery in
            Int64(index) % 7 == 6
                ? tick(Int64(index), 1) : sample(Int64(index), Double.random(in: 0...10, using: &random))
        }
        var alone = evaluation(revision(1, [above5]))
        let expected = judge(deliveries, after: nil, &alone).events
        #expect(expected.count > 20)
        var shared = evaluation(revision(1, [above5]))
        var events: [AlarmEvent] = []
        var places = [0, 0]
        while places.min() ?? 0 < deliveries.count {
            let reader = Int.random(in: 0...1, using: &random)
            let end = min(deliveries.count, places[reader] + Int.random(in: 1...30, using: &random))
            if places[reader] == end { continue }
            let before = Int64(places[reader]) - 1
            let result = judge(deliveries[places[reader]..<end], after: before < 0 ? nil : before, &shared)
            switch result.outcome {
            case .done: break
            case .ahead: #expect(before > shared.offset ?? -1)
            case .needs: Issue.record("nothing is missing")
            }
            events += result.events
            places[reader] = end
            // A reader that was ahead reads again from where the evaluation is.
            if result.outcome == .ahead { places[reader] = Int((shared.offset ?? -1) + 1) }
        }
        #expect(events == expected)
    }

    /// Whoever begins with a saved state comes to the same alarms, whatever was judged and published after it was saved.
    @Test(arguments: 0..<50)
    func aSuccessorRepeatsTheSameAlarms(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let rule = Rule(
            name: "held", condition: .sustained(above5.condition, for: .seconds(3)))
        let silence = Rule(
            name: "silence", condition: .noData(Condition.NoData(after: .seconds(2))))
        let first = revision(1, [rule])
        let second = revision(2, [rule, silence, above5], high: 8)
        var value = 0.0
        var isSilent = false
        let deliveries = (0..<200).map { index -> Delivery in
            if Int.random(in: 0..<4, using: &random) == 0 { value = Double.random(in: 0...10, using: &random) }
            if Int.random(in: 0..<9, using: &random) == 0 { isSilent.toggle() }
            return isSilent ? tick(Int64(index), index > 60 ? 2 : 1) : sample(Int64(index), value)
        }
        var alone = evaluation(first)
        let expected = judge(deliveries, after: nil, &alone, revisions: [first, second]).events
        var all: [AlarmEvent] = []
        var live = evaluation(first)
        var saved = live.record
        var place = 0
        while place < deliveries.count {
            let end = min(deliveries.count, place + Int.random(in: 1...20, using: &random))
            let before = place == 0 ? nil : Int64(place - 1)
            all += judge(deliveries[place..<end], after: before, &live, revisions: [first, second]).events
            place = end
            if Int.random(in: 0..<3, using: &random) == 0 { saved = live.record }
            if Int.random(in: 0..<3, using: &random) == 0 {
                // The owner dies.
                let number = try RuleEngine.revision(ofEncoded: saved.body)
                live = StreamEvaluation(
                    try RuleEngine(decoding: saved.body, number == 1 ? first : second), of: lease,
                    behind: saved.offset, fingerprint: saved.fingerprint)
                place = Int((saved.offset ?? -1) + 1)
            }
        }
        // Repeats are the same alarms, word for word.
        let key = { (event: AlarmEvent) in "\(event.edge) \(event.alarm.id)" }
        let repeated = Dictionary(grouping: all, by: key)
        #expect(repeated.values.allSatisfy { events in events.allSatisfy { $0 == events[0] } })
        #expect(Set(repeated.keys) == Set(expected.map(key)))
        #expect(expected.count > 3)
    }

    // MARK: revisions

    @Test func aRevisionThatIsMissingIsWaitedFor() {
        let (first, second) = (revision(1, [above5]), revision(2, [above5], high: 8))
        var evaluation = evaluation(first)
        let deliveries = [sample(0, 9), tick(1, 2), sample(2, 9)]
        let missing = judge(deliveries, after: nil, &evaluation, revisions: [first])
        #expect(missing.outcome == .needs(2) && evaluation.offset == 0)
        #expect(words(missing.events) == ["trigger a/x/high/2/0"])
        let again = judge(deliveries, after: nil, &evaluation, revisions: [first, second])
        #expect(again.outcome == .done && words(again.events) == ["trigger a/x/limit:x:high/2/2"])
        // One that exists no more is passed over.
        var events: [AlarmEvent] = []
        #expect(evaluation.judge(batch([tick(3, 3)]), after: 2, revision: { _ in .gone }, into: &events) == .done)
        #expect(evaluation.engine.revision == 2 && evaluation.offset == 3)
    }

    @Test func withoutRulesOnlyTicksAreLookedAt() {
        var evaluation = evaluation(revision(0))
        #expect(evaluation.isIdle)
        let rules = revision(1, [above5])
        let (outcome, events) = judge(
            [sample(0, 9), tick(1, 1), sample(2, 9)], after: nil, &evaluation, revisions: [rules])
        #expect(outcome == .done && words(events) == ["trigger a/x/high/2/2"] && !evaluation.isIdle)
        let (_, ends) = judge([tick(3, 2)], after: 2, &evaluation, revisions: [revision(2)])
        #expect(words(ends) == ["clear a/x/high/2/2 rule_removed"] && evaluation.isIdle)
    }

    @Test func captureFramesAreNotJudged() {
        var frame = Frame(
            position: FramePosition(boot: 1, sequence: 0), start: now, rate: nil,
            blocks: [Block(channel: .number(0), samples: .value(9))])
        frame.captures = [CaptureMark(alarm: "x", from: now, to: now.advanced(byNanoseconds: 1), samples: 1)]
        var evaluation = evaluation(revision(1, [above5]))
        let capture = delivery(0, "sensor_a.data", FrameCodec.encode(frame))
        let (outcome, events) = judge([capture], after: nil, &evaluation)
        #expect(outcome == .done && events.isEmpty && evaluation.offset == 0)
    }

    // MARK: other streams and releases

    /// What an older release raised ends by the id that it was raised with, once.
    @Test func anAlarmOfAnOlderReleaseEndsByItsId() {
        let on = LimitAlarm(
            serial: serial("a"), channel: "x", number: 0, id: "a/0/high/1799999999000000000", side: .high, since: now)
        var evaluation = evaluation(revision(1, high: 5))
        evaluation.inherit([on])
        let (_, still) = judge([sample(0, 9)], after: nil, &evaluation)
        #expect(still.isEmpty)
        let (_, events) = judge([sample(1, 1), sample(2, 9)], after: 0, &evaluation)
        #expect(words(events) == ["clear a/0/high/1799999999000000000", "trigger a/x/limit:x:high/2/2"])
        let changes = evaluation.takeLimits()
        #expect(changes.map(\.id) == ["a/x/limit:x:high/2/2"] && changes.map(\.side) == [.high])
        #expect(evaluation.takeLimits().isEmpty)
    }

    @Test func anAlarmOfLimitsThatAreGoneEnds() {
        let on = LimitAlarm(serial: serial("a"), channel: "x", number: 0, id: "a/0/high/7", side: .high, since: now)
        var evaluation = evaluation(revision(0))
        evaluation.inherit([on])
        #expect(!evaluation.isIdle)
        let (_, events) = judge([sample(0, 9), sample(1, 9)], after: nil, &evaluation)
        #expect(words(events) == ["clear a/0/high/7 rule_removed"])
        #expect(evaluation.takeLimits().map(\.id) == [nil] && evaluation.isIdle)
    }

    /// An older release had the partition for a while: what it published of limits is not published again.
    @Test func whatAnOlderReleaseDidInBetweenHolds() {
        var evaluation = evaluation(revision(1, [above5], high: 5))
        let (_, before) = judge([sample(0, 9), sample(1, 9, of: "b")], after: nil, &evaluation)
        #expect(before.count == 4)
        // It ended the alarm of a, raised another, and ended that of b.
        evaluation.takeOver([
            LimitAlarm(serial: serial("a"), channel: "x", number: 0, id: "a/0/high/5", side: .high, since: now),
            LimitAlarm(serial: serial("b"), channel: "x", number: 0, id: nil, side: nil, since: now),
        ])
        let (_, events) = judge([sample(2, 1), sample(3, 1, of: "b"), sample(4, 9, of: "b")], after: 1, &evaluation)
        #expect(
            words(events) == [
                "clear a/x/high/2/0", "clear a/0/high/5", "clear b/x/high/2/1", "trigger b/x/high/2/4",
                "trigger b/x/limit:x:high/2/4",
            ])
    }

    @Test func aRecreatedStreamKeepsItsAlarms() {
        var evaluation = evaluation(revision(1, [above5]))
        #expect(words(judge([sample(8, 9)], after: nil, &evaluation).events) == ["trigger a/x/high/2/8"])
        evaluation.reset(to: 3)
        let (outcome, events) = judge(
            [sample(0, 1, sequence: 9), sample(1, 9, sequence: 10)], after: nil, &evaluation)
        #expect(outcome == .done && words(events) == ["clear a/x/high/2/8", "trigger a/x/high/3/1"])
    }

    private func serial(_ text: String) -> SerialNumber {
        guard let serial = SerialNumber(text) else { preconditionFailure() }
        return serial
    }
}
