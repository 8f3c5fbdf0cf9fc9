extension JSONValue {
    /// The value as JSON on one line.
    public var json: String { json(indent: nil) }

    /// The value as indented JSON, for people to read.
    public var prettyJSON: String { json(indent: 0) }

    private func json(indent: Int?) -> String {
        switch self {
        case .null: "null"
        case .flag(let flag): flag ? "true" : "false"
        case .integer(let number): String(number)
        case .number(let number): Self.format(number)
        case .text(let text): Self.quoted(text)
        case .list(let values):
            Self.joined(values.map { $0.json(indent: indent.map { $0 + 1 }) }, "[", "]", indent)
        case .object(let fields):
            Self.joined(
                fields.map {
                    "\(Self.quoted($0.name)):\(indent == nil ? "" : " ")\($0.value.json(indent: indent.map { $0 + 1 }))"
                }, "{", "}", indent)
        }
    }

    private static func joined(_ parts: [String], _ open: String, _ close: String, _ indent: Int?) -> String {
        guard let indent, !parts.isEmpty else { return open + parts.joined(separator: ",") + close }
        let inner = "\n" + String(repeating: "  ", count: indent + 1)
        let outer = "\n" + String(repeating: "  ", count: indent)
        return open + inner + parts.joined(separator: "," + inner) + outer + close
    }

    /// The number as JSON: 1000 rather than 1000.0; null for NaN and infinities.
    private static func format(_ number: Double) -> String {
        guard number.isFinite else { return "null" }
        return number == number.rounded() && abs(number) < 1e15 ? String(Int64(number)) : "\(number)"
    }

    /// The text as a JSON string. Control characters are escaped, also those above ASCII: a terminal would obey them.
    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\t": quoted += "\\t"
            case "\r": quoted += "\\r"
            case "\u{0}"..."\u{1F}", "\u{7F}"..."\u{9F}":
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
