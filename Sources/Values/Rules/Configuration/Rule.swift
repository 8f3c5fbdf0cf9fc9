public import Model

/// A rule: when which sensors raise an alarm, how urgent it is, and what follows.
public struct Rule: Sendable, Equatable {
    /// The most characters of a name.
    public static let nameLengthMax = 64
    /// The most characters of a message template, a runbook link.
    public static let textLengthMax = 1000

    /// The name: 1–64 characters of a–z, 0–9 and `-`. Rules that come from limits are named `limit:<channel>`.
    public var name: String
    /// Which sensors and channels it applies to.
    public var selector: RuleSelector
    /// When it raises an alarm.
    public var condition: Condition
    /// How urgent its alarms are.
    public var severity: Alarm.Severity
    /// The template of the alarm's text; nil: a sentence about value and limit. `{rule}`, `{severity}`, `{sensor}`,
    /// `{channel}`, `{value}`, `{limit}` and `{unit}` are replaced.
    public var message: String?
    /// A link for the operator.
    public var runbook: String?
    /// When alarms are not raised, or raised quietly.
    public var schedule: RuleSchedule?
    /// What an alarm sets off.
    public var actions: [RuleAction]
    /// Whether it is evaluated.
    public var isEnabled: Bool

    /// A rule of these parts.
    public init(
        name: String, selector: RuleSelector = RuleSelector(), condition: Condition,
        severity: Alarm.Severity = .warning, message: String? = nil, runbook: String? = nil,
        schedule: RuleSchedule? = nil, actions: [RuleAction] = [], isEnabled: Bool = true
    ) {
        self.name = name
        self.selector = selector
        self.condition = condition
        self.severity = severity
        self.message = message
        self.runbook = runbook
        self.schedule = schedule
        self.actions = actions
        self.isEnabled = isEnabled
    }
}

extension Rule: Codable {
    /// Reads a rule. Its parts are checked by `problems`.
    /// - Throws: `DecodingError`, whose path names the field.
    public init(from decoder: any Decoder) throws {
        let object = try StrictContainer(
            decoder,
            [
                "name", "selector", "when", "severity", "message", "runbook", "schedule", "actions", "enabled",
            ])
        self.init(
            name: try object.required("name"), selector: try object.optional("selector") ?? RuleSelector(),
            condition: try object.required("when"), severity: try object.optional("severity") ?? .warning,
            message: try object.optional("message"), runbook: try object.optional("runbook"),
            schedule: try object.optional("schedule"), actions: try object.optional("actions") ?? [],
            isEnabled: try object.optional("enabled") ?? true)
    }

    /// Writes the rule, without the parts that have their defaults; `severity` is always written.
    /// - Throws: `EncodingError`.
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: AnyKey.self)
        try object.encode(name, forKey: AnyKey("name"))
        if selector != RuleSelector() { try object.encode(selector, forKey: AnyKey("selector")) }
        try object.encode(condition, forKey: AnyKey("when"))
        try object.encode(severity, forKey: AnyKey("severity"))
        try object.encodeIfPresent(message, forKey: AnyKey("message"))
        try object.encodeIfPresent(runbook, forKey: AnyKey("runbook"))
        try object.encodeIfPresent(schedule, forKey: AnyKey("schedule"))
        if !actions.isEmpty { try object.encode(actions, forKey: AnyKey("actions")) }
        if !isEnabled { try object.encode(false, forKey: AnyKey("enabled")) }
    }
}
