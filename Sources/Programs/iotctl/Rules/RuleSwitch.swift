internal import ArgumentParser
internal import Records
internal import Rules
internal import Store

/// Names of rules to enable or disable.
struct RuleSwitch: ParsableArguments {
    @Argument(help: ArgumentHelp("Names of rules.", valueName: "rule"), completion: .rules)
    var names: [String]

    @OptionGroup var output: OutputOptions

    /// Enables or disables the rules, and prints what has changed.
    /// - Throws: `Failure`, `StoreError`.
    func apply(isEnabled: Bool) async throws {
        let store = try Connections().acting().store()
        let rules = try await RuleVerb.require(names, in: store).map { record in
            var rule = record.rule
            rule.isEnabled = isEnabled
            return rule
        }
        let applied = try await store.apply(rules: rules, issuer: CommandOptions.issuer)
        try output.show(applied.map { AppliedRuleView($0) }) { _, _ in
            applied.map {
                "\($0.name) \($0.change == .unchanged ? "was" : "is") \(isEnabled ? "enabled" : "disabled")\n"
            }
            .joined()
        }
    }
}
