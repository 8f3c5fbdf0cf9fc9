import Foundation
import Model
import Rules
import Simulation
import Testing
import Time

/// Limits that `iotctl set … limits.*` sets, as rules: what `ChannelLimits` says of the same frames.
@Suite struct LimitRuleTests {
    private func run(_ limits: ChannelLimits = ChannelLimits(high: 80, low: 10, hysteresis: 5)) -> RuleRun {
        RuleRun(RuleRun.revision(1, [], limits: [RuleRevision.Limits(channel: 0, limits)]))
    }

    @Test func theyHaveTheirPublicNamesAndTexts() throws {
        var run = run()
        let said = [Float(80), 80.5, 79, 75.5, 75, 80].enumerated().map { run.samples([$1], at: Double($0)) }
        #expect(said == [[], ["trigger limit:x:high"], [], [], ["clear limit:x:high"], []])
        let trigger = try #require(run.transitions.first)
        #expect(
            trigger.text == "pump x is 80.5, high limit 80.0" && trigger.leaf == "high" && trigger.severity == .warning)
        #expect(trigger.id == "pump/x/limit:x:high/7/2")
    }

    @Test func theLowSideIsTheSameUpsideDown() {
        var run = run()
        let said = [Float(10), 9, 14.5, 15].enumerated().map { run.samples([$1], at: Double($0)) }
        #expect(said == [[], ["trigger limit:x:low"], [], ["clear limit:x:low"]])
    }

    @Test func anyOneSampleRaisesAndAllMustComeBack() {
        var run = run()
        #expect(run.samples([20, 81, 20], at: 0) == ["trigger limit:x:high"])
        #expect(run.transitions.first?.value == 81 && run.transitions.first?.limit == 80)
        #expect(run.samples([20, 76, 20], at: 1) == [])
        #expect(run.samples([20, 75, 20], at: 2) == ["clear limit:x:high"])
    }

    @Test func aFrameThatFallsFromHighToLowClearsBeforeItTriggers() {
        var run = run()
        run.samples([90], at: 0)
        #expect(run.samples([5], at: 1) == ["clear limit:x:high", "trigger limit:x:low"])
        #expect(run.transitions[1].id == run.transitions[0].id && run.transitions[2].id != run.transitions[0].id)
        #expect(run.transitions[1].value == 5 && run.transitions[2].limit == 10)
    }

    @Test func nanAloneChangesNothingAndAmongOthersIsPassedOver() {
        var run = run()
        run.samples([90], at: 0)
        #expect(run.samples([.nan, .infinity, -.infinity], at: 1) == [])
        #expect(run.samples([.nan, 50, .infinity], at: 2) == ["clear limit:x:high"])
    }

    @Test func framesThatComeLateChangeNothing() {
        var run = run()
        run.frame([Block(channel: .number(0), samples: .floats([90]))], at: 10, sequence: 10)
        let calm = [Block(channel: .number(0), samples: .floats([20]))]
        #expect(run.frame(calm, at: 9, sequence: 9) == [])
        #expect(run.frame(calm, at: 10, sequence: 10) == [], "the same again")
        #expect(run.engine.counts.late == 2)
        #expect(run.frame(calm, at: 10, sequence: 11) == ["clear limit:x:high"])
    }

    @Test(arguments: [
        (ChannelLimits(low: 10), Float(90), "high"), (ChannelLimits(high: 80), 5, "low"),
    ])
    func aLimitThatIsTakenAwayClearsItsAlarm(left: ChannelLimits, value: Float, side: String) {
        var run = run()
        #expect(run.samples([value], at: 0) == ["trigger limit:x:\(side)"])
        #expect(run.adopt(RuleRun.revision(2, [], limits: [RuleRevision.Limits(channel: 0, left)]), at: 1) == [])
        #expect(run.samples([value], at: 2) == ["clear limit:x:\(side)"])
    }

    @Test func limitsThatAreTakenAwayClearTheirAlarmAtOnce() {
        var run = run()
        run.samples([90], at: 0)
        #expect(run.adopt(RuleRun.revision(2, []), at: 1) == ["clear limit:x:high rule_removed"])
        #expect(run.samples([90], at: 2) == [])
    }

    /// A steady sine above its limit, in frames that full minutes cut: one alarm, from the first frame on, and no clear.
    @Test func aFrameIsJudgedAsAFrameHoweverItIsCut() throws {
        var run = run(ChannelLimits(high: 80, hysteresis: 5))
        let length = 510
        for first in stride(from: 0, to: 4 * 60 * 500, by: length) {
            let samples = (first..<first + length).map { index -> Float in
                let turns = Double(index + 25) / 50
                return Float(81 * sin(2 * Double.pi * turns))
            }
            run.samples(samples, at: -61.034 + Double(first) / 500, hertz: 500)
        }
        #expect(run.words == ["trigger limit:x:high"])
        #expect(run.transitions.first?.time == RuleRun.time(-61.034))
    }

    /// The engine and `ChannelLimits.evaluate` say the same about random frames.
    @Test(arguments: 0..<40)
    func theySayWhatLimitsSaid(round: UInt64) throws {
        var random = SplitMix64(seed: round)
        let sides = Int.random(in: 1...3, using: &random)
        let limits = ChannelLimits(
            high: sides & 1 == 1 ? 80 : nil, low: sides & 2 == 2 ? 10 : nil,
            hysteresis: Double.random(in: -5...30, using: &random))
        var run = run(limits)
        var state = LimitState()
        for second in 0..<200 {
            let samples: [Float] = (0..<Int.random(in: 1...3, using: &random)).map { _ in
                Int.random(in: 0..<10, using: &random) == 0 ? .nan : Float.random(in: -20...110, using: &random)
            }
            let result = limits.evaluate(
                LimitObservation(
                    sensor: RuleRun.serial, channel: 0, channelName: "x", time: RuleRun.time(Double(second)),
                    position: nil, statistics: SampleStatistics(.floats(samples))), after: state)
            state = result.state
            let before = run.transitions.count
            run.samples(samples, at: Double(second))
            let said = run.transitions[before...]
            #expect(said.map(\.edge) == result.edges.map(\.edge))
            #expect(said.map(\.publicRule) == result.edges.map(\.alarm.rule))
            #expect(said.map(\.value) == result.edges.map(\.alarm.value))
            #expect(said.map(\.limit) == result.edges.map(\.alarm.limit))
            #expect(said.map(\.text) == result.edges.map(\.alarm.text))
            #expect(said.map(\.time) == result.edges.map(\.alarm.at))
        }
    }
}
