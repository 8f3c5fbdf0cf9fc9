import Foundation
import Model
import Rules
import Testing
import Time

/// Every kind of condition with right values, also at the edges.
@Suite struct ConditionTests {
    // MARK: threshold

    @Test func thresholdHoldsAboveAndClearsAtTheHysteresis() throws {
        var run = try RuleRun(.threshold(.init(above: 80, hysteresis: 5)))
        let said = [Float(80), 80.5, 79, 75.5, 75, 80].enumerated().map { run.samples([$1], at: Double($0)) }
        #expect(said == [[], ["trigger r"], [], [], ["clear r"], []])
        let trigger = try #require(run.transitions.first)
        #expect(trigger.value == 80.5 && trigger.limit == 80 && trigger.unit == "g" && trigger.channel?.name == "x")
        #expect(trigger.time == RuleRun.time(1) && trigger.decided.offset == 2 && trigger.raised == trigger.decided)
        #expect(trigger.text == "pump x is 80.5 g, limit 80" && trigger.position?.sequence == 2)
        let clear = try #require(run.transitions.last)
        #expect(
            clear.id == trigger.id && clear.raised == trigger.raised && clear.decided.offset == 5 && clear.value == 75)
    }

    @Test(arguments: [
        (Condition.Statistic.mean, 2.0), (.min, -1), (.max, 5), (.rms, 3), (.peak, 5), (.span, 6),
        (.deviation, 5.0.squareRoot()),
    ])
    func aStatisticOfAFrameIsCompared(statistic: Condition.Statistic, value: Double) throws {
        let samples: [Float] = [-1, 1, 3, 5]
        var above = try RuleRun(.threshold(.init(of: statistic, above: value - 1e-6)))
        #expect(above.samples(samples, at: 0) == ["trigger r"])
        #expect(abs((above.transitions.first?.value ?? .nan) - value) < 1e-9)
        var notAbove = try RuleRun(.threshold(.init(of: statistic, above: value + 1e-6)))
        #expect(notAbove.samples(samples, at: 0) == [])
        var below = try RuleRun(.threshold(.init(of: statistic, below: value + 1e-6)))
        #expect(below.samples(samples, at: 0) == ["trigger r"])
    }

    @Test func bothSidesOfAThresholdAreOneAlarm() throws {
        var run = try RuleRun(.threshold(.init(above: 10, below: -10, hysteresis: 1)))
        #expect(run.samples([11], at: 0) == ["trigger r"])
        #expect(run.samples([-11], at: 1) == [], "outside on the other side")
        #expect(run.samples([-9.5], at: 2) == [])
        #expect(run.samples([-9], at: 3) == ["clear r"])
        #expect(run.samples([-10], at: 4) == [])
    }

    @Test func deviationOfASmallSignalOnALargeOffsetIsExact() throws {
        let samples = (0..<1000).map { Float(1000) + ($0.isMultiple(of: 2) ? 0.0625 : -0.0625) }
        var run = try RuleRun(.threshold(.init(of: .deviation, above: 0.0624)))
        #expect(run.samples(samples, at: 0) == ["trigger r"])
        #expect(run.transitions.first?.value == 0.0625)
    }

    // MARK: for

    @Test func aDurationIsThatOfTheSamples() throws {
        var run = try RuleRun(.sustained(.threshold(.init(above: 1)), for: .seconds(10)))
        #expect(run.samples([0, 0, 2, 2], at: 0, hertz: 1) == [], "above since 2 s")
        #expect(run.samples([2, 2, 2, 2], at: 4, hertz: 1) == [])
        #expect(run.samples([2, 2, 2, 2], at: 8, hertz: 1) == [], "9 s at the last sample")
        #expect(run.samples([2, 2, 2, 2], at: 12, hertz: 1) == ["trigger r"])
        #expect(run.samples([2, 2, 2, 0], at: 16, hertz: 1) == ["clear r"])
        #expect(run.samples([0, 0, 0, 0], at: 20, hertz: 1) == [])
    }

    @Test func aDurationWithinOneLongFrameIsFoundAndAWildSampleIsNot() throws {
        var minute = [Float](repeating: 0, count: 60)
        minute[55] = 9
        var wild = try RuleRun(.sustained(.threshold(.init(above: 1)), for: .seconds(10)))
        #expect(wild.samples(minute, at: 0, hertz: 1) == [])
        for index in 20...30 { minute[index] = 2 }
        #expect(wild.samples(minute, at: 60, hertz: 1) == ["trigger r"], "20 s to 30 s")
        #expect(wild.samples([Float](repeating: 0, count: 60), at: 120, hertz: 1) == ["clear r"])
    }

    @Test func aDurationHoldsExactlyFromItsLengthOn() throws {
        var run = try RuleRun(.sustained(.threshold(.init(above: 1)), for: .seconds(10)))
        for second in 0..<10 { #expect(run.samples([2], at: Double(second)) == []) }
        #expect(run.samples([2], at: 10) == ["trigger r"])
        var interrupted = try RuleRun(.sustained(.threshold(.init(above: 1)), for: .seconds(10)))
        for second in 0..<30 { #expect(interrupted.samples([second % 10 == 9 ? 1 : 2], at: Double(second)) == []) }
    }

    @Test func aDurationOfAFrameWiseNumberCountsFromTheFirstSample() throws {
        var run = try RuleRun(.sustained(.threshold(.init(of: .rms, above: 1)), for: .seconds(2)))
        #expect(run.samples([2, 2, 2, 2], at: 0, hertz: 4) == [])
        #expect(run.samples([2, 2, 2, 2], at: 1, hertz: 4) == [], "1.75 s")
        #expect(run.samples([2, 2, 2, 2], at: 2, hertz: 4) == ["trigger r"])
    }

    // MARK: rate of change

    @Test func rateOfChangeFromFrameToFrame() throws {
        var run = try RuleRun(.rateOfChange(.init(above: 60, per: .seconds(60), hysteresis: 6)))
        #expect(run.samples([20], at: 0) == [])
        #expect(run.samples([30], at: 10) == [], "60 a minute is not above 60")
        #expect(run.samples([41], at: 20) == ["trigger r"])
        #expect(run.transitions.first?.value == 66 && run.transitions.first?.unit == "g/1m")
        #expect(run.samples([50.5], at: 30) == [], "57 a minute")
        #expect(run.samples([59.5], at: 40) == ["clear r"], "54 a minute")
    }

    @Test func rateOfChangeOverATimeIsNotDisturbedByNoise() throws {
        var run = try RuleRun(.rateOfChange(.init(below: -1, over: .seconds(10))))
        for second in 0..<60 {
            #expect(run.samples([second.isMultiple(of: 2) ? 4 : -4], at: Double(second)) == [])
        }
        var fall = try RuleRun(.rateOfChange(.init(below: -1, over: .seconds(10))))
        var first: Int?
        for second in 0..<60 {
            if !fall.samples([Float(second) * -1.5], at: Double(second)).isEmpty, first == nil { first = second }
        }
        #expect(first == 10 && fall.transitions.first?.value == -1.5)
    }

    // MARK: baseline

    @Test func baselineHoldsOutsideOfTheUsualRange() throws {
        var run = try RuleRun(.baseline(.init(sigmas: 4, window: .seconds(600), minimum: 20)))
        for second in 0..<20 {
            #expect(run.samples([second.isMultiple(of: 2) ? 9 : 11], at: Double(second)) == [], "learning")
        }
        #expect(run.samples([13.5], at: 20) == [])
        #expect(run.samples([20], at: 21) == ["trigger r"])
        let trigger = try #require(run.transitions.first)
        #expect(trigger.value == 20 && (13.5...15.5).contains(trigger.limit))
        #expect(run.samples([10], at: 22) == ["clear r"])
        #expect(run.samples([0], at: 23) == ["trigger r"], "below, too")
    }

    @Test func baselineOfOneSideIgnoresTheOther() throws {
        var run = try RuleRun(.baseline(.init(sigmas: 3, window: .seconds(600), side: .below, minimum: 4)))
        for (second, value) in [Float(9), 11, 9, 11, 100].enumerated() {
            #expect(run.samples([value], at: Double(second)) == [])
        }
        #expect(run.samples([-200], at: 5) == ["trigger r"])
    }

    /// Nights at 10 and days at 50: by hour of day neither is unusual, and a day's value at night is.
    @Test func baselineByHourKnowsTheHour() throws {
        let zone = ZoneOffsets(changes: [.init(from: morning, seconds: 3600)])
        let condition = Condition.baseline(
            .init(sigmas: 5, window: .seconds(7 * 86_400), byHour: true, zone: "Test/Zone", minimum: 12))
        var run = try RuleRun(condition, zones: ["Test/Zone": zone])
        func usual(_ hour: Int) -> Float {
            // 09:30 UTC is 10:30 there.
            let local = (10 + hour) % 24
            return (local < 8 ? 10 : 50) + Float(hour % 2)
        }
        for quarter in 0..<(4 * 24 * 5) {
            let seconds = Double(quarter) * 900
            let minutes = 30 + quarter * 15
            #expect(run.samples([usual(minutes / 60) + Float(quarter % 3)], at: seconds) == [])
        }
        // Five days later, at 02:30 there, 16 hours after the beginning.
        #expect(run.samples([52], at: Double(5 * 86_400 + 16 * 3600)) == ["trigger r"])
    }

    // MARK: flatline, clipping, shift, dead

    @Test func flatlineHoldsAfterItsTime() throws {
        var run = try RuleRun(.flatline(.init(after: .seconds(3))))
        #expect(run.samples([5, 5], at: 0, hertz: 1) == [])
        #expect(run.samples([5, 5], at: 2, hertz: 1) == ["trigger r"])
        #expect(run.samples([5, 5.5], at: 4, hertz: 1) == ["clear r"])
        #expect(run.samples([5.5, 5.5], at: 6, hertz: 1) == [])
        #expect(run.samples([5.5, 5.5], at: 8, hertz: 1) == ["trigger r"], "since 6 s")
    }

    @Test func flatlineWithinARange() throws {
        var run = try RuleRun(.flatline(.init(after: .seconds(2), within: 0.5)))
        #expect(run.samples([1], at: 0) == [])
        #expect(run.samples([1.25], at: 1) == [])
        #expect(run.samples([1.5], at: 2) == ["trigger r"])
        #expect(run.transitions.first?.value == 0.5)
        #expect(run.samples([1.75], at: 3) == ["clear r"])
    }

    @Test func clippingAtTheConvertersRails() throws {
        var run = try RuleRun(.clipping(.init(share: 0.25)))
        func counts(_ counts: [Int16], _ second: Double) -> [String] {
            run.frame(
                [Block(channel: .number(0), samples: .counts(counts, scale: -0.5, offset: 1))], at: second,
                rate: SampleRate(hertz: 100))
        }
        #expect(counts([32_766, -32_767, 0, 0], 0) == [])
        #expect(counts([32_767, 0, 0, 0, 0], 1) == [], "a fifth")
        #expect(counts([-32_768, 0, 0, 0], 2) == ["trigger r"])
        #expect(run.transitions.first?.value == 0.25)
        #expect(counts([1, 2, 3, 4], 3) == ["clear r"])
        #expect(run.samples([1e9, 1e9], at: 4) == [], "other samples have no rails of their own")
    }

    @Test func clippingAtGivenRails() throws {
        var run = try RuleRun(.clipping(.init(high: 5)))
        #expect(run.samples([4.99, -1e6], at: 0) == [])
        #expect(run.samples([5, 0, 0, 0], at: 1) == ["trigger r"])
        #expect(run.samples([4, 4], at: 2) == ["clear r"])
    }

    @Test func shiftOfTheMean() throws {
        var run = try RuleRun(.shift(.init(by: 1, window: .seconds(10), hysteresis: 0.5)))
        for second in 0..<20 {
            #expect(run.samples([second.isMultiple(of: 2) ? 4.9 : 5.1], at: Double(second)) == [])
        }
        #expect(run.samples([6.2], at: 20) == ["trigger r"])
        for second in 21..<60 { #expect(run.samples([5.9], at: Double(second)) == [], "the reference waits") }
        #expect(run.samples([5.3], at: 60) == ["clear r"])
        #expect(run.samples([3.5], at: 61) == ["trigger r"])
        #expect((run.transitions.last?.value ?? 0) < -1 && run.transitions.last?.limit == -1)
    }

    @Test func deadChannel() throws {
        var run = try RuleRun(.dead(.init(below: 0.1, hysteresis: 0.1)))
        #expect(run.samples([3], at: 0) == [], "a single sample has no noise")
        #expect(run.samples([3, 3.5, 3, 3.5], at: 1) == [])
        #expect(run.samples([3, 3, 3, 3], at: 2) == ["trigger r"])
        #expect(run.samples([3, 3.3, 3, 3.3], at: 3) == [], "0.15 is within the hysteresis")
        #expect(run.samples([3, 4, 3, 4], at: 4) == ["clear r"])
    }

    // MARK: place

    @Test func leavingACircle() throws {
        let circle = Condition.Place.Circle(latitude: 50, longitude: 8, radius: 1000)
        var run = try RuleRun(.place(.init(when: .outside, circle: circle, margin: 100)))
        // A degree of latitude is 111.19 km.
        func at(_ metres: Double, _ second: Double) -> [String] {
            let place = GeoPosition(latitude: 50 + metres / 111_195.08, longitude: 8, altitude: 0)
            return run.samples([0], at: second, place: place)
        }
        #expect(at(0, 0) == [])
        #expect(at(999, 1) == [])
        #expect(at(1001, 2) == ["trigger r"])
        let value = try #require(run.transitions.first?.value)
        #expect(abs(value - 1) < 0.1 && run.transitions.first?.channel == nil)
        #expect(run.samples([0], at: 3) == [], "a frame without a place says nothing")
        #expect(at(950, 4) == [])
        #expect(at(899, 5) == ["clear r"])
    }

    @Test func enteringAPolygonAcrossTheDateLine() throws {
        let corners = [(10.0, 179.0), (10, -179), (12, -179), (12, 179)].map {
            Condition.Place.Corner(latitude: $0.0, longitude: $0.1)
        }
        var run = try RuleRun(.place(.init(when: .inside, polygon: corners)))
        func at(_ latitude: Double, _ longitude: Double, _ second: Double) -> [String] {
            run.samples([0], at: second, place: GeoPosition(latitude: latitude, longitude: longitude, altitude: 0))
        }
        #expect(at(11, 178.9, 0) == [])
        #expect(at(11, 179.9, 1) == ["trigger r"])
        #expect(at(11, -179.9, 2) == [])
        #expect(at(12.1, -179.9, 3) == ["clear r"])
        #expect(at(11, 0, 4) == [])
    }

    // MARK: counter

    @Test func aCounterThatRestartsIsNoFall() throws {
        var run = try RuleRun(.counter(.init(above: 9.5, below: 0.5)))
        #expect(run.samples([100], at: 0) == [])
        #expect(run.samples([105], at: 1) == [])
        #expect(run.samples([4], at: 2) == [], "restarted and counted 4")
        #expect(run.samples([14], at: 3) == ["trigger r"])
        #expect(run.transitions.first?.value == 10 && run.transitions.first?.unit == "g/s")
        #expect(run.samples([19], at: 4) == ["clear r"])
        #expect(run.samples([19], at: 5) == ["trigger r"], "it stands")
    }

    @Test func aCounterThatWraps() throws {
        var run = try RuleRun(.counter(.init(above: 100, per: .seconds(1), wrapsAt: 65_536)))
        #expect(run.samples([65_500], at: 0) == [])
        #expect(run.samples([40], at: 1) == [], "76 later")
        #expect(run.samples([150], at: 2) == ["trigger r"])
    }

    @Test func aCounterIsCountedOverAllSamplesOfAFrame() throws {
        var run = try RuleRun(.counter(.init(above: 7)))
        #expect(run.samples([1, 2, 3, 4], at: 0, hertz: 4) == [])
        #expect(run.samples([8, 1, 2, 3], at: 1, hertz: 4) == [], "4 + 1 + 1 + 1 in a second")
        #expect(run.samples([8, 1, 2, 4], at: 2, hertz: 4) == ["trigger r"], "5 + 1 + 1 + 2")
    }

    // MARK: no data

    @Test func silenceIsJudgedByTicks() throws {
        var run = try RuleRun(.noData(.init(after: .seconds(5))))
        run.tick(0)
        run.samples([1], at: 0.5)
        for second in 1...5 { #expect(run.tick(Double(second)) == [], "\(second)") }
        #expect(run.tick(6) == ["trigger r"])
        let trigger = try #require(run.transitions.first)
        #expect(trigger.value == 5.5 && trigger.limit == 5 && trigger.unit == "s" && trigger.position == nil)
        #expect(trigger.time == RuleRun.time(6) && trigger.channel == nil)
        #expect(run.tick(7) == [])
        #expect(run.samples([1], at: 7.5) == ["clear r"])
        for second in 8...12 { #expect(run.tick(Double(second)) == [], "\(second)") }
        #expect(run.tick(13) == ["trigger r"])
    }

    @Test func aGapBetweenTicksIsNotSilence() throws {
        var run = try RuleRun(.noData(.init(after: .seconds(5))))
        run.tick(0)
        run.samples([1], at: 0)
        for second in 1...4 { #expect(run.tick(Double(second)) == []) }
        #expect(run.tick(1000) == [], "nobody listened")
        #expect(run.tick(1001) == ["trigger r"])
        #expect(run.transitions.first?.value == 5)
    }

    @Test func silenceOfAChannelNeedsFiniteSamplesOfIt() throws {
        var run = try RuleRun(.noData(.init(after: .seconds(3), channel: "y")))
        run.tick(0)
        run.samples([1], at: 0, channel: 1)
        run.tick(1)
        run.samples([1], at: 1.5, channel: 0)
        run.tick(2)
        run.samples([.nan], at: 2.5, channel: 1)
        #expect(run.tick(3) == ["trigger r"])
        #expect(run.transitions.first?.channel?.name == "y")
        #expect(run.samples([1], at: 3.5, channel: 0) == [])
        #expect(run.samples([1], at: 4, channel: 1) == ["clear r"])
    }

    @Test func framesWithoutTicksAreNeverSilent() throws {
        var run = try RuleRun(.noData(.init(after: .seconds(1))))
        #expect(run.samples([1], at: 0) == [])
        #expect(run.samples([1], at: 1000) == [])
    }

    // MARK: all, any, not

    @Test func allOfTwoChannels() throws {
        var run = try RuleRun(
            .all([.threshold(.init(above: 1, channel: "x")), .threshold(.init(below: 1, channel: "y"))]))
        #expect(run.samples([2], at: 0, channel: 0) == [], "y is not known yet")
        #expect(run.samples([2], at: 1, channel: 1) == [])
        #expect(run.samples([0], at: 2, channel: 1) == ["trigger r"])
        #expect(run.transitions.first?.channel == nil && run.transitions.first?.value == 2)
        #expect(run.samples([1], at: 3, channel: 0) == ["clear r"])
    }

    @Test func anyAndNot() throws {
        var run = try RuleRun(
            .any([.threshold(.init(above: 10)), .not(.threshold(.init(above: 1, hysteresis: 0.5)))]))
        #expect(run.samples([5], at: 0) == [])
        #expect(run.samples([0.6], at: 1) == [], "not back yet")
        #expect(run.samples([0.5], at: 2) == ["trigger r"])
        #expect(run.samples([20], at: 3) == [])
        #expect(run.samples([5], at: 4) == ["clear r"])
    }

    @Test func aRuleOnSeveralChannelsIsSeveralAlarms() throws {
        var run = RuleRun(
            RuleRun.revision(1, [Rule(name: "r", condition: .threshold(.init(above: 1)))], channels: [0, 1]))
        #expect(run.samples([2], at: 0, channel: 0) == ["trigger r"])
        #expect(run.samples([2], at: 1, channel: 1) == ["trigger r"])
        #expect(run.samples([0], at: 2, channel: 0) == ["clear r"])
        #expect(Set(run.transitions.map(\.id)).count == 2)
        #expect(run.transitions.map { $0.channel?.name } == ["x", "y", "x"])
    }

    // MARK: NaN

    /// A frame without a finite sample neither satisfies nor clears, whatever the condition.
    @Test(arguments: [
        Condition.threshold(.init(above: 1)), .not(.threshold(.init(above: 1))),
        .sustained(.threshold(.init(above: 1)), for: .seconds(1)), .flatline(.init(after: .seconds(1))),
        .dead(.init(below: 1)), .rateOfChange(.init(above: 0.5)), .clipping(.init(high: 1)),
        .counter(.init(above: 0.5)), .shift(.init(by: 1, window: .seconds(1))),
        .baseline(.init(sigmas: 1, window: .seconds(5), minimum: 2)),
    ])
    func nanNeitherSatisfiesNorClears(condition: Condition) throws {
        var run = try RuleRun(condition)
        var plain = try RuleRun(condition)
        let nothing: [Float] = [.nan, .infinity, -.infinity, .nan]
        for second in 0..<40 {
            let samples: [Float] =
                switch second / 5 % 4 {
                case 0: [0, 0, 0, 0]
                case 1: [5, 5, 5, 5]
                case 2: [7, 9, 7, 9]
                default: [3, 3, 3, 3]
                }
            let at = Double(second)
            #expect(run.samples(samples, at: at, hertz: 8) == plain.samples(samples, at: at, hertz: 8))
            #expect(run.samples(nothing, at: at + 0.5, hertz: 8) == [])
            plain.frame(
                [Block(channel: .number(5), samples: .floats(nothing))], at: at + 0.5, rate: SampleRate(hertz: 8))
        }
        #expect(run.words == plain.words && !run.words.isEmpty)
    }
}
