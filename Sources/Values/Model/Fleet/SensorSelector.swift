/// A selection of sensors by their properties and tags: the argument of `-l` on a command line.
///
/// Conditions are separated by commas, and all of them must hold:
///
///     kind=vibration,hall=3      has this value
///     state!=asleep              has another value, or none
///     line                       has a value
///     !line                      has no value
///     serial=press-*             * stands for any characters and ? for one, in serial numbers only
///
/// The names of `Column` are properties of the sensor. Every other name is a tag; dots separate nested objects.
public struct SensorSelector: Sendable, Equatable {
    /// The error for a text that is not a selector.
    public struct Invalid: Error, Equatable, CustomStringConvertible {
        /// The reason, in one line.
        public let description: String
    }

    /// The properties that every sensor has.
    public enum Column: String, Sendable, CaseIterable {
        /// The serial number.
        case serial
        /// The kind: `vibration`, `climate` …
        case kind
        /// The firmware version.
        case firmware
        /// The sensor's state: awake, asleep …
        case state
        /// The sensor's presence: online, offline …
        case presence
        /// The name of the machine that the sensor is mounted on.
        case target

        /// The possible values; nil if any text is allowed.
        public var words: [String]? {
            switch self {
            case .state: ["unknown", "awake", "asleep", "stopped"]
            case .presence: ["unknown", "online", "lost", "offline"]
            case .serial, .kind, .firmware, .target: nil
            }
        }
    }

    /// The property or tag that a condition tests.
    public enum Subject: Sendable, Equatable {
        /// A property of the sensor.
        case column(Column)
        /// A tag, by its path through the nested objects.
        case tag([String])
    }

    /// The test of a condition.
    public enum Test: Sendable, Equatable {
        /// The subject has this value.
        case equals(String)
        /// The subject has another value, or none.
        case differs(String)
        /// The subject has a value.
        case exists
        /// The subject has no value.
        case isAbsent
    }

    /// One condition of a selector.
    public struct Condition: Sendable, Equatable {
        /// The property or tag to test.
        public var subject: Subject
        /// The test.
        public var test: Test

        /// A condition that applies `test` to `subject`.
        public init(_ subject: Subject, _ test: Test) {
            self.subject = subject
            self.test = test
        }
    }

    /// The most conditions of a selector.
    public static let conditionsMax = 32

    /// The conditions, all of which must hold; an empty list selects every sensor.
    public let conditions: [Condition]

    /// Selects every sensor.
    public static let all = SensorSelector(conditions: [])

    private init(conditions: [Condition]) { self.conditions = conditions }

    /// Reads a selector.
    /// - Throws: `Invalid` for a text that is not a selector, such as an empty one.
    public init(_ text: String) throws(Invalid) {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
        guard parts.count <= Self.conditionsMax else {
            throw Invalid(description: "\(parts.count) conditions; at most \(Self.conditionsMax) are allowed")
        }
        var conditions: [Condition] = []
        for part in parts { conditions.append(try Self.condition(part.trimmed)) }
        self.conditions = conditions
    }

    /// Reads the name of a tag.
    /// - Returns: the tag's path; nil if the text is not a valid name or names a property of the sensor.
    public static func tagPath(_ name: some StringProtocol) -> [String]? {
        guard Column(rawValue: String(name)) == nil else { return nil }
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.allSatisfy({ !$0.isEmpty && $0.allSatisfy(isOfName) }), name.first != "-", name.last != "-" else {
            return nil
        }
        return parts.map { String($0) }
    }

    private static func condition(_ text: Substring) throws(Invalid) -> Condition {
        if text.isEmpty {
            throw Invalid(description: "a condition is empty; write name=value, name!=value, name or !name")
        }
        if text.first == "!" { return Condition(try subject(text.dropFirst().trimmed, in: text), .isAbsent) }
        guard let sign = text.firstIndex(of: "=") else { return Condition(try subject(text, in: text), .exists) }
        var name = text[..<sign]
        var value = text[text.index(after: sign)...]
        let differs = name.last == "!"
        if differs { name = name.dropLast() } else if value.first == "=" { value = value.dropFirst() }
        let subject = try subject(name.trimmed, in: text)
        let word = String(value.trimmed)
        try check(word, of: subject, in: text)
        return Condition(subject, differs ? .differs(word) : .equals(word))
    }

    private static func subject(_ name: Substring, in text: Substring) throws(Invalid) -> Subject {
        if let column = Column(rawValue: String(name)) { return .column(column) }
        guard let path = tagPath(name) else {
            throw Invalid(description: "'\(text)' is not name=value, name!=value, name or !name")
        }
        return .tag(path)
    }

    private static func check(_ value: String, of subject: Subject, in text: Substring) throws(Invalid) {
        guard !value.isEmpty else { throw Invalid(description: "'\(text)' has no value; !name finds sensors without") }
        guard case .column(let column) = subject else { return }
        if let words = column.words, !words.contains(value) {
            throw Invalid(description: "'\(text)': \(column.rawValue) is one of \(words.joined(separator: ", "))")
        }
        if column == .serial, !SerialPattern(value).isPossible {
            throw Invalid(
                description: "'\(text)': a serial number has 1 to 64 of A-Z a-z 0-9 _ -; * stands for any, ? for one")
        }
    }

    /// Whether a tag's name may contain the character: it has no other meaning in a selector, on a command line or in
    /// an assignment.
    private static func isOfName(_ character: Character) -> Bool {
        character.isLetter || character.isNumber || "_-/".contains(character)
    }
}

extension Substring {
    /// The text without white space at both ends.
    fileprivate var trimmed: Substring {
        var text = self.drop { $0.isWhitespace }
        while text.last?.isWhitespace == true { text.removeLast() }
        return text
    }
}
