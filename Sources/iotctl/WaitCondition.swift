internal import Store

/// What somebody waits for of a sensor, as it stands on the command line: `state=awake`, `reported.rate_hz=1000`.
struct WaitCondition: Sendable, Equatable {
    /// A word that is no such thing.
    struct Invalid: Error, CustomStringConvertible {
        /// Why.
        let description: String
    }

    private enum Subject: Sendable, Equatable {
        case state
        case presence
        case drift
        case alarms
        /// By dots.
        case reported(String)
    }

    /// What the subjects that are words may be.
    private static let words: [(name: String, subject: Subject, words: [String])] = [
        ("state", .state, ["unknown", "awake", "asleep", "stopped"]),
        ("presence", .presence, ["unknown", "online", "lost", "offline"]), ("drift", .drift, ["none", "some"]),
        ("alarms", .alarms, ["none", "active"]),
    ]

    /// As it was written.
    let text: String
    private let subject: Subject
    private let wanted: Value

    /// Reads `name=value`.
    /// - Throws: `Invalid`, with what may have been meant.
    init(_ text: String) throws(Invalid) {
        guard let sign = text.firstIndex(of: "="), sign != text.startIndex else {
            throw Invalid(description: "'\(text)' is not name=value")
        }
        let name = String(text[..<sign])
        let word = String(text[text.index(after: sign)...])
        self.text = text
        if name.hasPrefix("reported."), name.count > "reported.".count {
            subject = .reported(String(name.dropFirst("reported.".count)))
            switch Value(json: word) {
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
            ? "there are \(names.joined(separator: ", "))" : "did you mean \(proposals.joined(separator: " or "))?"
    }

    /// Whether it holds.
    func isMet(by twin: TwinRecord) -> Bool {
        let present = present(in: twin)
        if present == wanted { return true }
        if case (.integer(let whole), .number(let number)) = (wanted, present) { return Double(whole) == number }
        if case (.number(let number), .integer(let whole)) = (wanted, present) { return Double(whole) == number }
        return false
    }

    /// What is there instead, for people.
    func instead(_ twin: TwinRecord) -> String { "\(text) (\(present(in: twin).plain))" }

    private func present(in twin: TwinRecord) -> Value {
        switch subject {
        case .state: .text(twin.state)
        case .presence: .text(twin.presence)
        case .alarms: .text(twin.activeAlarms == 0 ? "none" : "active")
        case .drift:
            .text(
                Twin.drift(
                    desired: Value(json: twin.desired.json) ?? .null, reported: Value(json: twin.reportedJSON) ?? .null
                ).isEmpty ? "none" : "some")
        case .reported(let path):
            Twin.leaves(of: Value(json: twin.reportedJSON) ?? .null).first { $0.path == path }?.value ?? .null
        }
    }
}
