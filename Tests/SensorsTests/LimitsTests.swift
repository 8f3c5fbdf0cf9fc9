import Sensors
import Testing

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

    /// Whatever comes: edges alternate, each clear has the id of the trigger before it, and the state says which is on.
    @Test(arguments: 0..<20)
    func edgesAlternate(round: UInt64) throws {
        var random = Seeded(round)
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
