import Foundation
import Model
import Rules
import Testing
import Time

/// 2026-11-21T09:30:00Z, a Saturday.
let morning = Timestamp(unixNanoseconds: 1_795_253_400_000_000_000)

/// An engine that is fed, and what it said.
struct RuleRun {
    static var serial: SerialNumber {
        guard let serial = SerialNumber("pump") else { preconditionFailure() }
        return serial
    }

    var engine: RuleEngine
    var transitions: [RuleTransition] = []
    private(set) var offset: Int64 = 0
    private var sequence: Int64 = 0

    /// One rule on the channels x (0) and y (1) of the sensor "pump".
    init(_ condition: Condition, schedule: RuleSchedule? = nil, zones: [String: ZoneOffsets] = [:]) throws {
        let rule = Rule(name: "r", condition: condition, schedule: schedule)
        try #require(rule.problems == [])
        self.init(RuleRun.revision(1, [rule], channels: [0], zones: zones))
    }

    init(_ revision: RuleRevision, budget: RuleBudget = RuleBudget()) {
        engine = RuleEngine(revision, budget: budget)
    }

    /// A revision in which every rule applies to "pump".
    static func revision(
        _ number: Int64, _ rules: [Rule], channels: [Int] = [0], limits: [RuleRevision.Limits] = [],
        zones: [String: ZoneOffsets] = [:], deleted: [String] = []
    ) -> RuleRevision {
        let sensor = RuleRevision.Sensor(
            serial: "pump",
            channels: [
                RuleRevision.Channel(name: "x", number: 0, unit: "g"), RuleRevision.Channel(name: "y", number: 1),
            ], rules: rules.indices.map { RuleRevision.Selection(rule: $0, channels: channels) }, limits: limits)
        return RuleRevision(number: number, rules: rules, sensors: [sensor], deleted: deleted, zones: zones)
    }

    /// Frames as one word for each transition: "trigger r" or "clear r rule_changed".
    var words: [String] { transitions.map(Self.word) }

    static func word(_ transition: RuleTransition) -> String {
        let cause = transition.cause.map { " \($0.rawValue)" } ?? ""
        return "\(transition.edge.rawValue) \(transition.publicRule)\(cause)"
    }

    /// What the last call said.
    mutating func said(_ body: (inout RuleRun) -> Void) -> [String] {
        let count = transitions.count
        body(&self)
        return transitions[count...].map(Self.word)
    }

    /// Judges samples of x that begin so many seconds after `morning`.
    @discardableResult
    mutating func samples(
        _ samples: [Float], at seconds: Double, hertz: Double? = nil, channel: Int16 = 0, place: GeoPosition? = nil
    ) -> [String] {
        let rate = hertz.flatMap { SampleRate(hertz: $0) } ?? (samples.count > 1 ? SampleRate(hertz: 100) : nil)
        return frame(
            [Block(channel: .number(channel), samples: .floats(samples))], at: seconds, rate: rate, place: place)
    }

    @discardableResult
    mutating func frame(
        _ blocks: [Block], at seconds: Double, rate: SampleRate? = nil, place: GeoPosition? = nil,
        sequence given: Int64? = nil, arrival: Double? = nil
    ) -> [String] {
        sequence = given ?? sequence + 1
        let start = Self.time(seconds)
        var frame = Frame(
            position: FramePosition(boot: 1, sequence: sequence), start: start, rate: rate, place: place, blocks: blocks
        )
        frame.place = place
        let received = arrival.map(Self.time) ?? start.advanced(byNanoseconds: frame.spanNanoseconds)
        return observe(frame, received: received)
    }

    @discardableResult
    mutating func observe(_ frame: Frame, of serial: SerialNumber = RuleRun.serial, received: Timestamp) -> [String] {
        offset += 1
        let position = StreamPosition(incarnation: 7, offset: offset)
        return said { run in
            run.engine.observe(frame, of: serial, at: position, received: received, into: &run.transitions)
        }
    }

    @discardableResult
    mutating func tick(_ seconds: Double) -> [String] {
        offset += 1
        let position = StreamPosition(incarnation: 7, offset: offset)
        return said { $0.engine.tick(Self.time(seconds), at: position, into: &$0.transitions) }
    }

    @discardableResult
    mutating func adopt(_ revision: RuleRevision, at seconds: Double) -> [String] {
        offset += 1
        let position = StreamPosition(incarnation: 7, offset: offset)
        return said {
            $0.engine.adopt(revision, at: position, stamp: Self.time(seconds), into: &$0.transitions)
        }
    }

    static func time(_ seconds: Double) -> Timestamp {
        morning.advanced(byNanoseconds: Int64((seconds * 1e9).rounded()))
    }
}
