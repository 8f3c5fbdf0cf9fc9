extension Rule {
    /// The rule that limits are: its alarms are published as `limit:<channel>:high` and `limit:<channel>:low`.
    public init(_ limits: ChannelLimits, channel: String) {
        self.init(
            name: Self.limitName(of: channel), selector: RuleSelector(channels: [channel]),
            condition: .threshold(
                Condition.Threshold(
                    above: limits.high, below: limits.low,
                    hysteresis: limits.hysteresis == 0 ? nil : limits.hysteresis)))
    }

    /// The name of the rule that a channel's limits are.
    static func limitName(of channel: String) -> String { "limit:\(channel)" }

    /// Whether it comes from limits.
    public var isLimit: Bool { name.hasPrefix("limit:") }
}
