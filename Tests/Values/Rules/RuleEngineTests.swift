import Foundation
import Model
import Rules
import Testing
import Time

/// Order, clocks, revisions, schedules, budgets and identity.
@Suite struct RuleEngineTests {
    private let above = Condition.threshold(.init(above: 1))
    private func block(_ value: Float, channel: Int16 = 0) -> [Block] {
        [Block(channel: .number(channel), samples: .floats([value]))]
    }

    // MARK: order and time

    @Test func duplicatesAndLateFramesAreCountedAndNotJudged() throws {
        var run = try RuleRun(above)
        #expect(run.frame(block(0), at: 5, sequence: 5) == [])
        #expect(run.frame(block(9), at: 5, sequence: 5) == [])
        #expect(run.frame(block(9), at: 3, sequence: 3) == [])
        #expect(run.engine.counts.late == 2 && run.engine.counts.frames == 1)
        #expect(run.frame(block(9), at: 6, sequence: 6) == ["trigger r"])
    }

    @Test func anOlderBootIsForHistoryAndANewBootIsNot() throws {
        var run = try RuleRun(above)
        func observe(_ boot: Int64, _ sequence: Int64, _ value: Float, at second: Double, arrival: Double) -> [String] {
            run.observe(
                Frame(
                    position: FramePosition(boot: boot, sequence: sequence), start: RuleRun.time(second), rate: nil,
                    blocks: block(value)), received: RuleRun.time(arrival))
        }
        #expect(observe(1, 100, 0, at: 0, arrival: 0) == [])
        #expect(observe(2, 0, 0, at: 60, arrival: 60) == [])
        #expect(observe(1, 101, 9, at: 1, arrival: 61) == [])
        #expect(run.engine.counts.late == 1)
        #expect(observe(2, 1, 9, at: 62, arrival: 62) == ["trigger r"])
        // A boot number that went back, with newer times, is a new boot.
        #expect(observe(1, 0, 0, at: 90, arrival: 90) == ["clear r"])
    }

    /// The clock is set: the condition "for 10 s" must not be satisfied by that.
    @Test(arguments: [500.0, -3600, 120, -120])
    func aStepOfTheClockIsNoDuration(step: Double) throws {
        var run = try RuleRun(.sustained(above, for: .seconds(10)))
        for second in 0..<4 { #expect(run.frame(block(9), at: Double(second)) == []) }
        for second in 4..<10 {
            #expect(run.frame(block(9), at: Double(second) + step, arrival: Double(second)) == [], "\(second)")
        }
        #expect(run.engine.counts.clockSteps == 1)
        #expect(run.frame(block(9), at: 10 + step, arrival: 10) == ["trigger r"])
        #expect(run.transitions.first?.time == RuleRun.time(10 + step))
    }

    @Test func oneFrameWithAWrongTimeIsNoNewTimeBase() throws {
        var run = try RuleRun(.sustained(above, for: .seconds(10)))
        for second in 0..<10 {
            #expect(run.frame(block(9), at: second == 5 ? 400 : Double(second), arrival: Double(second)) == [])
        }
        #expect(run.frame(block(9), at: 10) == ["trigger r"])
        #expect(run.engine.counts.clockSteps == 0 && run.engine.counts.late == 0)
    }

    /// A device without sequence numbers: older times are late, unless the clock stays there.
    @Test func withoutNumbersAClockThatStaysBackIsANewTimeBase() throws {
        var run = try RuleRun(above)
        func observe(_ value: Float, at second: Double, arrival: Double) -> [String] {
            run.observe(
                Frame(position: nil, start: RuleRun.time(second), rate: nil, blocks: block(value)),
                received: RuleRun.time(arrival))
        }
        #expect(observe(0, at: 0, arrival: 0) == [])
        #expect(observe(0, at: 60, arrival: 60) == [])
        #expect(observe(9, at: 30, arrival: 61) == [], "late")
        #expect(observe(0, at: 120, arrival: 120) == [])
        #expect(observe(9, at: -3420, arrival: 180) == [], "late, or an hour back")
        #expect(observe(9, at: -3360, arrival: 240) == ["trigger r"])
        #expect(run.engine.counts.late == 2 && run.engine.counts.clockSteps == 1)
    }

    /// A store-and-forward device sends an hour in a second: durations are the signal's.
    @Test func aBurstOfStoredFramesHasItsSignalTime() throws {
        var run = try RuleRun(.sustained(above, for: .seconds(600)))
        for minute in 0..<10 {
            #expect(run.frame(block(9), at: Double(minute) * 60, arrival: 3600 + Double(minute) * 0.01) == [])
        }
        // The first interval is not known: it counts as a step.
        #expect(run.frame(block(9), at: 600, arrival: 3600.1) == [])
        #expect(run.frame(block(9), at: 660, arrival: 3600.11) == ["trigger r"])
        #expect(run.engine.counts.clockSteps == 1)
    }

    @Test func lostFramesDoNotInterruptADuration() throws {
        var run = try RuleRun(.sustained(above, for: .seconds(10)))
        run.frame(block(9), at: 0, sequence: 0)
        run.frame(block(9), at: 1, sequence: 1)
        #expect(run.frame(block(9), at: 9, sequence: 9) == [])
        #expect(run.frame(block(9), at: 10, sequence: 10) == ["trigger r"])
    }

    @Test func aClockThatIsNotBelievedGivesTheArrival() throws {
        var run = try RuleRun(above)
        #expect(run.frame(block(9), at: 1e6, arrival: 5) == ["trigger r"])
        #expect(run.transitions.first?.time == RuleRun.time(5))
    }

    // MARK: revisions

    @Test func aChangeOfTheSameKindKeepsTheStateAndIsJudgedAtTheNextFrame() throws {
        var run = try RuleRun(above)
        run.samples([5], at: 0)
        let raised = run.transitions.last?.id
        let higher = Rule(name: "r", condition: .threshold(.init(above: 4)), severity: .critical)
        #expect(run.adopt(RuleRun.revision(2, [higher]), at: 1) == [])
        #expect(run.samples([4.5], at: 2) == [])
        let evenHigher = Rule(name: "r", condition: .threshold(.init(above: 9)))
        #expect(run.adopt(RuleRun.revision(3, [evenHigher]), at: 3) == [])
        #expect(run.samples([4.5], at: 4) == ["clear r"])
        #expect(run.transitions.last?.id == raised)
    }

    @Test func aDurationGoesOnUnderANewRevision() throws {
        var run = try RuleRun(.sustained(above, for: .seconds(10)))
        run.samples([5], at: 0)
        run.adopt(
            RuleRun.revision(
                2, [Rule(name: "r", condition: .sustained(.threshold(.init(above: 2)), for: .seconds(8)))]),
            at: 1)
        #expect(run.samples([5], at: 7) == [])
        #expect(run.samples([5], at: 8) == ["trigger r"])
    }

    @Test func everyOtherChangeClearsWithItsCause() throws {
        let rule = Rule(name: "r", condition: above)
        let others: [(RuleRevision, String)] = [
            (RuleRun.revision(2, [Rule(name: "r", condition: .flatline(.init(after: .seconds(1))))]), "rule_changed"),
            (RuleRun.revision(2, [Rule(name: "r", condition: .sustained(above, for: .seconds(1)))]), "rule_changed"),
            (RuleRun.revision(2, [rule], channels: [1]), "no_longer_selected"),
            (RuleRevision(number: 2, rules: [rule]), "no_longer_selected"),
            (RuleRevision(number: 2, rules: [rule], deleted: ["pump"]), "sensor_deleted"),
            (RuleRun.revision(2, [rule], deleted: ["pump"]), "sensor_deleted"),
            (RuleRun.revision(2, [Rule(name: "r", condition: above, isEnabled: false)]), "rule_disabled"),
            (RuleRun.revision(2, [Rule(name: "q", condition: above)]), "rule_removed"),
            (RuleRevision(number: 2), "rule_removed"),
        ]
        for (revision, cause) in others {
            var run = RuleRun(RuleRun.revision(1, [rule]))
            #expect(run.samples([5], at: 0) == ["trigger r"])
            #expect(run.adopt(revision, at: 1) == ["clear r \(cause)"])
            let clear = try #require(run.transitions.last)
            #expect(clear.value == 5 && clear.limit == 1 && clear.id == run.transitions[0].id)
            #expect(clear.time == RuleRun.time(1) && clear.position == nil && clear.decided.offset == 2)
        }
    }

    @Test func anOldRevisionChangesNothing() throws {
        var run = try RuleRun(above)
        run.samples([5], at: 0)
        #expect(run.adopt(RuleRevision(number: 1), at: 1) == [])
        #expect(run.adopt(RuleRevision(number: 0), at: 1) == [])
        #expect(run.engine.revision == 1 && run.samples([0], at: 2) == ["clear r"])
    }

    @Test func aRuleThatChangesWhatItMeasuresForgetsWhatItRemembers() throws {
        var run = try RuleRun(.baseline(.init(sigmas: 3, window: .seconds(60), minimum: 2)))
        for second in 0..<10 { run.samples([1, 1.5], at: Double(second)) }
        let other = Rule(name: "r", condition: .baseline(.init(of: .rms, sigmas: 3, window: .seconds(60), minimum: 2)))
        run.adopt(RuleRun.revision(2, [other]), at: 10)
        #expect(run.samples([100, 100], at: 11) == [], "it learns again")
    }

    @Test func aNewSensorAndANewChannelAreJudgedFromTheirFirstFrameOn() throws {
        var run = RuleRun(RuleRevision(number: 1))
        #expect(run.samples([5], at: 0) == [])
        run.adopt(RuleRun.revision(2, [Rule(name: "r", condition: above)]), at: 1)
        #expect(run.samples([5], at: 2) == ["trigger r"])
    }

    @Test func channelsAreFoundByNameToo() throws {
        var run = try RuleRun(above)
        let frame = Frame(
            position: nil, start: RuleRun.time(0), rate: nil,
            blocks: [
                Block(channel: .name("y"), samples: .value(0)), Block(channel: .name("x"), samples: .value(3)),
            ])
        #expect(run.observe(frame, received: RuleRun.time(0)) == ["trigger r"])
    }

    // MARK: schedules

    @Test func maintenanceHoldsAlarmsBackAndQuietHoursMarkThem() throws {
        let zone = ZoneOffsets(changes: [.init(from: morning, seconds: 3600)])
        // 09:30 UTC on a Saturday is 10:30 there.
        let from = try #require(RuleSchedule.TimeOfDay("10:31"))
        let to = try #require(RuleSchedule.TimeOfDay("10:32"))
        let schedule = RuleSchedule(
            zone: "Test/Zone", quiet: [.init(days: [.sat], from: to, to: from)],
            maintenance: [.init(days: [.sat], from: from, to: to)],
            maintenanceWindows: [.init(from: RuleRun.time(300), to: RuleRun.time(360))])
        var run = try RuleRun(above, schedule: schedule, zones: ["Test/Zone": zone])
        #expect(run.samples([5], at: 0) == ["trigger r"])
        #expect(run.transitions.last?.isQuiet == false)
        #expect(run.samples([0], at: 60) == ["clear r"], "alarms clear during maintenance")
        #expect(run.samples([5], at: 61) == [] && run.samples([5], at: 119) == [])
        #expect(run.samples([5], at: 120) == ["trigger r"])
        #expect(run.transitions.last?.isQuiet == true)
        #expect(run.samples([0], at: 200) == ["clear r"])
        #expect(run.samples([5], at: 301) == [])
        #expect(run.samples([5], at: 360) == ["trigger r"])
    }

    @Test func hoursOverMidnightBelongToTheDayOnWhichTheyBegin() throws {
        let from = try #require(RuleSchedule.TimeOfDay("22:00"))
        let to = try #require(RuleSchedule.TimeOfDay("06:00"))
        let schedule = RuleSchedule(maintenance: [.init(days: [.fri], from: from, to: to)])
        var run = try RuleRun(above, schedule: schedule)
        let midnight = -9.5 * 3600
        #expect(run.samples([5], at: midnight - 86_400) == ["trigger r"], "the night from Thursday to Friday")
        #expect(run.samples([0], at: midnight - 7200) == ["clear r"], "Friday, 22:00")
        #expect(run.samples([5], at: midnight - 3600) == [])
        #expect(run.samples([5], at: midnight + 5 * 3600) == [])
        #expect(run.samples([5], at: midnight + 6 * 3600) == ["trigger r"])
    }

    @Test func silenceDuringMaintenanceIsRaisedByTheFirstTickAfterIt() throws {
        let schedule = RuleSchedule(maintenanceWindows: [.init(from: RuleRun.time(3), to: RuleRun.time(8))])
        var run = try RuleRun(.noData(.init(after: .seconds(4))), schedule: schedule)
        run.tick(0)
        run.samples([1], at: 0)
        for second in 1..<8 { #expect(run.tick(Double(second)) == []) }
        #expect(run.tick(8) == ["trigger r"])
    }

    // MARK: failures

    @Test func aRuleThatExceedsItsBudgetIsDisabledAlone() throws {
        let rules = [
            Rule(name: "a", condition: above), Rule(name: "costly", condition: .clipping(.init(high: 3))),
            Rule(name: "z", condition: .threshold(.init(below: -1))),
        ]
        var run = RuleRun(RuleRun.revision(1, rules), budget: RuleBudget(operationsMax: 101))
        #expect(run.samples([Float](repeating: 5, count: 100), at: 0) == ["trigger a", "trigger costly"])
        let said = run.samples([Float](repeating: -5, count: 101), at: 1)
        #expect(said == ["clear a", "trigger z", "clear costly rule_disabled", "trigger costly:failed"])
        #expect(run.engine.failures.map(\.rule) == ["costly"] && run.engine.counts.failures == 1)
        #expect(run.samples([5], at: 2) == ["trigger a", "clear z"])
        // It stays disabled until it is changed.
        #expect(run.adopt(RuleRun.revision(2, rules), at: 3) == [])
        #expect(run.samples([5], at: 4) == [])
        var changed = rules
        changed[1].condition = .clipping(.init(high: 4))
        #expect(run.adopt(RuleRun.revision(3, changed), at: 5) == ["clear costly:failed rule_changed"])
        #expect(run.samples([5], at: 6) == ["trigger costly"])
    }

    @Test func aRuleWithProblemsIsNotEvaluatedAndTheOthersAre() {
        let rules = [
            Rule(name: "word", condition: .word(.init(property: "state", isOneOf: ["asleep"]))),
            Rule(name: "r", condition: above),
        ]
        var run = RuleRun(RuleRun.revision(1, rules))
        #expect(run.samples([5], at: 0) == ["trigger r"])
        #expect(run.engine.refused.map(\.rule) == ["word"])
    }

    // MARK: flapping, text, actions

    @Test func fiveTriggersInTenMinutesAreFlapping() throws {
        var run = try RuleRun(above)
        for second in 0..<9 { run.samples([second.isMultiple(of: 2) ? 5 : 0], at: Double(second) * 75) }
        #expect(run.transitions.filter { $0.edge == .trigger }.map(\.isFlapping) == [false, false, false, false, true])
        #expect(run.samples([0], at: 9 * 75) == ["clear r"] && run.transitions.last?.isFlapping == true)
        #expect(run.samples([5], at: 5000) == ["trigger r"] && run.transitions.last?.isFlapping == false)
    }

    @Test func theMessageIsFilledIn() throws {
        var rule = Rule(name: "hot", condition: above, severity: .critical, runbook: "https://example.com/hot")
        rule.message = "{severity}: {sensor}/{channel} {value} {unit} > {limit} ({rule}) {"
        rule.actions = [
            .command(.init(name: "awake")), .command(.init(name: "calibrate")),
            .command(.init(name: "sleep", moment: .clear)),
        ]
        #expect(rule.problems == [])
        var run = RuleRun(RuleRun.revision(1, [rule]))
        run.samples([5.25], at: 0)
        run.samples([0], at: 1)
        #expect(run.transitions.first?.text == "critical: pump/x 5.25 g > 1 (hot) {")
        #expect(run.transitions.first?.runbook == "https://example.com/hot")
        #expect(run.transitions.first?.actions == Array(rule.actions[..<2]))
        #expect(run.transitions.last?.actions == [rule.actions[2]])
    }

    @Test func aTransitionIsAnAlarm() throws {
        var run = try RuleRun(above)
        run.samples([5], at: 0)
        run.adopt(RuleRevision(number: 2), at: 1)
        let alarms = run.transitions.map { $0.alarm(stream: "measurements.3", epoch: 4, isLate: true) }
        #expect(alarms.map(\.id) == ["pump/x/r/7/1", "pump/x/r/7/1"])
        #expect(
            alarms.map(\.cause) == ["", "rule_removed"] && alarms.allSatisfy { $0.isLate && $0.channelName == "x" })
        #expect(alarms.last?.origin == Alarm.Origin(stream: "measurements.3", epoch: 4, offset: 2))
        #expect(alarms.first?.unit == "g" && alarms.first?.position == FramePosition(boot: 1, sequence: 1))
    }
}
