internal import ArgumentParser
internal import Store

/// `iotctl rule rm NAME…`
struct RuleRemove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rm",
        abstract: "Removes rules.",
        discussion: """
            Examples:
              iotctl rule rm pump-hot
              iotctl rule rm pump-hot pump-cold --yes

            Alarms of the rule that are active end, with the cause rule_removed. iotctl rule
            history shows what it was.
            """)

    @Argument(help: ArgumentHelp("Names of rules.", valueName: "rule"), completion: .rules)
    var names: [String]

    @OptionGroup var confirmation: Confirmation

    /// The option `--context`, which is read before all other options.
    @OptionGroup var context: ContextOption

    func run() async throws {
        try await perform {
            let store = try Connections().acting().store()
            let records = try await RuleVerb.require(names, in: store)
            let active = records.reduce(0) { $0 + $1.activeAlarms }
            if records.count > 1 || active > 0 {
                let alarms = active == 0 ? "" : ", with \(active) active alarm\(active == 1 ? "" : "s")"
                try confirmation.require(for: "remove \(names.joined(separator: ", "))\(alarms)")
            }
            for name in try await store.removeRules(names, issuer: CommandOptions.issuer) {
                try Out.write("rule \(name) removed\n")
            }
        }
    }
}
