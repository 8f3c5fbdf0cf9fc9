internal import Model
public import Rules
public import Store
public import Time

/// An alarm rule (docs/iotctl-json.md, "rule").
public struct RuleView: Codable, Sendable, Equatable {
    /// Its name.
    public var name: String
    /// Counts the changes of the rules of this name from 1.
    public var version: Int
    /// Whether it is evaluated.
    public var isEnabled: Bool
    /// `info`, `warning` or `critical`.
    public var severity: String
    /// The number of its active alarms.
    public var activeAlarms: Int64
    /// When it was changed last.
    public var changedAt: Timestamp
    /// Who changed it.
    public var changedBy: String
    /// The rule, as in a rule file.
    public var rule: Rule

    private enum CodingKeys: String, CodingKey {
        case name, version
        case isEnabled = "enabled"
        case severity
        case activeAlarms = "active_alarms"
        case changedAt = "changed_at"
        case changedBy = "changed_by"
        case rule
    }
}

extension RuleView {
    /// The view of a stored rule.
    public init(_ record: RuleRecord) {
        self.init(
            name: record.rule.name, version: record.version, isEnabled: record.rule.isEnabled,
            severity: record.rule.severity.rawValue, activeAlarms: record.activeAlarms, changedAt: record.changedAt,
            changedBy: record.changedBy, rule: record.rule)
    }
}
