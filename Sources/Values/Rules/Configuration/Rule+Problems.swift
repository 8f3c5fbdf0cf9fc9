internal import Model
internal import Time

extension Rule {
    /// The most actions of a rule, entries of a list in it.
    static let listMax = 64

    /// What is wrong with the rule; empty: it can be applied.
    public var problems: [RuleProblem] {
        var check = RuleCheck()
        check.require(Self.isName(name), "name", "is no name; 1 to 64 of a-z, 0-9 and -, a letter or digit first")
        check.check(selector)
        check.check(condition, at: "when")
        let (leaves, depth) = (condition.leaves, condition.nodeCount)
        check.require(
            depth <= RuleJudge.nodesMax, "when", "has \(depth) conditions, at most \(RuleJudge.nodesMax)")
        check.require(
            leaves.allSatisfy { $0.needsChannel != .each } || leaves.allSatisfy { $0.needsChannel != .named }
                || !selector.channels.isEmpty, "selector.channels",
            "is needed: some conditions name a channel and others do not")
        check.check(message, "message")
        check.check(runbook, "runbook")
        if let message {
            for name in RuleWords.names(in: message) where !RuleWords.placeholders.contains(name) {
                check.add(
                    "message", "{\(name)} is unknown; possible: \(RuleWords.placeholders.joined(separator: ", "))")
            }
        }
        if let schedule { check.check(schedule) }
        check.require(actions.count <= Self.listMax, "actions", "are \(actions.count), at most \(Self.listMax)")
        for (index, action) in actions.enumerated() { check.check(action, at: "actions[\(index)]") }
        return check.problems
    }

    private static func isName(_ name: String) -> Bool {
        (1...nameLengthMax).contains(name.utf8.count) && name.utf8.first != UInt8(ascii: "-")
            && name.utf8.allSatisfy {
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || $0 == UInt8(ascii: "-")
            }
    }
}
