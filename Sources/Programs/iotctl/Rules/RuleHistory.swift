internal import ArgumentParser
internal import Records
internal import Rules
internal import Service
internal import Store
internal import Time

/// `iotctl rule history [NAME]`
struct RuleHistory: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history",
        abstract: "Lists the changes of rules, newest first.",
        discussion: """
            Examples:
              iotctl rule history
              iotctl rule history pump-hot
              iotctl rule history pump-hot -o yaml

            -o json and -o yaml have each version of the rule.
            """)

    @Argument(help: ArgumentHelp("The name of a rule, also of a removed one.", valueName: "rule"), completion: .rules)
    var name: String?

    @Option(help: ArgumentHelp("List at most this many changes.", valueName: "count"))
    var limit = 100

    @OptionGroup var output: ListOptions

    func validate() throws { guard limit > 0 else { throw ValidationError("--limit must be more than 0") } }

    func run() async throws {
        try await perform {
            let versions = try await Connections().store().ruleHistory(of: name, countMax: limit)
            if versions.isEmpty, let name { throw Failure(ExitStatus.notFound, "no rule \(name) ever was") }
            try output.show(versions, name: { "\($0.name)@\($0.version)" }, view: { RuleVersionView($0) }) { _ in
                Table(
                    columns: [.text("AT"), .text("RULE"), .number("VERSION"), .text("CHANGE"), .long("BY")],
                    rows: versions.map {
                        [
                            Cell($0.changedAt.short), Cell($0.name), Cell("\($0.version)"), Cell($0.change),
                            Cell($0.changedBy),
                        ]
                    })
            }
            if versions.isEmpty { Talk.sayOnTerminal("no rules yet: iotctl rule apply --help") }
        }
    }
}

extension RuleVersion {
    /// What the change was, in a word.
    fileprivate var change: String {
        guard let rule else { return "removed" }
        if version == 1 { return "added" }
        return rule.isEnabled ? "changed" : "disabled"
    }
}
