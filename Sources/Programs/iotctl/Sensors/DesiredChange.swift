internal import Model
internal import Records

/// A change of a desired property, as given on the command line: `limits.temperature.high=30`.
struct DesiredChange: Sendable, Equatable {
    /// A word that is not a change.
    struct Invalid: Error, CustomStringConvertible {
        /// Why.
        let description: String
    }

    /// The names of a channel's limits.
    static let limitNames = ["high", "low", "hysteresis"]

    /// The path to the property through nested objects.
    let path: [String]
    /// The new value; null removes the property.
    let value: JSONValue

    /// Whether it sets one of a channel's limits; the channel is `path[1]`.
    var isLimit: Bool { path.count == 3 && path[0] == "limits" && value != .null }

    /// Reads `path=value`.
    ///
    /// The value is a number, true, false, null or a quoted text if it is one in JSON, otherwise the text as it stands.
    /// - Throws: `Invalid`; also for a limit that is not a number.
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
        switch JSONValue(json: text) {
        case .some(.list), .some(.object), nil: value = .text(text)
        case .some(let scalar): value = scalar
        }
        // A property with a mistyped name can be removed.
        if value != .null, let meant = Self.meant(names) {
            throw Invalid(description: "'\(names.joined(separator: "."))' is not a setting; did you mean \(meant)?")
        }
        path = names[0] == "limits" ? try Self.limitPath(names, value) : names
    }

    /// The setting that a name resembles; nil if the name is a setting, or a property of the sensor.
    ///
    /// Sensors may have properties of any name. So only names of three parts that resemble `limits.CHANNEL.high`, and other
    /// spellings of `rate_hz` and `rate`, are taken for mistyped.
    private static func meant(_ names: [String]) -> String? {
        if names.count == 1 {
            let word = names[0].lowercased().filter { $0 != "_" && $0 != "-" }
            let isRate = ["rate", "ratehz", "rates", "raet", "rtae", "arte"].contains(word)
            return isRate || DidYouMean.distance(Array(word.utf8), Array("ratehz".utf8)) == 1 ? "rate" : nil
        }
        guard names.count >= 3, let leaf = names.last, let limits = near(names[0], ["limits"]),
            let limit = near(leaf, limitNames), (limits, limit) != (names[0], leaf)
        else { return nil }
        return ([limits] + names[1..<(names.count - 1)] + [limit]).joined(separator: ".")
    }

    private static func near(_ word: String, _ names: [String]) -> String? {
        names.contains(word) ? word : DidYouMean.proposals(for: word, among: names).first
    }

    /// Channels whose low limit would be above their high one in this object: no value is within both.
    static func contradictions(in desired: JSONValue) -> [String] {
        guard case .object(let channels)? = desired["limits"] else { return [] }
        return channels.compactMap { channel in
            guard let high = channel.value["high"]?.asNumber, let low = channel.value["low"]?.asNumber, low > high
            else { return nil }
            let (lowText, highText) = (JSONValue.number(low).plain, JSONValue.number(high).plain)
            return "limits.\(channel.name): low \(lowText) is above high \(highText)"
        }
    }

    /// Parses a rate as `change-frequency` does; null removes it.
    private static func rate(_ text: String) throws(Invalid) -> JSONValue {
        if text == "null" { return .null }
        guard let rate = SampleRate(word: text) else {
            throw Invalid(description: "not a sample rate: \(text); expected 1e-7 to 1e9 Hz, such as 1000 or 2.5kHz")
        }
        return .number(rate.hertz)
    }

    /// `limits.<channel>.<high|low|hysteresis>`; a channel's name may contain dots.
    private static func limitPath(_ names: [String], _ value: JSONValue) throws(Invalid) -> [String] {
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

    /// The object with this change applied. A value on the path that is not an object is replaced; objects that a removal
    /// leaves empty are removed.
    func applied(to object: JSONValue) -> JSONValue { object.replacing(at: path[...], with: value) }
}

extension JSONValue {
    /// The value as a number; nil if it is not one.
    fileprivate var asNumber: Double? {
        switch self {
        case .integer(let number): Double(number)
        case .number(let number): number
        default: nil
        }
    }

    /// This object with `value` at the end of the path through its objects; null removes the value there.
    func replacing(at path: ArraySlice<String>, with value: JSONValue) -> JSONValue {
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
