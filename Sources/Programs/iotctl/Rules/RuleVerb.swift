internal import ArgumentParser
internal import Postgres
internal import Rules
internal import Service
internal import Store

/// `iotctl rule …`
struct RuleVerb: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rule",
        abstract: "Manages the rules that raise alarms.",
        discussion: """
            Examples:
              iotctl rule apply -f rules.yaml
              iotctl rule diff -f rules.yaml
              iotctl rule ls
              iotctl rule show pump-hot
              iotctl rule disable pump-hot
              iotctl rule rm pump-hot
              iotctl rule history pump-hot

            docs/rules.md describes the file. A change is active within a second. Limits
            that iotctl set SENSOR limits.CHANNEL.high=… sets are rules too; they are
            shown with the sensor.
            """,
        subcommands: [
            RuleApply.self, RuleDiff.self, RuleList.self, RuleShow.self, RuleEnable.self, RuleDisable.self,
            RuleRemove.self, RuleHistory.self,
        ])

    /// The rules of these names, in the order given.
    /// - Throws: `Failure` with `notFound` for a name without a rule; it proposes similar ones. `StoreError`.
    static func require(_ names: [String], in store: StoreConnection) async throws -> [RuleRecord] {
        let rules = try await store.rules()
        var failure = Failure(ExitStatus.notFound)
        let found = names.compactMap { name in
            if let record = rules.first(where: { $0.rule.name == name }) { return record }
            let proposals = DidYouMean.proposals(for: name, among: rules.map(\.rule.name))
            let hint = proposals.isEmpty ? "" : "; did you mean \(proposals.joined(separator: " or "))?"
            failure.lines.append("no rule \(name)\(hint)")
            return nil as RuleRecord?
        }
        if !failure.lines.isEmpty { throw failure }
        return found
    }
}
