import Foundation
import Model
import Rules
import Simulation
import Testing
import Time

/// Random rules, signals, losses, duplicates, ticks and revisions: an engine that is encoded and decoded at random points says
/// what one says that is not.
@Suite struct RulePropertyTests {
    private enum Event {
        case frame(Frame, SerialNumber, Timestamp)
        case tick(Timestamp)
        case revision(RuleRevision, Timestamp)
    }

    private static let names = ["pump", "fan", "door"]

    @Test(arguments: 0..<40)
    func restartsChangeNothing(round: UInt64) throws {
        var random = SplitMix64(seed: round &* 7919)
        let first = Self.revision(1, &random)
        let events = Self.events(&random)
        var plain = RuleEngine(first)
        var restarted = RuleEngine(first)
        var current = first
        var (said, saidAgain): ([RuleTransition], [RuleTransition]) = ([], [])
        for (offset, event) in events.enumerated() {
            let position = StreamPosition(incarnation: 3, offset: Int64(offset))
            if Int.random(in: 0..<12, using: &random) == 0 {
                let bytes = restarted.encoded()
                #expect(try RuleEngine.revision(ofEncoded: bytes) == current.number)
                restarted = try RuleEngine(decoding: bytes, current)
                #expect(restarted.encoded() == bytes)
            }
            switch event {
            case .frame(let frame, let serial, let received):
                plain.observe(frame, of: serial, at: position, received: received, into: &said)
                let statistics = frame.blocks.map { SampleStatistics($0.samples) }
                restarted.observe(
                    frame, of: serial, statistics: statistics, at: position, received: received, into: &saidAgain)
            case .tick(let stamp):
                plain.tick(stamp, at: position, into: &said)
                restarted.tick(stamp, at: position, into: &saidAgain)
            case .revision(let revision, let stamp):
                current = revision
                plain.adopt(revision, at: position, stamp: stamp, into: &said)
                restarted.adopt(revision, at: position, stamp: stamp, into: &saidAgain)
            }
            try #require(said == saidAgain)
        }
        #expect(plain.encoded() == restarted.encoded())
        #expect(said.count > 10, "or it tests nothing")
        Self.checkLife(of: said)
    }

    /// Edges alternate: a clear ends the alarm that its id names, and no alarm is raised twice.
    private static func checkLife(of transitions: [RuleTransition]) {
        var open: [String: String] = [:]
        var ids: Set<String> = []
        for transition in transitions {
            let key = "\(transition.serial)/\(transition.rule)/\(transition.leaf)/\(transition.channel?.name ?? "")"
            switch transition.edge {
            case .trigger:
                #expect(open[key] == nil && transition.raised == transition.decided && transition.cause == nil)
                #expect(ids.insert(transition.id).inserted)
                open[key] = transition.id
            case .clear:
                #expect(open[key] == transition.id)
                open[key] = nil
            }
        }
    }

    /// "Above for d" against a loop over all samples: what the statistics of a frame decide is what its samples say.
    @Test(arguments: 0..<40)
    func durationsAreThoseOfTheSamples(round: UInt64) throws {
        var random = SplitMix64(seed: round &+ 4711)
        let (above, hysteresis) = (1.0, Double.random(in: 0...1, using: &random))
        let duration = Int64.random(in: 1...30, using: &random)
        var run = try RuleRun(
            .sustained(
                .threshold(.init(above: above, hysteresis: hysteresis)),
                for: RuleDuration(.milliseconds(100 * duration))))
        var (isAbove, since, isRaised, sample) = (false, Int64(0), false, Int64(0))
        var level = 0.0
        var triggers = 0
        for _ in 0..<150 {
            let isNoisy = Bool.random(using: &random)
            let samples: [Float] = (0..<Int.random(in: 1...24, using: &random)).map { _ in
                level = max(-1, min(3, level + Double.random(in: -0.4...0.4, using: &random)))
                return Float(level + (isNoisy ? Double.random(in: -1...1, using: &random) : 0))
            }
            let wasRaised = isRaised
            var isHeld = false
            for (index, value) in samples.enumerated() {
                let time = sample + Int64(index)
                if isAbove, Double(value) <= above - hysteresis {
                    let isNew = index > 0 && (!wasRaised || since >= sample)
                    if isNew, time - 1 - since >= duration { isHeld = true }
                    isAbove = false
                } else if !isAbove, Double(value) > above {
                    (isAbove, since) = (true, time)
                }
            }
            if isAbove, sample + Int64(samples.count) - 1 - since >= duration { isHeld = true }
            let said = run.samples(samples, at: Double(sample) / 10, hertz: 10)
            #expect(said == (isHeld == wasRaised ? [] : [isHeld ? "trigger r" : "clear r"]))
            isRaised = isHeld
            triggers += isHeld && !wasRaised ? 1 : 0
            sample += Int64(samples.count)
        }
        #expect(triggers > 0 || duration > 5)
    }

    @Test func damagedStateIsRefused() throws {
        var random = SplitMix64(seed: 5)
        let revision = Self.revision(1, &random)
        var engine = RuleEngine(revision)
        var said: [RuleTransition] = []
        for (offset, event) in Self.events(&random).prefix(80).enumerated() {
            guard case .frame(let frame, let serial, let received) = event else { continue }
            engine.observe(
                frame, of: serial, at: StreamPosition(incarnation: 1, offset: Int64(offset)), received: received,
                into: &said)
        }
        let bytes = engine.encoded()
        for count in stride(from: 0, to: bytes.count, by: 13) {
            #expect(throws: RuleStateError.damaged) { try RuleEngine(decoding: Array(bytes[..<count]), revision) }
        }
        for _ in 0..<200 {
            var damaged = bytes
            damaged[Int.random(in: 9..<bytes.count, using: &random)] ^= UInt8.random(in: 1...255, using: &random)
            #expect(throws: RuleStateError.damaged) { try RuleEngine(decoding: damaged, revision) }
        }
        var other = bytes
        other[8] = 99
        #expect(throws: RuleStateError.otherVersion(99)) { try RuleEngine(decoding: other, revision) }
        #expect(throws: RuleStateError.otherRevision(1)) {
            try RuleEngine(decoding: bytes, RuleRevision(number: 2))
        }
    }

    // MARK: random

    private static func revision(_ number: Int64, _ random: inout SplitMix64) -> RuleRevision {
        var rules: [Rule] = []
        for index in 0..<Int.random(in: 1...8, using: &random) {
            var rule = Rule(
                name: "r\(index)", selector: RuleSelector(channels: ["x", "y"]), condition: condition(&random, depth: 0)
            )
            rule.isEnabled = Int.random(in: 0..<8, using: &random) > 0
            if Int.random(in: 0..<5, using: &random) == 0 {
                let from = morning.advanced(bySeconds: Int64.random(in: 0..<100, using: &random))
                rule.schedule = RuleSchedule(
                    maintenanceWindows: [.init(from: from, to: from.advanced(bySeconds: 30))])
            }
            #expect(rule.problems == [])
            rules.append(rule)
        }
        let sensors = names.filter { _ in Int.random(in: 0..<6, using: &random) > 0 }.map { name in
            RuleRevision.Sensor(
                serial: name, channels: [.init(name: "x", number: 0), .init(name: "y", number: 1)],
                rules: rules.indices.filter { _ in Int.random(in: 0..<4, using: &random) > 0 }.map {
                    .init(rule: $0, channels: [[0], [1], [0, 1]].randomElement(using: &random) ?? [])
                },
                limits: Bool.random(using: &random)
                    ? [.init(channel: 0, high: 6, low: Bool.random(using: &random) ? -6 : nil, hysteresis: 1)] : [])
        }
        return RuleRevision(
            number: number, rules: rules, sensors: sensors,
            deleted: Int.random(in: 0..<5, using: &random) == 0 ? ["fan"] : [])
    }

    static func condition(_ random: inout SplitMix64, depth: Int) -> Condition {
        let kinds = depth < 2 ? 18 : 14
        let channel: String? = Int.random(in: 0..<4, using: &random) == 0 ? "y" : nil
        let level = Double(Int.random(in: -4...6, using: &random))
        func seconds(_ range: ClosedRange<Int64>) -> RuleDuration { .seconds(Int64.random(in: range, using: &random)) }
        switch Int.random(in: 0..<kinds, using: &random) {
        case 0:
            let of = Condition.Statistic.allCases.randomElement(using: &random)
            return .threshold(.init(of: of, above: level, hysteresis: 1, channel: channel))
        case 1: return .threshold(.init(above: level + 2, below: level - 2, hysteresis: 0.5, channel: channel))
        case 2: return .rateOfChange(.init(above: 1, over: seconds(0...5), channel: channel))
        case 3: return .noData(.init(after: seconds(1...6), channel: channel))
        case 4:
            return .baseline(
                .init(
                    of: .mean, sigmas: 1.5, window: seconds(5...60), byHour: Bool.random(using: &random), minimum: 5,
                    channel: channel))
        case 5: return .flatline(.init(after: seconds(1...4), within: 0.5, channel: channel))
        case 6: return .clipping(.init(high: 5, share: 0.25, channel: channel))
        case 7: return .shift(.init(by: 1.5, window: seconds(2...20), hysteresis: 0.5, channel: channel))
        case 8: return .dead(.init(below: 0.5, hysteresis: 0.5, channel: channel))
        case 9: return .place(.init(when: .outside, circle: .init(latitude: 50, longitude: 8, radius: 800), margin: 50))
        case 10: return .counter(.init(above: 3, over: seconds(0...5), channel: channel))
        case 11:
            return .sustained(.threshold(.init(above: level, hysteresis: 0.5, channel: channel)), for: seconds(1...8))
        case 12: return signal(&random, channel)
        case 13:
            let window: RuleDuration? = Bool.random(using: &random) ? seconds(1...3) : nil
            return Bool.random(using: &random)
                ? .crestFactor(.init(above: 1.5, hysteresis: 0.1, window: window, channel: channel))
                : .kurtosis(.init(above: 1.8, hysteresis: 0.1, window: window, channel: channel))
        case 14: return .not(condition(&random, depth: depth + 1))
        case 15, 16:
            let parts = (0..<Int.random(in: 1...3, using: &random)).map { _ in condition(&random, depth: depth + 1) }
            return Bool.random(using: &random) ? .all(parts) : .any(parts)
        default:
            let inner = Condition.threshold(.init(of: .mean, above: level, channel: channel))
            return .sustained(.any([inner, .threshold(.init(of: .rms, above: 4))]), for: seconds(1...6))
        }
    }

    private static func signal(_ random: inout SplitMix64, _ channel: String?) -> Condition {
        switch Int.random(in: 0..<3, using: &random) {
        case 0:
            return .band(
                .init(from: 0.5, to: 3, above: 0.5, below: 0.1, hysteresis: 0.05, window: .seconds(1), channel: channel)
            )
        case 1:
            return .machine(
                .init(
                    borders: .init(ab: 0.01, bc: 0.02, cd: 0.05), zone: .c, unit: .millimetresPerSecond, isSlow: true,
                    channel: channel))
        default:
            return .particleVelocity(
                .init(curve: [.init(hertz: 1, limit: 0.5)], unit: .millimetresPerSecond, channel: channel))
        }
    }

    /// Three minutes of three sensors with losses, repeats, late frames, stepped clocks and ticks that are missing.
    private static func events(_ random: inout SplitMix64) -> [Event] {
        var events: [Event] = []
        var number: Int64 = 1
        var levels = [0.0, 0.0, 0.0]
        var shift: [Int64] = [0, 0, 0]
        var last: [Event?] = [nil, nil, nil]
        var silentUntil = [0, 0, 0]
        for second in 0..<200 {
            let now = morning.advanced(bySeconds: Int64(second))
            if second % 70 > 4 { events.append(.tick(now)) }
            for (index, name) in names.enumerated() {
                guard let serial = SerialNumber(name) else { continue }
                if Int.random(in: 0..<60, using: &random) == 0 {
                    silentUntil[index] = second + Int.random(in: 1...10, using: &random)
                }
                if second < silentUntil[index] { continue }
                if Int.random(in: 0..<80, using: &random) == 0 {
                    shift[index] = Int64.random(in: -400...400, using: &random)
                }
                levels[index] += Double.random(in: -2...2, using: &random)
                levels[index] = max(-8, min(8, levels[index]))
                let sequence = Int64(Int.random(in: 0..<30, using: &random) == 0 ? max(0, second - 5) : second)
                let event = Event.frame(
                    frame(levels[index], sequence, now.advanced(bySeconds: shift[index]), &random), serial,
                    now.advanced(byNanoseconds: 100_000_000))
                events.append(event)
                if let old = last[index], Int.random(in: 0..<20, using: &random) == 0 { events.append(old) }
                last[index] = event
            }
            if Int.random(in: 0..<40, using: &random) == 0 {
                number += 1
                events.append(.revision(revision(number, &random), now))
            }
        }
        return events
    }

    private static func frame(
        _ level: Double, _ sequence: Int64, _ start: Timestamp, _ random: inout SplitMix64
    ) -> Frame {
        var blocks: [Block] = []
        for channel in [Int16(0), 1] where Int.random(in: 0..<8, using: &random) > 0 {
            let isFlat = Int.random(in: 0..<4, using: &random) == 0
            let samples: [Float] = (0..<8).map { _ in
                Int.random(in: 0..<40, using: &random) == 0
                    ? .nan : Float(level) + (isFlat ? 0 : Float.random(in: -1...1, using: &random))
            }
            blocks.append(Block(channel: .number(channel), samples: .floats(samples)))
        }
        if blocks.isEmpty { blocks = [Block(channel: .number(1), samples: .value(.nan))] }
        let place = GeoPosition(latitude: 50 + level / 1000, longitude: 8, altitude: 0)
        return Frame(
            position: FramePosition(boot: 1, sequence: sequence), start: start, rate: SampleRate(hertz: 8),
            place: place, blocks: blocks)
    }
}
