internal import ArgumentParser

/// `iotctl rule enable NAME…`
struct RuleEnable: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "enable",
        abstract: "Evaluates rules again that were disabled.",
        discussion: """
            Examples:
              iotctl rule enable pump-hot
            """)

    @OptionGroup var change: RuleSwitch

    func run() async throws { try await perform { try await change.apply(isEnabled: true) } }
}
