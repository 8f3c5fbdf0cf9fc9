internal import Sensors

/// A tag to be set or taken away, as it stands on the command line: `hall=3`, `line-`.
struct TagChange: Sendable, Equatable {
    /// A word that is no such thing.
    struct Invalid: Error, CustomStringConvertible {
        /// Why.
        let description: String
    }

    /// The way to the tag through the objects.
    let path: [String]
    /// What it is to be; null: not there.
    let value: Value

    /// Whether a word is a change, not a serial number.
    static func isChange(_ word: String) -> Bool { word.contains("=") || word.hasSuffix("-") }

    /// Reads `name=value`, `name-` or `name=null`. Values are texts.
    /// - Throws: `Invalid`; among others for the names of what sensors have of their own.
    init(_ word: String) throws(Invalid) {
        let name: Substring
        if let sign = word.firstIndex(of: "=") {
            name = word[..<sign]
            let text = String(word[word.index(after: sign)...])
            // A selector could not find others.
            guard !text.isEmpty, !text.contains(","), text.first?.isWhitespace == false,
                text.last?.isWhitespace == false
            else {
                throw Invalid(
                    description: "'\(word)': a tag's value is not empty, has no comma and no space at its ends; "
                        + "\(name)- takes the tag away")
            }
            value = text == "null" ? .null : .text(text)
        } else if word.hasSuffix("-") {
            name = word.dropLast()
            value = .null
        } else {
            throw Invalid(description: "'\(word)' is not name=value or name-")
        }
        if SensorSelector.Column(rawValue: String(name)) != nil {
            throw Invalid(description: "\(name) is the sensor's own, it can't be a tag")
        }
        guard let path = SensorSelector.tagPath(name) else {
            throw Invalid(description: "'\(name)' is no name of a tag: letters, digits, _ - /, nested by dots")
        }
        self.path = path
    }

    /// The tags with this change made.
    func applied(to tags: Value) -> Value { tags.replacing(at: path[...], with: value) }
}
