internal import Model
internal import Records

/// A tag to set or remove, as given on the command line: `hall=3`, `line-`.
struct TagChange: Sendable, Equatable {
    /// A word that is not a change of a tag.
    struct Invalid: Error, CustomStringConvertible {
        let description: String
    }

    /// The tag's path through nested objects.
    let path: [String]
    /// The new value; null removes the tag.
    let value: JSONValue

    /// Whether a word is a change and not a serial number.
    static func isChange(_ word: String) -> Bool { word.contains("=") || word.hasSuffix("-") }

    /// Parses `name=value`, `name-` or `name=null`. Values are texts.
    /// - Throws: `Invalid`, also for names that are reserved for the columns of a sensor.
    init(_ word: String) throws(Invalid) {
        let name: Substring
        if let sign = word.firstIndex(of: "=") {
            name = word[..<sign]
            let text = String(word[word.index(after: sign)...])
            // A selector could not match any other value.
            guard !text.isEmpty, !text.contains(","), text.first?.isWhitespace == false,
                text.last?.isWhitespace == false
            else {
                throw Invalid(
                    description:
                        "'\(word)': a tag's value must not be empty, hold a comma or begin or end with a space; "
                        + "\(name)- removes the tag")
            }
            value = text == "null" ? .null : .text(text)
        } else if word.hasSuffix("-") {
            name = word.dropLast()
            value = .null
        } else {
            throw Invalid(description: "'\(word)' is not name=value or name-")
        }
        if SensorSelector.Column(rawValue: String(name)) != nil {
            throw Invalid(description: "\(name) is a property of the sensor and can't be a tag")
        }
        guard let path = SensorSelector.tagPath(name) else {
            throw Invalid(description: "'\(name)' is not a valid name of a tag: letters, digits, _ - /, nested by dots")
        }
        self.path = path
    }

    /// The tags with this change applied.
    func applied(to tags: JSONValue) -> JSONValue { tags.replacing(at: path[...], with: value) }
}
