internal import Records
internal import Store

/// A condition on a sensor, as given on the command line: `state=awake`, `reported.rate_hz=1000`.
struct WaitCondition: Sendable, Equatable {
    /// A word that is not a condition.
    struct Invalid: Error, CustomStringConvertible {
        let description: String
    }

    private enum Subject: Sendable, Equatable {
        case state
        case presence
        case drift
        case alarms
        /// The path of a reported property, separated by dots.
        case reported(String)
    }

    /// The possible values of subjects that are words.
    private static let words: [(name: String, subject: Subject, words: [String])] = [
        ("state", .state, ["unknown", "awake", "asleep", "stopped"]),
        ("presence", .presence, ["unknown", "online", "lost", "offline"]), ("drift", .drift, ["none", "some"]),
        ("alarms", .alarms, ["none", "active"]),
    ]

    /// The condition as given.
    let text: String
    private let subject: Subject
    private let wanted: JSONValue

    /// Parses `name=value`.
    /// - Throws: `Invalid`, which proposes similar names.
    init(_ text: String) throws(Invalid) {
        guard let sign = text.firstIndex(of: "="), sign != text.startIndex else {
            throw Invalid(description: "'\(text)' is not name=value")
        }
        let name = String(text[..<sign])
        let word = String(text[text.index(after: sign)...])
        self.text = text
        if name.hasPrefix("reported."), name.count > "reported.".count {
            subject = .reported(String(name.dropFirst("reported.".count)))
            switch JSONValue(json: word) {
            case .some(.list), .some(.object), nil: wanted = .text(word)
            case .some(let scalar): wanted = scalar
            }
            return
        }
        guard let known = Self.words.first(where: { $0.name == name }) else {
            throw Invalid(description: "no condition \(name); \(Self.hint(name, Self.words.map(\.name)))")
        }
        guard known.words.contains(word) else {
            throw Invalid(description: "no \(name) \(word); \(Self.hint(word, known.words))")
        }
        subject = known.subject
        wanted = .text(word)
    }

    private static func hint(_ word: String, _ names: [String]) -> String {
        let proposals = DidYouMean.proposals(for: word, among: names)
        return proposals.isEmpty
            ? "expected one of \(names.joined(separator: ", "))"
            : "did you mean \(proposals.joined(separator: " or "))?"
    }

    /// Whether the condition holds.
    func isMet(by twin: TwinRecord) -> Bool { present(in: twin) == wanted }

    /// The condition with the actual value, for people: "state=asleep (awake)".
    func instead(_ twin: TwinRecord) -> String { "\(text) (\(present(in: twin).plain))" }

    private func present(in twin: TwinRecord) -> JSONValue {
        switch subject {
        case .state: .text(twin.state)
        case .presence: .text(twin.presence)
        case .alarms: .text(twin.activeAlarms == 0 ? "none" : "active")
        case .drift:
            .text(
                DriftView.between(desiredJSON: twin.desired.json, reportedJSON: twin.reportedJSON).isEmpty
                    ? "none" : "some")
        case .reported(let path):
            (JSONValue(json: twin.reportedJSON) ?? .null).leaves.first { $0.path == path }?.value ?? .null
        }
    }
}
