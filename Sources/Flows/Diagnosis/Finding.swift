/// What `iotctl doctor` reports of one check.
public struct Finding: Sendable, Equatable {
    /// The verdict. `iotctl` prints the raw value.
    public enum Verdict: String, Sendable, CaseIterable {
        /// Everything is as it should be.
        case ok
        /// It works, but an operator should look at it.
        case warning
        /// Something does not work, or will soon stop working.
        case problem
        /// The check could not be made.
        case notChecked = "not_checked"
    }

    /// The check, one word: `broker`, `queues` …
    public var check: String
    /// The verdict.
    public var result: Verdict
    /// What was found, in one sentence.
    public var text: String
    /// How to fix it; nil if the verdict is ok.
    public var fix: String?
    /// The check whose finding is the cause of this one, such as `broker`; nil: this finding has a cause of its own.
    public var cause: String?

    static func ok(_ check: String, _ text: String) -> Finding { Finding(check: check, result: .ok, text: text) }

    static func warning(_ check: String, _ text: String, fix: String) -> Finding {
        Finding(check: check, result: .warning, text: text, fix: fix)
    }

    static func problem(_ check: String, _ text: String, fix: String) -> Finding {
        Finding(check: check, result: .problem, text: text, fix: fix)
    }

    static func notChecked(_ check: String, _ why: String, fix: String) -> Finding {
        Finding(check: check, result: .notChecked, text: "not checked: \(why)", fix: fix)
    }

    /// A check that could not be made because of what another check found.
    static func notChecked(_ check: String, because cause: String) -> Finding {
        Finding(
            check: check, result: .notChecked, text: "not checked: \(cause) is not ok", fix: "see \(cause)",
            cause: cause)
    }

    /// The same finding as a consequence of another check's.
    func following(_ cause: String) -> Finding {
        var finding = self
        finding.cause = cause
        return finding
    }
}
