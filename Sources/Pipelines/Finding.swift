/// What `iotctl doctor` says of one thing.
public struct Finding: Sendable, Equatable {
    /// How it is. The raw value is what `iotctl` prints.
    public enum Result: String, Sendable, CaseIterable {
        /// As it should be.
        case ok
        /// It works, and somebody should look at it.
        case warning
        /// Something does not work, or is about to stop.
        case problem
        /// Nobody knows.
        case notChecked = "not_checked"
    }

    /// Which thing: one word, `broker`, `queues` …
    public var check: String
    /// How it is.
    public var result: Result
    /// What was found, one sentence.
    public var text: String
    /// What to do about it; nil where it is ok.
    public var fix: String?

    /// It is as it should be.
    static func ok(_ check: String, _ text: String) -> Finding { Finding(check: check, result: .ok, text: text) }

    /// Somebody should look at it.
    static func warning(_ check: String, _ text: String, fix: String) -> Finding {
        Finding(check: check, result: .warning, text: text, fix: fix)
    }

    /// It does not work.
    static func problem(_ check: String, _ text: String, fix: String) -> Finding {
        Finding(check: check, result: .problem, text: text, fix: fix)
    }

    /// Nobody knows.
    static func notChecked(_ check: String, _ why: String, fix: String) -> Finding {
        Finding(check: check, result: .notChecked, text: "not checked: \(why)", fix: fix)
    }
}

/// What all findings come to.
public struct Diagnosis: Sendable, Equatable {
    /// In the order in which they were looked for.
    public var findings: [Finding]
    /// Whether broker or database, or both, answered.
    public var isAnybodyThere: Bool

    /// Whether nothing is wrong. Warnings and what could not be checked are not wrong.
    public var isHealthy: Bool { !findings.contains { $0.result == .problem } }
}
