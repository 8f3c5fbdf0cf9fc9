import Foundation
import Rules
import TestSupport
import Testing
import Yams

/// The examples of docs/rules.md against the types.
@Suite struct RulesDocumentTests {
    private struct File: Decodable {
        var rules: [Rule]
    }

    private struct Example: Decodable {
        var when: Condition
    }

    /// The blocks between ```yaml and ```.
    private static func examples() throws -> [String] {
        let text = try String(contentsOf: TestServers.root.appending(path: "docs/rules.md"), encoding: .utf8)
        return text.components(separatedBy: "```yaml\n").dropFirst().compactMap {
            $0.components(separatedBy: "```").first
        }
    }

    @Test func everyExampleCanBeApplied() throws {
        var kinds: Set<String> = []
        for example in try Self.examples() {
            let rules =
                example.hasPrefix("rules:")
                ? try YAMLDecoder().decode(File.self, from: example).rules
                : [Rule(name: "r", condition: try YAMLDecoder().decode(Example.self, from: example).when)]
            for var rule in rules {
                rule.selector.channels = ["*"]
                #expect(rule.problems == [], "\(example)")
                kinds.formUnion(Self.kinds(rule.condition))
            }
        }
        #expect(kinds == Set(Condition.kinds).subtracting(["several", "word"]))
    }

    @Test func everyKindAndFieldIsDescribed() throws {
        let text = try String(contentsOf: TestServers.root.appending(path: "docs/rules.md"), encoding: .utf8)
        for kind in Condition.kinds { #expect(text.contains("\(kind):") || text.contains("`\(kind)"), "\(kind)") }
        for statistic in Condition.Statistic.allCases { #expect(text.contains("`\(statistic.rawValue)`")) }
        for unit in Condition.MotionUnit.allCases { #expect(text.contains("`\(unit.rawValue)`")) }
        for cause in RuleTransition.Cause.allCases { #expect(text.contains("`\(cause.rawValue)`")) }
    }

    private static func kinds(_ condition: Condition) -> Set<String> {
        condition.parts.reduce(into: [condition.kind]) { $0.formUnion(kinds($1)) }
    }
}
