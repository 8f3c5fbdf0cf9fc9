extension Rule {
    /// The rule that limits are: its alarms are published as `limit:<channel>:high` and `limit:<channel>:low`.
    public init(_ limits: ChannelLimits, channel: String) {
        self.init(
            name: "limit:\(channel)", selector: RuleSelector(channels: [channel]),
            condition: .threshold(
                Condition.Threshold(
                    above: limits.high, below: limits.low,
                    hysteresis: limits.hysteresis == 0 ? nil : limits.hysteresis)))
    }

    /// Whether it comes from limits.
    public var isLimit: Bool { name.hasPrefix("limit:") }
}
