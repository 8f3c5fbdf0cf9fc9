internal import ArgumentParser
internal import Pipelines

/// `iotctl doctor`
struct Doctor: AsyncParsableCommand {
    /// Help.
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Looks for what is wrong with broker, database and services, and says how to mend it.",
        discussion: """
            Examples:
              iotctl doctor
              iotctl doctor --timeout 2s
              iotctl doctor -o json | jq -r '.findings[] | select(.result != "ok") | .fix'

            Exit codes: 0 no problem (there may be warnings); 1 a problem; 69 neither broker
            nor database can be reached.

            It changes nothing. With MANAGEMENT_URL (RabbitMQ's management API) it also looks at
            bindings, policies, permissions, retention and the broker's disk.
            """)

    /// How long for each answer.
    @Option(help: "How long each answer may take; one that is overdue is a finding.")
    var timeout = Duration.seconds(5)

    /// How to print.
    @OptionGroup var output: OutputOptions

    /// Refuses what makes no sense.
    func validate() throws {
        guard timeout > .zero, timeout <= .seconds(300) else {
            throw ValidationError("--timeout must be more than 0 and at most 5m")
        }
    }

    /// Looks, and prints what it finds.
    func run() async throws {
        try await perform {
            let settings = try Connections().settings
            Talk.sayOnTerminal("looking at \(settings.broker) and \(Connections.databasePlace)")
            let diagnosis = await Pipelines.Doctor.examine(
                settings, databasePlace: Connections.databasePlace, within: timeout)
            try output.show(Self.value(diagnosis)) { _, style in Self.text(diagnosis, style) }
            let counts = Finding.Result.allCases.compactMap { result -> String? in
                let count = diagnosis.findings.count { $0.result == result }
                return count == 0 ? nil : "\(count) \(Self.word(result))"
            }
            guard diagnosis.isAnybodyThere else {
                throw Failure(ExitStatus.unavailable, "neither broker nor database can be reached")
            }
            guard diagnosis.isHealthy else { throw Failure(ExitStatus.failed, counts.joined(separator: ", ")) }
            Talk.sayOnTerminal(counts.joined(separator: ", "))
        }
    }

    // MARK: for people

    private static let width = 80
    private static let indent = 30

    private static func word(_ result: Finding.Result) -> String {
        result == .notChecked ? "not checked" : result.rawValue
    }

    private static func tone(_ result: Finding.Result) -> Tone {
        switch result {
        case .ok: .good
        case .warning: .doubtful
        case .problem: .bad
        case .notChecked: .plain
        }
    }

    private static func text(_ diagnosis: Diagnosis, _ style: Style) -> String {
        var text = ""
        for finding in diagnosis.findings {
            // The word is said already.
            let words = finding.text.hasPrefix("not checked: ") ? finding.text.dropFirst(13) : finding.text[...]
            let result = word(finding.result)
            text += style.paint(result, tone(finding.result)) + pad(result, to: 13)
            text += finding.check + pad(finding.check, to: 17)
            text += wrapped(String(words).printable)
            if let fix = finding.fix {
                text += String(repeating: " ", count: indent) + wrapped("fix: \(fix)".printable)
            }
        }
        return text
    }

    private static func pad(_ text: String, to width: Int) -> String {
        String(repeating: " ", count: max(1, width - text.count))
    }

    /// Lines that fit behind the indent; a word that is longer stands alone.
    static func wrapped(_ text: String) -> String {
        var lines = [""]
        for word in text.split(separator: " ") {
            let last = lines[lines.count - 1]
            if last.isEmpty {
                lines[lines.count - 1] = String(word)
            } else if last.count + 1 + word.count <= width - indent {
                lines[lines.count - 1] = "\(last) \(word)"
            } else {
                lines.append(String(word))
            }
        }
        return lines.joined(separator: "\n" + String(repeating: " ", count: indent)) + "\n"
    }

    // MARK: JSON

    /// docs/iotctl-json.md, "diagnosis".
    private static func value(_ diagnosis: Diagnosis) -> Value {
        .record([
            "healthy": .flag(diagnosis.isHealthy),
            "findings": .list(
                diagnosis.findings.map { finding in
                    .record([
                        "check": .text(finding.check), "result": .text(finding.result.rawValue),
                        "text": .text(finding.text), "fix": .text(finding.fix),
                    ])
                }),
        ])
    }
}
