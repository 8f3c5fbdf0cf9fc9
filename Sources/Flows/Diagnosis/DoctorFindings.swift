internal import Store
internal import Time

/// Derives findings, and how to fix each, from the facts. Pure.
extension DoctorFacts {
    /// A larger clock difference is a warning, in seconds.
    static let offsetWarning = 1.0
    /// A larger clock difference is a problem, in seconds: times in the database are wrong by minutes.
    static let offsetProblem = 60.0
    /// PostgreSQL 17, the first with a time limit for transactions.
    static let versionMin: Int64 = 170_000

    /// The beginning of each fix for which sensor-registry must be started.
    static let startRegistry = "start sensor-registry"
    static let createMissing = "\(startRegistry): it creates what is missing"

    /// All findings, the broker's first.
    var diagnosis: Diagnosis {
        var findings = [settingsFinding].compactMap { $0 }
        findings += brokerFindings + [managementFinding] + topologyFindings + [mqttFinding]
        findings += databaseFindings + serviceFindings + partitionFindings + waitingFindings + upkeepFindings
        findings.append(diskFinding)
        return Diagnosis(
            findings: Self.joinedByRegistry(findings), isAnybodyThere: broker.value != nil || server.value != nil)
    }

    /// Of several problems that a start of sensor-registry fixes, the first is the cause of the others.
    private static func joinedByRegistry(_ findings: [Finding]) -> [Finding] {
        var first: String?
        return findings.map { finding in
            guard finding.cause == nil, finding.result == .problem, finding.fix?.hasPrefix(startRegistry) == true else {
                return finding
            }
            defer { first = first ?? finding.check }
            return first.map { finding.following($0) } ?? finding
        }
    }

    /// The finding for an unknown fact; nil if the fact is known.
    func unknown<Value>(_ check: String, _ fact: Fact<Value>, _ what: String, fix: String) -> Finding? {
        switch fact {
        case .known: nil
        case .failed(let why): .problem(check, "\(what): \(why)", fix: fix)
        case .tooSlow(let limit):
            .problem(check, "\(what): no answer within \(limit.seconds) s", fix: "\(fix); or wait longer: --timeout")
        case .notAsked(let cause): .notChecked(check, because: cause)
        }
    }

    // MARK: settings

    /// Whether no address was given, and nothing answers at the defaults.
    var isNothingSet: Bool {
        unset.isSuperset(of: ["AMQP_URL", "DATABASE_URL"]) && broker.value == nil && server.value == nil
            && brokerRefusal == nil && databaseRefusal == nil
    }

    private var settingsFinding: Finding? {
        guard isNothingSet else { return nil }
        return .problem(
            "settings",
            "AMQP_URL and DATABASE_URL are not set, no context is in use, and the defaults on this machine do not answer",
            fix:
                "iotctl context add --help shows how to name your servers; or set AMQP_URL=amqp://user:password@host:5672/%2f "
                + "and DATABASE_URL=postgresql://user:password@host:5432/iot")
    }

    /// A duration for people: "12 ms", "3.4 s", "5 min", "2.0 h", "3.0 d".
    static func format(_ seconds: Double) -> String {
        func oneDigit(_ number: Double) -> String { "\((number * 10).rounded() / 10)" }
        switch seconds {
        case ..<0.9995: return "\(Int((seconds * 1000).rounded())) ms"
        case ..<90: return "\(oneDigit(seconds)) s"
        case ..<5400: return "\(Int((seconds / 60).rounded())) min"
        case ..<172_800: return "\(oneDigit(seconds / 3600)) h"
        default: return "\(oneDigit(seconds / 86_400)) d"
        }
    }
}
