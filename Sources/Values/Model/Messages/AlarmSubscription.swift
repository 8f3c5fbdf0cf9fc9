/// Which alarms one receiver of notifications is told of.
public struct AlarmSubscription: Sendable, Equatable {
    /// The receiver's name.
    public var receiver: String
    /// Only alarms of these severities.
    public var severities: Set<Alarm.Severity>
    /// Only alarms of sensors that one of these patterns matches; empty: of all sensors.
    public var sensors: [SerialPattern]
    /// Only alarms of rules whose name one of these patterns matches, with `*` for any characters and `?` for one; empty:
    /// of all rules.
    public var rules: [String]

    /// A receiver that is told of these alarms; by default of all.
    public init(
        receiver: String, severities: Set<Alarm.Severity> = Set(Alarm.Severity.allCases), sensors: [SerialPattern] = [],
        rules: [String] = []
    ) {
        self.receiver = receiver
        self.severities = severities
        self.sensors = sensors
        self.rules = rules
    }

    /// Whether the receiver is told of an alarm of that severity, sensor and rule.
    public func includes(_ severity: Alarm.Severity, sensor: String, rule: String) -> Bool {
        severities.contains(severity)
            && (sensors.isEmpty || sensors.contains { Self.matches($0.text, sensor) })
            && (rules.isEmpty || rules.contains { Self.matches($0, rule) })
    }

    /// Whether a glob matches all of a text. The time is at most the product of the two lengths.
    static func matches(_ glob: String, _ text: String) -> Bool {
        let (glob, text) = (Array(glob.unicodeScalars), Array(text.unicodeScalars))
        var (place, position) = (0, 0)
        var star: (place: Int, position: Int)?
        while position < text.count {
            if place < glob.count, glob[place] == "*" {
                star = (place, position)
                place += 1
            } else if place < glob.count, glob[place] == "?" || glob[place] == text[position] {
                place += 1
                position += 1
            } else if let last = star {
                // The last star takes one more.
                star = (last.place, last.position + 1)
                (place, position) = (last.place + 1, last.position + 1)
            } else {
                return false
            }
        }
        return glob[place...].allSatisfy { $0 == "*" }
    }
}
