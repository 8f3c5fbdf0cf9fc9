internal import Model

/// What the engine knows of one sensor.
struct SensorState: Sendable {
    let serial: SerialNumber
    var plan: SensorPlan
    var clock = SensorClock()
    /// The listened time at which the newest frame came.
    var heard: Int64
    /// The state of the plan's instances.
    var words: [UInt64]
    var windows: [SignalWindow]

    init(_ serial: SerialNumber, _ plan: SensorPlan, heard: Int64) {
        self.serial = serial
        self.plan = plan
        self.heard = heard
        words = Array(repeating: 0, count: plan.wordCount)
        windows = Array(repeating: SignalWindow(), count: plan.windowCount)
        beginSilence()
    }

    /// Makes the silence of channels that were not heard yet begin when the sensor was heard.
    mutating func beginSilence() {
        guard plan.silenceMin != nil else { return }
        for instance in plan.instances where instance.program.silenceMin != nil {
            for node in instance.program.nodes {
                guard case .silence(_, isOfChannel: true) = node.operation else { continue }
                let word = instance.firstWord + node.firstWord + 2
                if words[word] == 0 { words[word] = UInt64(bitPattern: heard) &+ 1 }
            }
        }
    }

    /// The listened time from which on a tick must look at the sensor; `Int64.max` if no silence is awaited.
    func nextSilence(_ listened: Int64) -> Int64 {
        guard plan.silenceMin != nil else { return .max }
        var next = Int64.max
        for instance in plan.instances where instance.program.silenceMin != nil {
            for node in instance.program.nodes {
                guard case .silence(let after, let isOfChannel) = node.operation else { continue }
                let base = instance.firstWord + node.firstWord
                let since = isOfChannel ? Int64(bitPattern: words[base + 2]) &- 1 : heard
                if words[base] != RuleTruth.yes.rawValue {
                    next = min(next, since + after)
                } else if words[instance.firstWord] & 1 == 0 {
                    // A silence that is known is judged again while its alarm is held back, by maintenance or another condition.
                    next = min(next, listened)
                }
            }
        }
        return next
    }
}
