extension Rule {
    /// What is wrong with the rule; empty: it can be applied.
    public var problems: [RuleProblem] { [] }
}
