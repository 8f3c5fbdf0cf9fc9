import Foundation
import Model
import Rules
import Simulation
import Testing
import Time

/// 2026-11-21T09:30:00Z.
private let now = Timestamp(unixNanoseconds: 1_795_253_400_000_000_000)

@Suite struct LimitsTests {
    private let limits = ChannelLimits(high: 80, low: 10, hysteresis: 5)

    private func row(_ samples: [Float], at seconds: Int64 = 0) throws -> LimitObservation {
        LimitObservation(
            sensor: try #require(SerialNumber("pump")), channel: 3, channelName: "temperature",
            time: now.advanced(bySeconds: seconds), position: FramePosition(boot: 1, sequence: seconds),
            statistics: SampleStatistics(.floats(samples)))
    }

    /// One word for each edge.
    private func words(_ edges: [(edge: Alarm.Edge, alarm: Alarm)]) -> [String] {
        edges.map { "\($0.edge.rawValue) \($0.alarm.rule)" }
    }

    @Test func anAlarmIsRaisedAboveTheLimitAndClearsBelowTheHysteresis() throws {
        var state = LimitState()
        var said: [[String]] = []
        for (second, value) in [Float(80), 80.5, 79, 75.5, 75, 80].enumerated() {
            let result = limits.evaluate(try row([value], at: Int64(second)), after: state)
            state = result.state
            said.append(words(result.edges))
        }
        #expect(said == [[], ["trigger limit:temperature:high"], [], [], ["clear limit:temperature:high"], []])
        #expect(state.raised == nil && state.asOf == now.advanced(bySeconds: 5))
    }

    @Test func theLowSideIsTheSameUpsideDown() throws {
        var state = LimitState()
        var said: [[String]] = []
        for (second, value) in [Float(10), 9, 14.5, 15].enumerated() {
            let result = limits.evaluate(try row([value], at: Int64(second)), after: state)
            state = result.state
            said.append(words(result.edges))
        }
        #expect(said == [[], ["trigger limit:temperature:low"], [], ["clear limit:temperature:low"]])
    }

    @Test func anyOneSampleRaisesAndAllMustComeBack() throws {
        let raised = limits.evaluate(try row([20, 81, 20]), after: LimitState())
        #expect(words(raised.edges) == ["trigger limit:temperature:high"])
        #expect(raised.edges.first?.alarm.value == 81 && raised.edges.first?.alarm.limit == 80)
        #expect(limits.evaluate(try row([20, 76, 20], at: 1), after: raised.state).edges.isEmpty)
        #expect(limits.evaluate(try row([20, 75, 20], at: 1), after: raised.state).edges.count == 1)
    }

    @Test func aRowThatFallsFromHighToLowClearsBeforeItTriggers() throws {
        let high = limits.evaluate(try row([90]), after: LimitState())
        let low = limits.evaluate(try row([5], at: 1), after: high.state)
        #expect(words(low.edges) == ["clear limit:temperature:high", "trigger limit:temperature:low"])
        #expect(low.edges.first?.alarm.id == high.edges.first?.alarm.id)
        #expect(low.edges.last?.alarm.id != high.edges.first?.alarm.id && low.state.raised?.side == .low)
    }

    @Test func theClearCarriesTheIdOfItsTrigger() throws {
        let raised = limits.evaluate(try row([90]), after: LimitState())
        let trigger = try #require(raised.edges.first?.alarm)
        #expect(trigger.id == "pump/3/high/1795253400000000000")
        #expect(raised.state.raised == LimitState.Raised(id: trigger.id, side: .high, since: now))
        let cleared = limits.evaluate(try row([50], at: 9), after: raised.state)
        let clear = try #require(cleared.edges.first?.alarm)
        #expect(clear.id == trigger.id && clear.at == now.advanced(bySeconds: 9) && clear.value == 50)
        #expect(trigger.position == FramePosition(boot: 1, sequence: 0) && trigger.channel == 3)
    }

    @Test func theSameRowAfterTheSameStateSaysTheSameWordForWord() throws {
        let first = limits.evaluate(try row([90]), after: LimitState())
        let second = limits.evaluate(try row([90]), after: LimitState())
        #expect(first.state == second.state && first.edges.map(\.alarm) == second.edges.map(\.alarm))
    }

    @Test func nanAloneChangesNothingAndAmongOthersIsPassedOver() throws {
        let state = limits.evaluate(try row([90]), after: LimitState()).state
        let onlyNan = limits.evaluate(try row([.nan, .infinity, -.infinity], at: 1), after: state)
        #expect(onlyNan.state == state && onlyNan.edges.isEmpty)
        let mixed = limits.evaluate(try row([.nan, 50, .infinity], at: 1), after: state)
        #expect(words(mixed.edges) == ["clear limit:temperature:high"])
    }

    @Test func rowsThatComeLateChangeNothing() throws {
        let state = limits.evaluate(try row([90], at: 10), after: LimitState()).state
        let late = limits.evaluate(try row([20], at: 9), after: state)
        #expect(late.state == state && late.edges.isEmpty)
        #expect(limits.evaluate(try row([20], at: 10), after: state).edges.count == 1)
    }

    @Test(arguments: [
        (ChannelLimits(), Float(90), LimitSide.high), (ChannelLimits(low: 10), 90, .high),
        (ChannelLimits(high: 80), 5, .low),
    ])
    func aLimitThatIsTakenAwayClearsItsAlarm(left: ChannelLimits, value: Float, side: LimitSide) throws {
        let state = limits.evaluate(try row([value]), after: LimitState()).state
        #expect(state.raised?.side == side)
        let result = left.evaluate(try row([value], at: 1), after: state)
        #expect(words(result.edges) == ["clear limit:temperature:\(side.rawValue)"] && result.state.raised == nil)
    }

    @Test func withoutLimitsNothingIsSaid() throws {
        let result = ChannelLimits().evaluate(try row([-1e30, 1e30]), after: LimitState())
        #expect(result.edges.isEmpty && result.state.asOf == now)
    }

    @Test func aNegativeHysteresisIsNone() {
        #expect(ChannelLimits(high: 1, hysteresis: -3).hysteresis == 0)
    }

    /// A steady sine above its limit, in frames that full minutes cut: one alarm, from the first frame on, and no clear.
    @Test func aFrameIsJudgedAsAFrameHoweverItIsCut() throws {
        let limits = ChannelLimits(high: 80, hysteresis: 5)
        let rate = try #require(SampleRate(hertz: 500))
        let length = 510
        let serial = try #require(SerialNumber("pump"))
        func judge(_ row: MeasurementRow, _ state: inout LimitState) -> [(edge: Alarm.Edge, alarm: Alarm)] {
            let observation = LimitObservation(
                sensor: serial, channel: 3, channelName: "x", time: row.time, position: row.position,
                statistics: row.statistics)
            let result = limits.evaluate(observation, after: state)
            state = result.state
            return result.edges
        }
        var (whole, cut) = (LimitState(), LimitState())
        var (wholeEdges, cutEdges): ([(edge: Alarm.Edge, alarm: Alarm)], [(edge: Alarm.Edge, alarm: Alarm)]) = ([], [])
        // The first full minute cuts seven samples off a frame, all below zero.
        let start = now.advanced(byNanoseconds: -61_034_000_000)
        for first in stride(from: 0, to: 4 * 60 * 500, by: length) {
            let samples = (first..<first + length).map { index -> Float in
                let turns = Double(index + 25) / 50
                return Float(81 * sin(2 * Double.pi * turns))
            }
            let frame = Frame(
                position: FramePosition(boot: 1, sequence: 0),
                start: start.advanced(byNanoseconds: rate.nanoseconds(toSample: Int64(first))), rate: rate,
                blocks: [Block(channel: .number(3), samples: .floats(samples))])
            RowCutter(clockRule: ClockRule()).cut(
                frame, sensor: 1, received: now.advanced(bySeconds: 300), channelNumber: { _ in 3 },
                whole: { wholeEdges += judge($0, &whole) }, into: { cutEdges += judge($0, &cut) })
        }
        #expect(words(wholeEdges) == ["trigger limit:x:high"])
        #expect(wholeEdges.first?.alarm.at == start)
        #expect(wholeEdges.first?.alarm.id == "pump/3/high/\(start.unixNanoseconds)")
        #expect(words(cutEdges).contains("clear limit:x:high"), "or this sine tests nothing")
    }

    /// Whatever comes: edges alternate, each clear has the id of the trigger before it, and the state says which is on.
    @Test(arguments: 0..<20)
    func edgesAlternate(round: UInt64) throws {
        var random = SplitMix64(seed: round)
        var state = LimitState()
        var open: String?
        for second in 0..<200 {
            let value = Float.random(in: -20...110, using: &random)
            let result = limits.evaluate(try row([value], at: Int64(second)), after: state)
            for (edge, alarm) in result.edges {
                #expect(edge == .trigger ? open == nil : open == alarm.id)
                open = edge == .trigger ? alarm.id : nil
            }
            state = result.state
            #expect(state.raised?.id == open)
            if value > 80 { #expect(state.raised?.side == .high) }
            if value < 10 { #expect(state.raised?.side == .low) }
            if (15...75).contains(value) { #expect(state.raised == nil) }
        }
    }
}
