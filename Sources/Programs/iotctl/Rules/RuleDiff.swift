internal import AlarmRules
internal import ArgumentParser
internal import Rules
internal import Service
internal import Store

/// `iotctl rule diff -f FILE`
struct RuleDiff: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff",
        abstract: "Compares the rules of a file with the stored ones.",
        discussion: """
            Examples:
              iotctl rule diff -f rules.yaml

            Lines that apply would remove begin with -, lines that it would add with +.
            Exit code 0: no difference; 1: there are differences.
            """)

    @OptionGroup var file: RuleFileOption

    /// The option `--context`, which is read before all other options.
    @OptionGroup var context: ContextOption

    func run() async throws {
        try await perform {
            let rules = try file.rules()
            let stored = try await Connections().store().rules().map(\.rule)
            var text = ""
            for rule in rules {
                let before = stored.first { $0.name == rule.name }
                text += try Self.difference(from: before, to: rule)
            }
            try Out.write(text.printableLines)
            guard text.isEmpty else { throw Failure(ExitStatus.failed) }
        }
    }

    /// The lines of both rules' YAML, with a sign before those that differ; empty if none does.
    static func difference(from before: Rule?, to after: Rule) throws -> String {
        let old = try before.map { try Self.lines($0) } ?? []
        let new = try lines(after)
        if old == new { return "" }
        let difference = new.difference(from: old)
        let removed = Set(difference.removals.map(\.offset))
        let inserted = Set(difference.insertions.map(\.offset))
        var text = "rule \(after.name)\(before == nil ? " (new)" : "")\n"
        var (i, j) = (0, 0)
        while i < old.count || j < new.count {
            if i < old.count, removed.contains(i) {
                text += "- \(old[i])\n"
                i += 1
            } else if j < new.count, inserted.contains(j) {
                text += "+ \(new[j])\n"
                j += 1
            } else {
                text += "  \(old[i])\n"
                (i, j) = (i + 1, j + 1)
            }
        }
        return text
    }

    private static func lines(_ rule: Rule) throws -> [Substring] { try RuleFile.yaml([rule]).split(separator: "\n") }
}

extension CollectionDifference.Change {
    fileprivate var offset: Int {
        switch self {
        case .insert(let offset, _, _), .remove(let offset, _, _): offset
        }
    }
}

extension String {
    /// The text with its line feeds, and other control characters replaced.
    fileprivate var printableLines: String {
        split(separator: "\n", omittingEmptySubsequences: false).map { String($0).printable }.joined(separator: "\n")
    }
}
