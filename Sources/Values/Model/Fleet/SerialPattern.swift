/// The way a command line names sensors: a serial number, or a glob that matches several.
///
/// In a glob `*` stands for any characters and `?` for exactly one. Serial numbers contain neither.
public struct SerialPattern: Sendable, Hashable, CustomStringConvertible {
    /// The most globs of a command line.
    public static let globsMax = 32

    /// The serial number or glob, as given.
    public let text: String

    /// A pattern for this word. A word that no serial number can match is a pattern that matches no sensor.
    public init(_ text: String) { self.text = text }

    /// Whether the pattern is a glob and not a serial number.
    public var isGlob: Bool { text.contains { $0 == "*" || $0 == "?" } }

    /// Whether a serial number could match: apart from `*` and `?` there are only characters of serial numbers.
    public var isPossible: Bool {
        let rest = String(text.filter { $0 != "*" && $0 != "?" })
        return rest.isEmpty ? isGlob : SerialNumber(rest) != nil
    }

    /// The operand of SQL's LIKE that matches the same serial numbers.
    public var like: String {
        var like = ""
        for character in text {
            switch character {
            case "*": like.append("%")
            case "?": like.append("_")
            case "%", "_", "\\": like += "\\\(character)"
            default: like.append(character)
            }
        }
        return like
    }

    /// The serial number or glob, as given.
    public var description: String { text }
}
