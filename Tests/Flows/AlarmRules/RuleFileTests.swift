import AlarmRules
import Model
import Rules
import Testing

/// Rule files: what is read, and with which line and reason they are refused.
@Suite struct RuleFileTests {
    private static let hot = """
        rules:
          - name: pump-hot
            severity: critical
            selector:
              sensors: [pump-*]
              tags: {hall: 3}
              channels: [temperature]
            when:
              threshold: {above: 80, hysteresis: 2}
              for: 10s
            message: "{sensor} is {value} {unit}"
          - name: silent
            when: {no_data: {after: 5m}}
        """

    @Test func rulesAreRead() throws {
        let rules = try RuleFile(yaml: Self.hot).rules
        try #require(rules.map(\.name) == ["pump-hot", "silent"])
        #expect(rules[0].severity == .critical && rules[1].severity == .warning)
        #expect(rules[0].selector.tags == ["hall": "3"] && rules[0].selector.sensors == ["pump-*"])
        #expect(
            rules[0].condition
                == .sustained(.threshold(Condition.Threshold(above: 80, hysteresis: 2)), for: .seconds(10)))
        #expect(rules[1].condition == .noData(Condition.NoData(after: .seconds(300))))
    }

    @Test func whatIsWrittenIsReadAgain() throws {
        let rules = try RuleFile(yaml: Self.hot).rules
        #expect(try RuleFile(yaml: RuleFile.yaml(rules)).rules == rules)
    }

    @Test func severalDocumentsAreOneFile() throws {
        let second = "rules:\n  - {name: late, when: {no_data: {after: 1h}}}\n"
        #expect(try RuleFile(yaml: "\(Self.hot)\n---\n\(second)").rules.map(\.name) == ["pump-hot", "silent", "late"])
    }

    /// A file, and what is said of it.
    private static let refused: [(yaml: String, problem: String)] = [
        ("", "the file is empty; write rules: and a list"),
        ("rules:\n  - name: a\n   when: 3\n", "line 3: no YAML: did not find expected '-' indicator"),
        ("- name: a\n", "line 1: a rule file has the key rules with a list"),
        ("rule:\n  - name: a\n", "line 1: rule: unknown; a rule file has the key rules"),
        ("rules:\n  - name: a\n", "line 2: rule a: when: missing"),
        (
            "rules:\n  - name: a\n    when:\n      threshold:\n        abowe: 3\n",
            "line 5: rule a: when.threshold.abowe: unknown; possible here: of, above, below, hysteresis, channel"
        ),
        (
            "rules:\n  - name: a\n    when: {threshold: {above: hot}}\n",
            "line 3: rule a: when.threshold.above: is no number"
        ),
        (
            "rules:\n  - name: A b\n    when: {no_data: {after: 1m}}\n",
            "line 2: rule A b: name: is no name; 1 to 64 of a-z, 0-9 and -, a letter or digit first"
        ),
        (
            "rules:\n  - {name: a, when: {no_data: {after: 1m}}}\n  - {name: a, when: {no_data: {after: 2m}}}\n",
            "line 3: rule a: the same name as in line 2"
        ),
        (
            "rules:\n  - name: a\n    when: {no_data: {after: 1m}}\n    schedule: {zone: Mars/Olympus}\n",
            "line 2: rule a: Mars/Olympus: no such time zone; write one such as Europe/Berlin"
        ),
    ]

    @Test(arguments: refused) func filesAreRefusedWithLineAndReason(_ yaml: String, _ problem: String) throws {
        let error = try #require(throws: RuleFile.Invalid.self) { try RuleFile(yaml: yaml) }
        #expect(error.description == problem)
    }

    @Test func everyProblemIsTold() throws {
        let yaml = """
            rules:
              - {name: a, when: {threshold: {}}}
              - {name: b, when: {no_data: {after: soon}}}
            """
        let error = try #require(throws: RuleFile.Invalid.self) { try RuleFile(yaml: yaml) }
        #expect(error.problems.map(\.line) == [2, 3] && error.problems.map(\.rule) == ["a", "b"])
    }

    @Test func filesAreLimited() {
        let rule = "  - {name: a, when: {no_data: {after: 1m}}}\n"
        let many = (0...RuleFile.rulesMax).map { rule.replacing("name: a", with: "name: a\($0)") }.joined()
        #expect(throws: RuleFile.Invalid.self) { try RuleFile(yaml: "rules:\n" + many) }
        #expect(throws: RuleFile.Invalid.self) {
            try RuleFile(yaml: String(repeating: "#\n", count: RuleFile.bytesMax))
        }
    }
}
