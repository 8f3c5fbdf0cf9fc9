public import Store

/// What applying a rule did (docs/iotctl-json.md, "applied rule").
public struct AppliedRuleView: Codable, Sendable, Equatable {
    /// The rule's name.
    public var name: String
    /// `added`, `changed` or `unchanged`.
    public var change: String
    /// The rule's version afterwards.
    public var version: Int
}

extension AppliedRuleView {
    /// The view of an applied rule.
    public init(_ applied: AppliedRule) {
        self.init(name: applied.name, change: applied.change.rawValue, version: applied.version)
    }
}
