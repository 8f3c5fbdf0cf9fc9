/// Which sensors are meant, by what they are and by their tags: what stands behind `-l` on a command line.
///
/// Conditions are separated by commas, and all of them must hold:
///
///     kind=vibration,hall=3      has that value
///     state!=asleep              has another value, or none
///     line                       has a value
///     !line                      has none
///     serial=press-*             * stands for any characters, in serial numbers only
///
/// The names of `Column` are the sensor's own; every other name is a tag, nested by dots.
public struct SensorSelector: Sendable, Equatable {
    /// A text that is no selector.
    public struct Invalid: Error, Equatable, CustomStringConvertible {
        /// Why, in one line.
        public let description: String
    }

    /// What every sensor has of its own.
    public enum Column: String, Sendable, CaseIterable {
        /// Its serial number.
        case serial
        /// `vibration`, `climate` …
        case kind
        /// The version of what runs on it.
        case firmware
        /// What it does.
        case state
        /// Whether it is connected.
        case presence
        /// The name of the machine that it sits on.
        case target

        /// The values that there are; nil if any text may be one.
        public var words: [String]? {
            switch self {
            case .state: ["unknown", "awake", "asleep", "stopped"]
            case .presence: ["unknown", "online", "lost", "offline"]
            case .serial, .kind, .firmware, .target: nil
            }
        }
    }

    /// What a condition looks at.
    public enum Subject: Sendable, Equatable {
        /// Something of the sensor's own.
        case column(Column)
        /// A tag, by the way to it through the objects.
        case tag([String])
    }

    /// What must hold.
    public enum Test: Sendable, Equatable {
        /// It has this value.
        case equals(String)
        /// It has another value, or none.
        case differs(String)
        /// It has a value.
        case exists
        /// It has none.
        case isAbsent
    }

    /// One of the conditions.
    public struct Condition: Sendable, Equatable {
        /// What it looks at.
        public var subject: Subject
        /// What must hold of that.
        public var test: Test

        /// That condition.
        public init(_ subject: Subject, _ test: Test) {
            self.subject = subject
            self.test = test
        }
    }

    /// Most conditions of a selector.
    public static let conditionsMax = 32

    /// All of these must hold; none: every sensor is meant.
    public let conditions: [Condition]

    /// Every sensor.
    public static let all = SensorSelector(conditions: [])

    private init(conditions: [Condition]) { self.conditions = conditions }

    /// Reads a selector.
    /// - Throws: `Invalid` for what is none, among others for an empty text.
    public init(_ text: String) throws(Invalid) {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
        guard parts.count <= Self.conditionsMax else {
            throw Invalid(description: "\(parts.count) conditions are too many, \(Self.conditionsMax) are the most")
        }
        var conditions: [Condition] = []
        for part in parts { conditions.append(try Self.condition(part.trimmed)) }
        self.conditions = conditions
    }

    /// Reads the name of a tag.
    /// - Returns: the way to it; nil if it is no such name or one of the sensor's own.
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
            throw Invalid(description: "a condition is empty; name=value, name!=value, name, !name are some")
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
        // Characters of serial numbers, and the glob.
        let isSerial = SerialNumber(value.split(separator: "*").joined()) != nil || value.allSatisfy { $0 == "*" }
        if column == .serial, !isSerial {
            throw Invalid(
                description: "'\(text)': a serial number has 1 to 64 of A-Z a-z 0-9 _ -, and * for any of them")
        }
    }

    /// Characters that have no other meaning in a selector, on a command line or in an assignment.
    private static func isOfName(_ character: Character) -> Bool {
        character.isLetter || character.isNumber || "_-/".contains(character)
    }
}

extension Substring {
    /// Without the spaces at its ends.
    fileprivate var trimmed: Substring {
        var text = self.drop { $0.isWhitespace }
        while text.last?.isWhitespace == true { text.removeLast() }
        return text
    }
}
