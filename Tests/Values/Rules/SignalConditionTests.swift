import Foundation
import Model
import Rules
import Testing
import Time

/// Conditions that filter samples, on sines whose values are known.
@Suite struct SignalConditionTests {
    /// Frames of 250 samples at 1 kHz of a sine with that amplitude; says what each frame says.
    private func feed(
        _ run: inout RuleRun, _ hertz: Double, amplitude: Double, frames: Range<Int>, offset: Double = 0
    ) -> [String] {
        var said: [String] = []
        for frame in frames {
            let samples = (0..<250).map { index -> Float in
                let time = Double(frame * 250 + index) / 1000
                return Float(offset + amplitude * sin(2 * .pi * hertz * time))
            }
            said += run.frame(
                [Block(channel: .number(0), samples: .floats(samples))], at: Double(frame) * 0.25,
                rate: SampleRate(hertz: 1000), sequence: Int64(frame))
        }
        return said
    }

    @Test func bandIsTheRootMeanSquareOfItsFrequencies() throws {
        // 4 · sin has 2.828 rms; what lies outside of the band does not count.
        var inside = try RuleRun(.band(.init(from: 20, to: 200, above: 2.7, hysteresis: 0.2)))
        #expect(feed(&inside, 60, amplitude: 4, frames: 0..<3) == [], "the window is not full")
        #expect(feed(&inside, 60, amplitude: 4, frames: 3..<12) == ["trigger r"])
        let trigger = try #require(inside.transitions.first)
        #expect(abs(trigger.value - 8.0.squareRoot()) < 0.03 && trigger.limit == 2.7 && trigger.unit == "g")
        #expect(trigger.text.hasPrefix("rms of 20 to 200 Hz of pump x is 2.8"))
        #expect(feed(&inside, 60, amplitude: 3.7, frames: 12..<30) == [], "2.62 is within the hysteresis")
        #expect(feed(&inside, 60, amplitude: 3.4, frames: 30..<48) == ["clear r"])
        var below = try RuleRun(.band(.init(from: 20, to: 200, above: 0.5)))
        #expect(feed(&below, 2, amplitude: 4, frames: 0..<40, offset: 100) == [])
        var above = try RuleRun(.band(.init(from: 2, to: 20, above: 0.5)))
        #expect(feed(&above, 200, amplitude: 4, frames: 0..<40) == [])
        var quiet = try RuleRun(.band(.init(from: 20, to: 200, below: 2.9)))
        #expect(feed(&quiet, 60, amplitude: 4, frames: 0..<12) == ["trigger r"])
    }

    @Test func aBandBeginsAnewAfterALossAndKeepsItsAlarm() throws {
        var run = try RuleRun(.band(.init(from: 20, to: 200, above: 2.7)))
        #expect(feed(&run, 60, amplitude: 4, frames: 0..<12) == ["trigger r"])
        // Frame 12 is lost, and 13 to 18 fill the filter and the window anew.
        #expect(feed(&run, 60, amplitude: 0, frames: 13..<17) == [])
        #expect(feed(&run, 60, amplitude: 0, frames: 17..<20) == ["clear r"])
    }

    @Test func machineZonesAreOfVelocity() throws {
        // 1 g at 100 Hz is 9806.65 / (2π 100) = 15.6 mm/s, 11.04 rms: 0.3 g is 3.31 mm/s, zone C of group 2 on rigid foundations.
        let amplitude = 0.3
        let velocity = amplitude * 9806.65 / (2 * .pi * 100) / 2.0.squareRoot()
        var zoneC = try RuleRun(.machine(.init(group: .mediumRigid, zone: .c, unit: .g)))
        #expect(feed(&zoneC, 100, amplitude: amplitude, frames: 0..<20, offset: 1) == ["trigger r"])
        let trigger = try #require(zoneC.transitions.first)
        #expect(abs(trigger.value / velocity - 1) < 0.01 && trigger.limit == 2.8 && trigger.unit == "mm/s")
        var zoneD = try RuleRun(.machine(.init(group: .mediumRigid, zone: .d, unit: .g)))
        #expect(feed(&zoneD, 100, amplitude: amplitude, frames: 0..<20, offset: 1) == [])
        var metres = try RuleRun(.machine(.init(group: .mediumRigid, zone: .c, unit: .metresPerSecond)))
        #expect(feed(&metres, 100, amplitude: velocity * 2.0.squareRoot() / 1000, frames: 0..<20) == ["trigger r"])
        let borders = Condition.Machine.Borders(ab: 1, bc: velocity * 1.02, cd: velocity * 2)
        var own = try RuleRun(.machine(.init(borders: borders, zone: .c, unit: .g)))
        #expect(feed(&own, 100, amplitude: amplitude, frames: 0..<20) == [])
        var better = try RuleRun(.machine(.init(borders: borders, zone: .b, unit: .g)))
        #expect(feed(&better, 100, amplitude: amplitude, frames: 0..<20) == ["trigger r"])
    }

    @Test func crestFactorAndKurtosisOfSinesAndSpikes() throws {
        func spikes(_ height: Float) -> [Float] {
            (0..<1000).map { $0 % 500 == 17 ? height : Float(sin(2 * .pi * Double($0) / 20)) }
        }
        var crest = try RuleRun(.crestFactor(.init(above: 3, hysteresis: 1)))
        var kurtosis = try RuleRun(.kurtosis(.init(above: 3, hysteresis: 1)))
        for (second, height, expected) in [(0, Float(0), [String]()), (1, 5, ["trigger r"]), (2, 0, ["clear r"])] {
            #expect(crest.samples(spikes(height), at: Double(second), hertz: 1000) == expected)
            #expect(kurtosis.samples(spikes(height), at: Double(second), hertz: 1000) == expected)
        }
        #expect(abs((crest.transitions.last?.value ?? 0) - 2.0.squareRoot()) < 0.01)
        #expect(abs((kurtosis.transitions.last?.value ?? 0) - 1.5) < 0.01)
        #expect(crest.transitions.last?.unit == "")
    }

    @Test func aWindowOfMomentsForgets() throws {
        var run = try RuleRun(.crestFactor(.init(above: 3, window: .seconds(4))))
        let sine = (0..<100).map { Float(sin(2 * .pi * Double($0) / 20)) }
        var spike = sine
        spike[50] = 6
        for second in 0..<6 { #expect(run.samples(sine, at: Double(second), hertz: 100) == []) }
        #expect(run.samples(spike, at: 6, hertz: 100) == ["trigger r"])
        for second in 7..<10 { #expect(run.samples(sine, at: Double(second), hertz: 100) == []) }
        #expect(run.samples(sine, at: 10, hertz: 100) == ["clear r"])
    }

    @Test func particleVelocityIsComparedAtItsFrequency() throws {
        // DIN 4150-3, line 2: 5 mm/s up to 10 Hz, 15 mm/s at 50 Hz.
        let condition = Condition.particleVelocity(.init(standard: "din-4150-3-line-2", unit: .millimetresPerSecond))
        var slow = try RuleRun(condition)
        #expect(feed(&slow, 8, amplitude: 6, frames: 0..<60) == ["trigger r"])
        #expect(abs((slow.transitions.first?.value ?? 0) - 1.2) < 0.03 && slow.transitions.first?.limit == 1)
        var fast = try RuleRun(condition)
        #expect(feed(&fast, 50, amplitude: 14, frames: 0..<60) == [])
        #expect(feed(&fast, 50, amplitude: 16, frames: 60..<80) == ["trigger r"])
        #expect(feed(&fast, 50, amplitude: 0.01, frames: 80..<90) == ["clear r"])
        var share = try RuleRun(
            .particleVelocity(.init(curve: [.init(hertz: 10, limit: 10)], unit: .millimetresPerSecond, share: 0.5)))
        #expect(feed(&share, 8, amplitude: 6, frames: 0..<60) == ["trigger r"])
    }

    /// Neither the cut of the stream into frames nor a restart changes what is measured.
    @Test func restartsWithinAWindowChangeNothing() throws {
        let rules = [
            Condition.band(.init(from: 20, to: 200, above: 2.7, window: .seconds(2))),
            .machine(.init(group: .classI, zone: .c, unit: .metresPerSecondSquared)),
            .particleVelocity(.init(standard: "din-4150-3-line-1", unit: .millimetresPerSecond)),
            .kurtosis(.init(above: 2, window: .seconds(3))),
        ].enumerated().map { Rule(name: "r\($0)", condition: $1) }
        let revision = RuleRun.revision(1, rules)
        var plain = RuleRun(revision)
        var restarted = RuleRun(revision)
        for frame in 0..<80 {
            let amplitude = frame / 20 % 2 == 0 ? 30.0 : 1
            _ = feed(&plain, 60, amplitude: amplitude, frames: frame..<frame + 1)
            restarted.engine = try RuleEngine(decoding: restarted.engine.encoded(), revision)
            _ = feed(&restarted, 60, amplitude: amplitude, frames: frame..<frame + 1)
        }
        #expect(plain.transitions == restarted.transitions && plain.transitions.count >= 4)
        #expect(plain.engine.encoded() == restarted.engine.encoded())
    }
}
