public import Diagnosis

/// The doctor's findings on broker, database and services (docs/iotctl-json.md, "diagnosis").
public struct DiagnosisView: Codable, Sendable, Equatable {
    /// The result of one check.
    public struct Finding: Codable, Sendable, Equatable {
        /// The check's name, one word: `broker`, `queues` …
        public var check: String
        /// The result: `ok`, `warning`, `problem` or `not_checked`.
        public var result: String
        /// The finding in one sentence.
        public var text: String
        /// How to fix the problem; nil if the result is ok.
        public var fix: String?
        /// The check whose finding is the cause of this one; nil if this finding has a cause of its own.
        public var cause: String?
    }

    /// Whether there is no problem.
    public var isHealthy: Bool
    /// The findings in the order of the checks.
    public var findings: [Finding]

    private enum CodingKeys: String, CodingKey {
        case isHealthy = "healthy"
        case findings
    }
}

extension DiagnosisView {
    /// The view of a diagnosis.
    public init(_ diagnosis: Diagnosis) {
        self.init(
            isHealthy: diagnosis.isHealthy,
            findings: diagnosis.findings.map {
                Finding(check: $0.check, result: $0.result.rawValue, text: $0.text, fix: $0.fix, cause: $0.cause)
            })
    }
}
