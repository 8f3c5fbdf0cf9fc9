/// All findings of one run.
public struct Diagnosis: Sendable, Equatable {
    /// A finding with a cause of its own, and the findings that follow from it.
    public struct Group: Sendable, Equatable {
        /// The finding that explains the others.
        public var root: Finding
        /// The findings that follow from it, in the order of the checks.
        public var followers: [Finding]
    }

    /// The findings, in the order of the checks.
    public var findings: [Finding]
    /// Whether broker or database, or both, answered.
    public var isAnybodyThere: Bool

    /// Whether no check found a problem. Warnings and checks that could not be made do not count.
    public var isHealthy: Bool { !findings.contains { $0.result == .problem } }

    /// The findings grouped by their cause: first problems, then warnings, then checks that could not be made, then those
    /// that are ok; each kind in the order of the checks.
    public var groups: [Group] {
        var groups: [Group] = []
        var position: [String: Int] = [:]
        for finding in findings where root(of: finding) == nil {
            // Of several findings of one check the first one is the cause of others.
            if position[finding.check] == nil { position[finding.check] = groups.count }
            groups.append(Group(root: finding, followers: []))
        }
        for finding in findings {
            guard let root = root(of: finding), let index = position[root] else { continue }
            groups[index].followers.append(finding)
        }
        return [Finding.Verdict.problem, .warning, .notChecked, .ok].flatMap { result in
            groups.filter { $0.root.result == result }
        }
    }

    /// The check at the end of the chain of causes; nil if the finding has a cause of its own: none is given, the named
    /// check is ok or missing, or the chain is a circle.
    private func root(of finding: Finding) -> String? {
        var root: Finding?
        var next = finding.cause
        for _ in findings {
            guard let name = next, let cause = findings.first(where: { $0.check == name && $0.result != .ok }) else {
                return root?.check == finding.check ? nil : root?.check
            }
            root = cause
            next = cause.cause
        }
        return nil
    }
}
