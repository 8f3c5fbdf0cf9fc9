internal import AlarmRules
internal import ArgumentParser
internal import Records
internal import Store

/// `iotctl rule show NAME…`
struct RuleShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Prints rules as a file that iotctl rule apply reads.",
        discussion: """
            Examples:
              iotctl rule show pump-hot
              iotctl rule show > backup.yaml
              iotctl rule show pump-hot -o json

            Without a name all rules are printed.
            """)

    @Argument(help: ArgumentHelp("Names of rules.", valueName: "rule"), completion: .rules)
    var names: [String] = []

    @OptionGroup var output: OutputOptions

    func run() async throws {
        try await perform {
            let store = try Connections().store()
            let records =
                names.isEmpty ? try await store.rules() : try await RuleVerb.require(names, in: store)
            switch output.format {
            case .json: try Out.write(JSON.pretty(records.map { RuleView($0) }) + "\n")
            case .table, .wide, .yaml: try Out.write(RuleFile.yaml(records.map(\.rule)))
            }
        }
    }
}
