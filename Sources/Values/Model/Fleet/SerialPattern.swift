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

    /// Whether the pattern matches a serial number, or another name.
    public func matches(_ name: String) -> Bool {
        let (pattern, name) = (Array(text.unicodeScalars), Array(name.unicodeScalars))
        var (at, next) = (0, 0)
        // Where the last `*` stands, and how much of the name it takes so far: it takes more when the rest does not match.
        var star: (pattern: Int, name: Int)?
        while next < name.count {
            if at < pattern.count, pattern[at] == "*" {
                star = (at, next)
                at += 1
            } else if at < pattern.count, pattern[at] == "?" || pattern[at] == name[next] {
                at += 1
                next += 1
            } else if let last = star {
                star = (last.pattern, last.name + 1)
                at = last.pattern + 1
                next = last.name + 1
            } else {
                return false
            }
        }
        return pattern[at...].allSatisfy { $0 == "*" }
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
