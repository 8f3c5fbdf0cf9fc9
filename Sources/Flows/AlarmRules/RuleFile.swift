internal import Foundation
public import Rules
internal import Yams

/// A file of alarm rules in YAML, as docs/rules.md describes it: `rules:` with a list, in one document or several.
public struct RuleFile: Sendable, Equatable {
    /// The most bytes of a file.
    public static let bytesMax = 1 << 20
    /// The most rules of a file.
    public static let rulesMax = 1000

    /// What is wrong with a file: every problem that was found, in the order of the lines.
    public struct Invalid: Error, Sendable, Equatable, CustomStringConvertible {
        /// A problem and its place.
        public struct Problem: Sendable, Equatable, CustomStringConvertible {
            /// The line, from 1; nil: the file as a whole.
            public var line: Int?
            /// The rule's name; nil if it has none that can be read.
            public var rule: String?
            /// The field and what is wrong with it.
            public var text: String

            /// "line 4: rule hot: when.threshold.above: missing".
            public var description: String {
                [line.map { "line \($0)" }, rule.map { "rule \($0)" }, text].compactMap { $0 }.joined(separator: ": ")
            }
        }

        /// The problems.
        public let problems: [Problem]

        /// One line for each problem.
        public var description: String { problems.map(\.description).joined(separator: "\n") }
    }

    /// The rules, in the order of the file.
    public let rules: [Rule]

    /// Reads a file as a whole: one problem refuses all of it.
    /// - Throws: `Invalid`.
    public init(yaml: String) throws(Invalid) {
        guard yaml.utf8.count <= Self.bytesMax else {
            throw Self.invalid(nil, "the file has \(yaml.utf8.count) bytes, at most \(Self.bytesMax)")
        }
        let documents = try Self.documents(yaml)
        var reading = Reading()
        for document in documents { reading.read(document: document) }
        if documents.isEmpty {
            reading.problems.append(Invalid.Problem(text: "the file is empty; write rules: and a list"))
        }
        if reading.rules.count > Self.rulesMax {
            reading.problems.append(
                Invalid.Problem(text: "the file has \(reading.rules.count) rules, at most \(Self.rulesMax)"))
        }
        guard reading.problems.isEmpty else {
            throw Invalid(problems: reading.problems.sorted { ($0.line ?? 0) < ($1.line ?? 0) })
        }
        rules = reading.rules
    }

    private static func documents(_ yaml: String) throws(Invalid) -> [Node] {
        do {
            var sequence = try Yams.compose_all(yaml: yaml)
            var documents: [Node] = []
            while let document = sequence.next() { documents.append(document) }
            // The sequence ends at an error, and keeps it.
            if let error = sequence.error { throw error }
            return documents
        } catch let error as YamlError { throw invalid(error.line, error.text) } catch {
            throw invalid(nil, "\(error)")
        }
    }

    private static func invalid(_ line: Int?, _ text: String) -> Invalid {
        Invalid(problems: [Invalid.Problem(line: line, text: text)])
    }

    /// Rules as a file that `init(yaml:)` reads.
    public static func yaml(_ rules: [Rule]) throws -> String {
        let encoder = YAMLEncoder()
        encoder.options.sortKeys = false
        encoder.options.allowUnicode = true
        return try encoder.encode(["rules": rules])
    }
}

/// The rules and problems that were found so far.
private struct Reading {
    var rules: [Rule] = []
    var problems: [RuleFile.Invalid.Problem] = []
    private var lines: [String: Int] = [:]

    mutating func read(document: Node) {
        guard let mapping = document.mapping else {
            return note(document, nil, "a rule file has the key rules with a list")
        }
        for (key, value) in mapping {
            guard key.string == "rules" else {
                note(key, nil, "\(key.string ?? "this key"): unknown; a rule file has the key rules")
                continue
            }
            guard let list = value.sequence else {
                note(value, nil, "rules: is no list")
                continue
            }
            for node in list { read(rule: node) }
        }
    }

    private mutating func read(rule node: Node) {
        let name = node.mapping?["name"]?.string
        let rule: Rule
        do { rule = try YAMLDecoder().decode(Rule.self, from: node) } catch let error as DecodingError {
            let problem = RuleProblem(error)
            return note(node.at(problem.field), name, problem.description)
        } catch { return note(node, name, "\(error)") }
        for problem in rule.problems { note(node.at(problem.field), name, problem.description) }
        if let zone = rule.zones.first(where: { TimeZone(identifier: $0) == nil }) {
            note(node, name, "\(zone): no such time zone; write one such as Europe/Berlin")
        }
        if let line = lines[rule.name] { note(node, name, "the same name as in line \(line)") }
        lines[rule.name] = node.line
        rules.append(rule)
    }

    private mutating func note(_ node: Node, _ rule: String?, _ text: String) {
        problems.append(RuleFile.Invalid.Problem(line: node.line, rule: rule, text: text))
    }
}

extension Rule {
    /// The time zones that it names.
    fileprivate var zones: Set<String> { condition.zones.union(schedule.map { [$0.zone] } ?? []) }
}

extension Node {
    /// The line, from 1.
    fileprivate var line: Int? { mark?.line }

    /// The node at a path such as `when.all[1].threshold.above`, or the last one on the way that exists.
    fileprivate func at(_ path: String) -> Node {
        var node = self
        for step in path.split(whereSeparator: { $0 == "." || $0 == "[" }) {
            let next: Node?
            if step.last == "]", let index = Int(step.dropLast()) {
                next = node.sequence.flatMap { $0.indices.contains(index) ? $0[index] : nil }
            } else {
                // The key's own line: a value that is a block begins in the next one.
                guard let pair = node.mapping?.first(where: { $0.key.string == String(step) }) else { return node }
                next = pair.value.isScalar ? pair.key : pair.value
            }
            guard let next else { return node }
            node = next
        }
        return node
    }

    private var isScalar: Bool { scalar != nil }
}

extension YamlError {
    /// The line of the problem, from 1.
    fileprivate var line: Int? {
        switch self {
        case .scanner(_, _, let mark, _), .parser(_, _, let mark, _), .composer(_, _, let mark, _): mark.line
        default: nil
        }
    }

    /// The problem without the place.
    fileprivate var text: String {
        switch self {
        case .scanner(_, let problem, _, _), .parser(_, let problem, _, _), .composer(_, let problem, _, _):
            "no YAML: \(problem)"
        default: "\(self)".split(separator: "\n").first.map(String.init) ?? "no YAML"
        }
    }
}
