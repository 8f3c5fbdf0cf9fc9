import Broker
import Control
import Model
import Simulation
import Testing

/// A command on its way to many sensors; times are given to it.
@Suite struct RolloutTests {
    typealias Abortion = RolloutRules.Abortion

    private static func serials(_ count: Int) -> [SerialNumber] { (0..<count).compactMap { SerialNumber("s\($0)") } }

    private func ack(_ id: String, _ outcome: Ack.Outcome, _ reason: String = "") -> Ack {
        Ack(id: id, outcome: outcome, reason: reason, at: nil)
    }

    /// A rollout to sensors s0, s1 …, with commands of ids "0", "1" …
    private func rollout(_ count: Int, _ rules: RolloutRules) -> Rollout { Rollout(Self.serials(count), rules) }

    /// Asks those who may be asked now.
    private func depart(_ rollout: inout Rollout, at now: Duration, countMax: Int = 1000) -> Range<Int> {
        let range = rollout.departing(at: now, countMax: countMax)
        rollout.depart(range.map { "\($0)" }, at: now)
        return range
    }

    private func confirm(_ rollout: inout Rollout, _ range: Range<Int>, at now: Duration) {
        for position in range { rollout.note(.confirmed, at: position, now: now) }
    }

    private func answer(
        _ rollout: inout Rollout, _ position: Int, _ outcome: Ack.Outcome, _ reason: String = "", at now: Duration
    ) throws {
        rollout.note(
            ack("\(position)", outcome, reason), from: try #require(SerialNumber("s\(position)")), now: now)
    }

    // MARK: answers

    @Test func finalAnswersSettle() throws {
        var rollout = rollout(3, RolloutRules())
        #expect(depart(&rollout, at: .zero) == 0..<3)
        confirm(&rollout, 0..<3, at: .milliseconds(1))
        try answer(&rollout, 0, .received, at: .milliseconds(2))
        #expect(rollout.results.isEmpty && rollout.open == 3)
        try answer(&rollout, 0, .succeeded, at: .milliseconds(3))
        try answer(&rollout, 1, .failed, "worn out", at: .milliseconds(4))
        #expect(!rollout.isSettled)
        try answer(&rollout, 2, .rejected, "too fast", at: .milliseconds(5))
        #expect(rollout.isSettled && rollout.open == 0)
        #expect(rollout.results.map(\.outcome) == [.succeeded, .failed, .rejected])
        #expect(rollout.results.map(\.reason) == ["", "worn out", "too fast"])
        #expect(rollout.results.map(\.after) == [.milliseconds(3), .milliseconds(4), .milliseconds(5)])
        #expect(rollout.results.map(\.id) == ["0", "1", "2"])
        #expect(rollout.failed == 2)
    }

    /// What the broker has and the sensor has not received ends when the sensor is offline; nothing else does.
    @Test func offlineSensorsAreNotWaitedFor() throws {
        var rollout = rollout(5, RolloutRules(perMinuteMax: 4, waitsForOffline: false))
        let asked = rollout.departing(at: .seconds(45), countMax: 1000)
        rollout.depart(asked.map { "\($0)" }, at: .seconds(45))
        #expect(asked == 0..<4)
        confirm(&rollout, 0..<3, at: .seconds(45))
        try answer(&rollout, 0, .succeeded, at: .seconds(46))
        try answer(&rollout, 1, .received, at: .seconds(46))
        #expect(rollout.silentSensors.map(\.text) == ["s2", "s3"])
        rollout.noteOffline(["s0", "s1", "s2", "s3", "s4"], now: .seconds(47))
        #expect(rollout.results.map(\.sensor.text) == ["s0", "s2"])
        #expect(rollout.results.map(\.outcome) == [.succeeded, .timedOut])
        #expect(rollout.results.map(\.reason) == ["", "offline"] && rollout.results[1].after == .seconds(2))
        #expect(rollout.open == 2)
    }

    @Test func theFirstFinalAnswerStays() throws {
        var rollout = rollout(2, RolloutRules())
        _ = depart(&rollout, at: .zero)
        try answer(&rollout, 0, .succeeded, at: .milliseconds(3))
        try answer(&rollout, 0, .failed, at: .milliseconds(4))
        #expect(rollout.results.map(\.outcome) == [.succeeded])
        #expect(rollout.counts == [.succeeded: 1])
        #expect(!rollout.isSettled)
        // An answer may come before the broker's confirm, which then says nothing new.
        #expect(rollout.confirmed == 1)
        rollout.note(.confirmed, at: 0, now: .milliseconds(5))
        #expect(rollout.confirmed == 1)
    }

    @Test func answersOfOthersCountForNothing() throws {
        var rollout = rollout(3, RolloutRules())
        _ = depart(&rollout, at: .zero, countMax: 2)
        rollout.note(ack("0", .succeeded), from: try #require(SerialNumber("s1")), now: .milliseconds(3))
        try answer(&rollout, 2, .succeeded, at: .milliseconds(3))
        rollout.note(ack("9", .succeeded), from: try #require(SerialNumber("s0")), now: .milliseconds(3))
        #expect(rollout.results.isEmpty)
    }

    @Test func aSensorThatSaysExpired() throws {
        var rollout = rollout(1, RolloutRules())
        _ = depart(&rollout, at: .zero)
        try answer(&rollout, 0, .rejected, Ack.expired, at: .seconds(1))
        #expect(rollout.results.map(\.outcome) == [.expired])
    }

    @Test func deliveredIsEnoughForWhoWantsNoMore() throws {
        var rollout = rollout(3, RolloutRules(waitFor: .delivered))
        for position in depart(&rollout, at: .zero) {
            try answer(&rollout, position, .received, at: .milliseconds(3))
        }
        #expect(rollout.isSettled)
        #expect(rollout.results.map(\.outcome) == [.delivered, .delivered, .delivered])
    }

    @Test func whoWaitsForNothingIsDoneWithTheConfirm() {
        var rollout = rollout(4, RolloutRules(waitFor: .none))
        _ = depart(&rollout, at: .zero)
        let outcomes: [PublishOutcome] = [.confirmed, .refused, .unroutable, .tooLarge]
        for (position, outcome) in outcomes.enumerated() {
            rollout.note(outcome, at: position, now: .milliseconds(1))
        }
        #expect(rollout.isSettled && rollout.confirmed == 4)
        #expect(rollout.results.map(\.outcome) == [.queued, .failed, .failed, .failed])
    }

    @Test func whatIsNotRecordedIsNotSent() throws {
        var rollout = rollout(3, RolloutRules(waitFor: .none))
        _ = depart(&rollout, at: .zero)
        rollout.note(.confirmed, at: 0, now: .milliseconds(1))
        rollout.noteUnrecorded(1, now: .milliseconds(1))
        rollout.noteUnrecorded(2, now: .milliseconds(1))
        #expect(rollout.isSettled && rollout.confirmed == 1)
        #expect(rollout.results.map(\.outcome) == [.queued, .failed, .failed])
        #expect(rollout.results[1].reason == "not sent: the database did not record it")
    }

    // MARK: times

    @Test func silenceTimesOutBeforeTheExpiryAndExpiresAfterIt() throws {
        var rollout = rollout(3, RolloutRules(timeout: .seconds(20), validity: .seconds(10)))
        confirm(&rollout, depart(&rollout, at: .zero), at: .milliseconds(1))
        try answer(&rollout, 1, .received, at: .milliseconds(3))
        #expect(rollout.nextTurn == .seconds(10) + Rollout.grace)
        rollout.pass(.seconds(10))
        #expect(rollout.results.isEmpty, "an answer may still be on its way")
        rollout.pass(.seconds(10) + Rollout.grace)
        #expect(rollout.results.map(\.outcome) == [.expired, .expired])
        #expect(rollout.nextTurn == .seconds(20))
        rollout.pass(.seconds(20))
        #expect(rollout.results.map(\.outcome) == [.expired, .timedOut, .expired])
        #expect(rollout.results.map(\.reason)[1] == "delivered, no result yet")
        #expect(rollout.isSettled && rollout.halt == nil)
        #expect(rollout.nextTurn == nil)
    }

    /// The time of each runs from its own sending.
    @Test func theTimeoutCountsFromEachSending() {
        var rollout = rollout(2, RolloutRules(timeout: .seconds(5), perMinuteMax: 20))
        confirm(&rollout, depart(&rollout, at: .zero), at: .zero)
        confirm(&rollout, depart(&rollout, at: .seconds(3)), at: .seconds(3))
        #expect(rollout.sent == 2)
        rollout.pass(.seconds(5))
        #expect(rollout.results.map(\.sensor.text) == ["s0"])
        #expect(rollout.results.map(\.reason) == ["no answer"])
        #expect(rollout.nextTurn == .seconds(8))
        rollout.pass(.seconds(8))
        #expect(rollout.results.map(\.after) == [.seconds(5), .seconds(5)])
        #expect(rollout.isSettled)
    }

    /// The broker takes nothing: who is next is not asked.
    @Test func withoutConfirmsNobodyElseIsAsked() {
        var rollout = rollout(Rollout.unconfirmedMax + 5, RolloutRules(timeout: .seconds(10)))
        #expect(depart(&rollout, at: .zero, countMax: 100_000).count == Rollout.unconfirmedMax)
        #expect(depart(&rollout, at: .seconds(1)).isEmpty, "so many wait for the broker already")
        rollout.pass(.seconds(10))
        #expect(rollout.isSettled)
        #expect(rollout.counts == [.timedOut: Rollout.unconfirmedMax, .skipped: 5])
        #expect(rollout.halt == "the broker does not confirm")
    }

    @Test func confirmsMakeRoomForMore() {
        var rollout = rollout(Rollout.unconfirmedMax + 5, RolloutRules())
        let first = depart(&rollout, at: .zero, countMax: 100_000)
        confirm(&rollout, first.prefix(3), at: .milliseconds(1))
        #expect(depart(&rollout, at: .milliseconds(2)).count == 3)
    }

    // MARK: pace

    @Test func aMinuteIsDividedEvenly() {
        var rollout = rollout(5, RolloutRules(timeout: .seconds(600), perMinuteMax: 60))
        #expect(depart(&rollout, at: .zero) == 0..<1)
        #expect(rollout.nextTurn == .seconds(1))
        #expect(depart(&rollout, at: .milliseconds(999)).isEmpty)
        #expect(depart(&rollout, at: .seconds(1)) == 1..<2)
        // Some were late: they follow at once.
        #expect(depart(&rollout, at: .seconds(3)) == 2..<4)
        #expect(rollout.nextTurn == .seconds(4))
        #expect(depart(&rollout, at: .seconds(4)) == 4..<5)
    }

    /// Whatever keeps some waiting, and whatever the rate: no minute holds more than it may.
    @Test(arguments: [1, 7, 60, 1000])
    func noMinuteHoldsMoreThanItMay(_ perMinute: Int) {
        var random = SplitMix64(seed: UInt64(perMinute))
        var rollout = rollout(
            perMinute * 4,
            RolloutRules(timeout: .seconds(100_000), validity: .seconds(100_000), perMinuteMax: perMinute))
        var now = Duration.zero
        var departures: [Duration] = []
        while rollout.sent < rollout.count, now < .seconds(3600) {
            let range = depart(&rollout, at: now)
            confirm(&rollout, range, at: now)
            departures += range.map { _ in now }
            now += .milliseconds(Int64.random(in: 1...(Bool.random(using: &random) ? 100 : 40_000), using: &random))
        }
        #expect(departures.count == perMinute * 4)
        for (position, time) in departures.enumerated().dropFirst(perMinute) {
            #expect(time - departures[position - perMinute] >= .seconds(60))
        }
    }

    // MARK: abortion

    @Test(
        arguments: [
            ("5%", Abortion.share(0.05)), ("0.5%", .share(0.005)), ("100%", .share(1)), ("10", .count(10)),
            ("1", .count(1)), ("0", nil), ("-1", nil), ("0%", nil), ("101%", nil), ("", nil), ("%", nil), ("five", nil),
            ("1.5", nil), ("nan%", nil),
        ] as [(String, Abortion?)])
    func rulesAreReadAsPeopleWriteThem(_ text: String, _ rule: Abortion?) {
        #expect(Abortion(text) == rule)
    }

    @Test func aShareNeedsASampleAndTwoFailures() {
        let five = Abortion.share(0.05)
        #expect(!five.isDue(failed: 19, ended: 19))
        #expect(!five.isDue(failed: 1, ended: 20) && !five.isDue(failed: 39, ended: 39), "of 39, 5 % are less than two")
        #expect(five.isDue(failed: 2, ended: 40) && !five.isDue(failed: 1, ended: 40))
        #expect(!five.isDue(failed: 4, ended: 100) && five.isDue(failed: 5, ended: 100))
        let half = Abortion.share(0.5)
        #expect(!half.isDue(failed: 19, ended: 19) && half.isDue(failed: 10, ended: 20))
        #expect(!half.isDue(failed: 9, ended: 20))
        #expect(!Abortion.share(0.01).isDue(failed: 199, ended: 199))
        #expect(Abortion.share(0.01).isDue(failed: 2, ended: 200))
        #expect(!Abortion.count(3).isDue(failed: 2, ended: 1000) && Abortion.count(3).isDue(failed: 3, ended: 3))
    }

    @Test func failuresStopTheRest() throws {
        var rollout = rollout(1000, RolloutRules(abortion: .share(0.1)))
        #expect(depart(&rollout, at: .zero) == 0..<RolloutRules.openMaxIfAborting)
        confirm(&rollout, 0..<100, at: .zero)
        #expect(depart(&rollout, at: .zero).isEmpty, "so many are open already")
        for position in 0..<30 { try answer(&rollout, position, .succeeded, at: .milliseconds(5)) }
        let more = depart(&rollout, at: .milliseconds(6))
        #expect(more == 100..<130, "as many as have ended")
        confirm(&rollout, more, at: .milliseconds(7))
        // Rejected, failed, expired, timed out: all of them count.
        try answer(&rollout, 30, .rejected, "no", at: .milliseconds(8))
        try answer(&rollout, 31, .failed, "no", at: .milliseconds(8))
        try answer(&rollout, 32, .rejected, Ack.expired, at: .milliseconds(8))
        #expect(rollout.halt == nil, "3 of 33 are less than 10 %")
        try answer(&rollout, 33, .failed, "no", at: .milliseconds(9))
        #expect(rollout.halt == "4 of 34 failed")
        #expect(depart(&rollout, at: .seconds(1)).isEmpty)
        #expect(rollout.counts[.skipped] == 870 && rollout.open == 96)
        // The answers of those that were asked still count.
        try answer(&rollout, 129, .succeeded, at: .seconds(2))
        rollout.pass(.seconds(30))
        #expect(rollout.isSettled)
        #expect(
            rollout.counts == [.succeeded: 31, .rejected: 1, .failed: 2, .expired: 1, .timedOut: 95, .skipped: 870])
        let last = try #require(rollout.results.last)
        #expect(last.outcome == .skipped && last.id == nil && last.after == nil)
        #expect(last.reason == "not sent: 4 of 34 failed")
    }

    @Test func aCountStopsTheRestAtOnce() throws {
        var rollout = rollout(500, RolloutRules(timeout: .seconds(1), abortion: .count(2)))
        confirm(&rollout, depart(&rollout, at: .zero), at: .zero)
        try answer(&rollout, 7, .rejected, at: .milliseconds(1))
        #expect(rollout.halt == nil)
        try answer(&rollout, 8, .rejected, at: .milliseconds(1))
        #expect(rollout.halt == "2 of 2 failed" && rollout.sent == 100)
    }

    /// When everybody was asked there is nothing to stop.
    @Test func theLastOnesMayFail() throws {
        var rollout = rollout(3, RolloutRules(abortion: .count(1)))
        for position in depart(&rollout, at: .zero) { try answer(&rollout, position, .failed, at: .milliseconds(1)) }
        #expect(rollout.halt == nil && rollout.isSettled)
        #expect(rollout.counts == [.failed: 3])
    }

    @Test func anInterruptedRolloutSaysHowFarItCame() throws {
        var rollout = rollout(10, RolloutRules(perMinuteMax: 60))
        confirm(&rollout, depart(&rollout, at: .zero), at: .zero)
        confirm(&rollout, depart(&rollout, at: .seconds(1)), at: .seconds(1))
        try answer(&rollout, 0, .succeeded, at: .milliseconds(1100))
        rollout.breakOff("interrupted", at: .seconds(2))
        #expect(rollout.isSettled && rollout.sent == 2)
        #expect(rollout.counts == [.succeeded: 1, .timedOut: 1, .skipped: 8])
        #expect(rollout.results.map(\.reason).prefix(3) == ["", "interrupted", "not sent: interrupted"])
        #expect(depart(&rollout, at: .seconds(60)).isEmpty)
    }

    @Test func theWorstOutcomeSpeaksForAll() {
        #expect(CommandOutcome.worst([]) == nil)
        #expect(CommandOutcome.worst([.succeeded, .skipped]) == .skipped)
        #expect(CommandOutcome.worst([.succeeded, .expired, .skipped]) == .expired)
        #expect(CommandOutcome.worst([.succeeded, .expired, .timedOut]) == .timedOut)
        #expect(CommandOutcome.worst([.rejected, .expired, .timedOut]) == .rejected)
        #expect(CommandOutcome.worst([.rejected, .failed, .timedOut]) == .failed)
        #expect(CommandOutcome.allCases.filter(\.isFailure) == [.expired, .timedOut, .rejected, .failed])
    }

    /// A sensor's answer, the record of a command and the client's outcome are different stages of a command: what they
    /// share has the same words, in JSON, SQL and messages.
    @Test func theWordsForACommandAreTheSameEverywhere() {
        let states = Set(CommandLife.State.allCases.map(\.rawValue))
        #expect(Set(CommandOutcome.allCases.map(\.rawValue)).subtracting(states) == ["skipped"])
        #expect(Set(Ack.Outcome.allCases.map(\.rawValue)).subtracting(states) == ["received"])
        #expect(states.subtracting(CommandOutcome.allCases.map(\.rawValue)) == ["cancelled"])
    }

    /// Ten thousand sensors are no matter of seconds, whatever the order of their answers.
    @Test func aLargeFleetSettles() throws {
        var rollout = rollout(10_000, RolloutRules())
        var now = Duration.zero
        while rollout.sent < rollout.count {
            let range = depart(&rollout, at: now, countMax: 500)
            confirm(&rollout, range, at: now)
            for position in range.reversed() { try answer(&rollout, position, .succeeded, at: now) }
            now += .milliseconds(1)
            rollout.pass(now)
        }
        #expect(rollout.isSettled && rollout.counts == [.succeeded: 10_000])
        #expect(now == .milliseconds(20))
    }
}
