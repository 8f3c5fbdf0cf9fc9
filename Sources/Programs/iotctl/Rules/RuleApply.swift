internal import ArgumentParser
internal import Records
internal import Store

/// `iotctl rule apply -f FILE`
struct RuleApply: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apply",
        abstract: "Stores the rules of a file.",
        discussion: """
            Examples:
              iotctl rule apply -f rules.yaml
              iotctl rule apply -f rules/cold-room.yaml --dry-run
              cat *.yaml | iotctl rule apply -f -

            If one rule of the file is wrong, nothing is stored, and every problem is told
            with its line. Rules that are not in the file stay as they are; iotctl rule rm
            removes them. A rule whose kind of condition stays the same keeps its state:
            its alarms stay active, and the next frame is judged by the new limits.
            """)

    @OptionGroup var file: RuleFileOption

    @Flag(help: "Only say what would change.")
    var dryRun = false

    @OptionGroup var output: OutputOptions

    func run() async throws {
        try await perform {
            let rules = try file.rules()
            let store = try Connections().acting(unless: dryRun).store()
            let applied = try await store.apply(rules: rules, isDry: dryRun, issuer: CommandOptions.issuer)
            try output.show(applied.map { AppliedRuleView($0) }) { wide, style in
                Table(
                    columns: [.text("RULE"), .text("CHANGE"), .number("VERSION")],
                    rows: applied.map { [Cell($0.name), Cell($0.change.rawValue), Cell("\($0.version)")] }
                ).text(wide: wide, style)
            }
            if dryRun { Talk.say("dry run: nothing was changed") }
        }
    }
}
