internal import Diagnosis

/// The doctor's findings as text for people, at most 80 columns wide. Pure.
struct DoctorText {
    private static let width = 80
    private static let indent = 30

    /// The findings.
    let diagnosis: Diagnosis
    let style: Style

    /// The numbers of causes and of checks by their results: "1 problem, 16 not checked, 11 ok".
    static func summary(_ diagnosis: Diagnosis) -> String {
        let causes = diagnosis.groups.map(\.root)
        return [Finding.Verdict.problem, .warning, .notChecked, .ok].compactMap { result in
            // A problem that follows from another one is not a second one.
            let isCause = result == .problem || result == .warning
            let count = (isCause ? causes : diagnosis.findings).count { $0.result == result }
            if count == 0 { return nil }
            return isCause && count > 1 ? "\(count) \(result.rawValue)s" : "\(count) \(word(result))"
        }.joined(separator: ", ")
    }

    /// The findings, each cause once.
    /// - Parameter all: whether to list every check in its order instead.
    func text(all: Bool) -> String {
        if all { return diagnosis.findings.map(entry).joined() }
        let groups = diagnosis.groups
        var text = ""
        for group in groups where group.root.result != .ok {
            text += entry(group.root) + followers(of: group)
        }
        let fine = diagnosis.findings.filter { $0.result == .ok }.map(\.check)
        if fine.isEmpty { return text }
        return text + line(.ok, Self.checks(fine.count), fine.joined(separator: ", "))
    }

    private func entry(_ finding: Finding) -> String {
        // The result is printed already.
        let words = finding.text.hasPrefix("not checked: ") ? finding.text.dropFirst(13) : finding.text[...]
        let text = line(finding.result, finding.check, String(words))
        guard let fix = finding.fix else { return text }
        return text + String(repeating: " ", count: Self.indent) + Self.wrapped("fix: \(fix)".printable)
    }

    /// The lines that stand for the findings that follow from a cause.
    private func followers(of group: Diagnosis.Group) -> String {
        let skipped = group.followers.count { $0.result == .notChecked }
        let found = group.followers.count - skipped
        var text = ""
        if found > 0 {
            text += line(
                group.root.result, "\(found) more",
                found == 1 ? "follows from it; -v shows it" : "follow from it; -v lists them")
        }
        if skipped > 0 {
            let need =
                skipped == 1
                ? "needs \(Self.noun(group.root.check)) and was not made; -v shows it"
                : "need \(Self.noun(group.root.check)) and were not made; -v lists them"
            text += line(.notChecked, Self.checks(skipped), need)
        }
        return text
    }

    private func line(_ result: Finding.Verdict, _ title: String, _ text: String) -> String {
        let word = Self.word(result)
        return style.paint(word, Self.tone(result)) + Self.pad(word, to: 13) + title + Self.pad(title, to: 17)
            + Self.wrapped(text.printable)
    }

    private static func checks(_ count: Int) -> String { count == 1 ? "1 check" : "\(count) checks" }

    private static func noun(_ check: String) -> String {
        switch check {
        case "broker", "database": "the \(check)"
        case "settings": "a server"
        case "management": "the management API"
        case "migrations": "the schema"
        default: check
        }
    }

    private static func word(_ result: Finding.Verdict) -> String {
        result == .notChecked ? "not checked" : result.rawValue
    }

    private static func tone(_ result: Finding.Verdict) -> Tone {
        switch result {
        case .ok: .good
        case .warning: .doubtful
        case .problem: .bad
        case .notChecked: .plain
        }
    }

    private static func pad(_ text: String, to width: Int) -> String {
        String(repeating: " ", count: max(1, width - text.count))
    }

    /// The text wrapped to the width behind the indent; a longer word has a line of its own.
    static func wrapped(_ text: String) -> String {
        text.folded(to: width - indent).replacing("\n", with: "\n" + String(repeating: " ", count: indent)) + "\n"
    }
}
