public import Rules
public import Store
public import Time

/// A version that a rule has or had (docs/iotctl-json.md, "rule version").
public struct RuleVersionView: Codable, Sendable, Equatable {
    /// The rule's name.
    public var name: String
    /// The number of the version.
    public var version: Int
    /// When it was made.
    public var changedAt: Timestamp
    /// Who made it.
    public var changedBy: String
    /// The rule from then on; nil: it was removed.
    public var rule: Rule?

    private enum CodingKeys: String, CodingKey {
        case name, version
        case changedAt = "changed_at"
        case changedBy = "changed_by"
        case rule
    }
}

extension RuleVersionView {
    /// The view of a stored version.
    public init(_ version: RuleVersion) {
        self.init(
            name: version.name, version: version.version, changedAt: version.changedAt, changedBy: version.changedBy,
            rule: version.rule)
    }
}
