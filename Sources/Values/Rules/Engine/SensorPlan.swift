/// The rules of a sensor with the places of their state. Sensors with the same channels and rules share one.
final class SensorPlan: Sendable {
    /// What a plan is made of.
    struct Key: Hashable {
        var channels: [RuleRevision.Channel]
        var rules: [RuleRevision.Selection]
        var limits: [RuleRevision.Limits]

        init(_ sensor: RuleRevision.Sensor) {
            channels = sensor.channels
            rules = sensor.rules
            limits = sensor.limits
        }
    }

    /// A rule on one channel, or on the sensor.
    final class Instance: Sendable {
        let program: RuleProgram
        /// The rule's index in the revision; nil for limits.
        let rule: Int?
        /// The channel's index; nil: the whole sensor.
        let channel: Int?
        /// The indexes of the channels that the conditions name; -1: the sensor has no such channel.
        let named: [Int]
        /// The channel that its alarms are of: its own, or the only one that its conditions name.
        let alarmChannel: Int?
        /// The first word of its state.
        let firstWord: Int
        /// The first of its windows.
        let firstWindow: Int

        init(
            _ program: RuleProgram, rule: Int?, channel: Int?, named: [Int], firstWord: Int, firstWindow: Int
        ) {
            self.program = program
            self.rule = rule
            self.channel = channel
            self.named = named
            alarmChannel = channel ?? (named.count == 1 && named[0] >= 0 ? named[0] : nil)
            self.firstWord = firstWord
            self.firstWindow = firstWindow
        }
    }

    let channels: [RuleRevision.Channel]
    let instances: [Instance]
    let wordCount: Int
    let windowCount: Int
    /// The shortest silence that a rule waits for; nil: none does.
    let silenceMin: Int64?

    init(channels: [RuleRevision.Channel], _ rules: [(program: RuleProgram, rule: Int?, channels: [Int])]) {
        self.channels = channels
        var instances: [Instance] = []
        var words = 0
        var windows = 0
        for (program, rule, selected) in rules {
            let named = program.channelNames.map { name in channels.firstIndex { $0.name == name } ?? -1 }
            let places: [Int?] = program.isPerChannel ? selected.filter(channels.indices.contains) : [nil]
            for channel in places {
                instances.append(
                    Instance(
                        program, rule: rule, channel: channel, named: named, firstWord: words, firstWindow: windows))
                words += program.wordCount
                windows += program.windowCount
            }
        }
        self.instances = instances
        wordCount = words
        windowCount = windows
        silenceMin = rules.compactMap(\.program.silenceMin).min()
    }

    /// The name of a channel by its index.
    func name(of channel: Int?) -> String? { channel.map { channels[$0].name } }

    /// The instance of a rule on a channel, or on the sensor.
    func instance(of rule: String, on channel: String?) -> Instance? {
        instances.first { $0.program.rule.name == rule && name(of: $0.channel) == channel }
    }
}
