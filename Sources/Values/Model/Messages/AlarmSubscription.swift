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
            && (sensors.isEmpty || sensors.contains { $0.matches(sensor) })
            && (rules.isEmpty || rules.contains { SerialPattern($0).matches(rule) })
    }
}
