internal import Sensors

/// A property that is to be wanted of a sensor, as it stands on the command line: `limits.temperature.high=30`.
struct DesiredChange: Sendable, Equatable {
    /// A word that is no such thing.
    struct Invalid: Error, CustomStringConvertible {
        /// Why.
        let description: String
    }

    /// The numbers that a channel's limits have.
    static let limitNames = ["high", "low", "hysteresis"]

    /// The way to the property through the objects.
    let path: [String]
    /// What it is to be; null: not there.
    let value: Value

    /// Whether it sets one of a channel's limits; the channel is `path[1]`.
    var isLimit: Bool { path.count == 3 && path[0] == "limits" && value != .null }

    /// Reads `path=value`.
    ///
    /// The value is a number, true, false, null or a quoted text if it is one in JSON, otherwise the text as it stands.
    /// - Throws: `Invalid`; among others for a limit that is no number.
    init(_ word: String) throws(Invalid) {
        guard let sign = word.firstIndex(of: "="), sign != word.startIndex else {
            throw Invalid(description: "'\(word)' is not path=value")
        }
        let names = word[..<sign].split(separator: ".", omittingEmptySubsequences: false).map { String($0) }
        guard !names.contains("") else { throw Invalid(description: "'\(word[..<sign])' has an empty part") }
        let text = String(word[word.index(after: sign)...])
        if names == ["rate"] || names == ["rate_hz"] {
            path = ["rate_hz"]
            value = try Self.rate(text)
            return
        }
        switch Value(json: text) {
        case .some(.list), .some(.object), nil: value = .text(text)
        case .some(let scalar): value = scalar
        }
        path = names[0] == "limits" ? try Self.limitPath(names, value) : names
    }

    /// A rate as `change-frequency` takes it; null takes it away.
    private static func rate(_ text: String) throws(Invalid) -> Value {
        if text == "null" { return .null }
        guard let rate = SampleRate(word: text) else {
            throw Invalid(description: "'\(text)' is not a sample rate: 1e-7…1e9 Hz are, such as 1000 or 2.5kHz")
        }
        return .number(rate.hertz)
    }

    /// `limits.<channel>.<high|low|hysteresis>`; a channel's name may have dots of its own.
    private static func limitPath(_ names: [String], _ value: Value) throws(Invalid) -> [String] {
        let whole = names.joined(separator: ".")
        if names.count >= 3, let leaf = names.last, limitNames.contains(leaf) {
            let isSound: Bool =
                switch value {
                case .null: true
                case .integer(let number): leaf != "hysteresis" || number >= 0
                case .number(let number): number.isFinite && (leaf != "hysteresis" || number >= 0)
                default: false
                }
            guard isSound else {
                throw Invalid(description: "\(whole) must be a number\(leaf == "hysteresis" ? ", 0 or more" : "")")
            }
            return ["limits", names[1..<(names.count - 1)].joined(separator: "."), leaf]
        }
        guard value == .null else {
            throw Invalid(description: "\(whole): limits are limits.CHANNEL.high, .low or .hysteresis")
        }
        return names.count == 1 ? names : ["limits", names.dropFirst().joined(separator: ".")]
    }

    /// The object with this change made. What stands in the way of the path is replaced; objects that a removal
    /// leaves empty go too.
    func applied(to object: Value) -> Value { object.replacing(at: path[...], with: value) }
}

extension Value {
    /// This object with `value` at the end of the way through its objects; null takes away what is there.
    func replacing(at path: ArraySlice<String>, with value: Value) -> Value {
        guard let name = path.first else { return value }
        var fields: [Field] = []
        if case .object(let present) = self { fields = present }
        let inner = (self[name] ?? .null).replacing(at: path.dropFirst(), with: value)
        let isGone = inner == .null || (value == .null && inner == .object([]))
        fields.removeAll { $0.name == name }
        if !isGone { fields.append(Field(name: name, value: inner)) }
        return .object(fields.sorted { $0.name < $1.name })
    }
}
