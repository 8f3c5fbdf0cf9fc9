internal import Time

/// A rule that was compiled: its conditions in the order in which they are evaluated, parts before the whole.
final class RuleProgram: Sendable {
    /// The words at the beginning of an instance's state.
    enum Header {
        /// Bit 0: an alarm is on. Bits 1…2: the truth that raised it.
        static let flags = 0
        /// The message that raised it.
        static let offset = 1
        static let incarnation = 2
        /// The value that raised it, and the limit.
        static let value = 3
        static let limit = 4
        /// The times of the four triggers before the last, in seconds, in half words.
        static let triggers = 5
        static let count = 7
    }

    let rule: Rule
    let nodes: [RuleNode]
    /// The channels that conditions name.
    let channelNames: [String]
    /// Whether there is an instance for each selected channel, and not one for the sensor.
    let isPerChannel: Bool
    /// The words of an instance's state.
    let wordCount: Int
    /// The windows of an instance.
    let windowCount: Int
    /// The shortest silence that it waits for; nil: it does not.
    let silenceMin: Int64?
    let calendar: RuleCalendar?
    let touchesSamples: Bool
    /// Whether an alarm says on which side the value is.
    let isTwoSided: Bool

    init(_ rule: Rule, zones: [String: ZoneOffsets]) {
        var compiler = RuleCompiler(zones: zones)
        compiler.add(rule.condition)
        self.rule = rule
        nodes = compiler.nodes
        channelNames = compiler.channelNames
        isPerChannel = compiler.isPerChannel
        wordCount = compiler.wordCount
        windowCount = compiler.windowCount
        silenceMin = compiler.silenceMin
        touchesSamples = compiler.nodes.contains(where: \.touchesSamples)
        calendar = rule.schedule.map { RuleCalendar($0, zone: zones[$0.zone] ?? ZoneOffsets(changes: [])) }
        isTwoSided =
            switch rule.condition {
            case .threshold: rule.isLimit
            default: false
            }
    }

    /// The part of the rule that an alarm is of.
    func leaf(_ truth: RuleTruth) -> String { isTwoSided ? truth == .low ? "low" : "high" : "" }
}
