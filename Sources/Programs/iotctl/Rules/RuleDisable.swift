internal import ArgumentParser

/// `iotctl rule disable NAME…`
struct RuleDisable: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "disable",
        abstract: "Keeps rules without evaluating them.",
        discussion: """
            Examples:
              iotctl rule disable pump-hot

            Alarms of the rule that are active end, with the cause rule_disabled.
            """)

    @OptionGroup var change: RuleSwitch

    func run() async throws { try await perform { try await change.apply(isEnabled: false) } }
}
