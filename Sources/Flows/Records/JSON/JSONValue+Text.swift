extension JSONValue {
    /// The value as JSON on one line.
    public var json: String { text(indent: nil) }

    /// The value as indented JSON, for people to read.
    public var prettyJSON: String { text(indent: 0) }

    private func text(indent: Int?) -> String {
        var text = ""
        write(to: &text, indent)
        return text
    }

    /// Appends the value to `text`; with `indent` on several lines, its inner ones at that depth plus one.
    private func write(to text: inout String, _ indent: Int?) {
        switch self {
        case .null: text += "null"
        case .flag(let flag): text += flag ? "true" : "false"
        case .integer(let number): text += String(number)
        case .number(let number): text += Self.format(number)
        case .text(let value): Self.quote(value, to: &text)
        case .list(let values):
            Self.write(values, "[", "]", to: &text, indent) { $0.write(to: &$1, $2) }
        case .object(let fields):
            Self.write(fields, "{", "}", to: &text, indent) { field, text, indent in
                Self.quote(field.name, to: &text)
                text += indent == nil ? ":" : ": "
                field.value.write(to: &text, indent)
            }
        }
    }

    /// Appends the parts of a list or object, separated by commas.
    private static func write<Part>(
        _ parts: [Part], _ open: String, _ close: String, to text: inout String, _ indent: Int?,
        _ write: (Part, inout String, Int?) -> Void
    ) {
        let inner = indent.map { $0 + 1 }
        text += open
        var isFirst = true
        for part in parts {
            if !isFirst { text += "," }
            isFirst = false
            breakLine(&text, inner)
            write(part, &text, inner)
        }
        if !isFirst { breakLine(&text, indent) }
        text += close
    }

    private static func breakLine(_ text: inout String, _ indent: Int?) {
        guard let indent else { return }
        text += "\n"
        for _ in 0..<indent { text += "  " }
    }

    /// The number as JSON: 1000 rather than 1000.0; null for NaN and infinities.
    private static func format(_ number: Double) -> String {
        guard number.isFinite else { return "null" }
        return number == number.rounded() && abs(number) < 1e15 ? String(Int64(number)) : "\(number)"
    }

    /// Appends a JSON string. Control characters are escaped, also those above ASCII: a terminal would obey them.
    private static func quote(_ value: String, to text: inout String) {
        text += "\""
        if isPlain(value) {
            text += value
        } else {
            for scalar in value.unicodeScalars { escape(scalar, to: &text) }
        }
        text += "\""
    }

    /// Whether no character of the text needs an escape.
    private static func isPlain(_ text: String) -> Bool {
        var last: UInt8 = 0
        for byte in text.utf8 {
            // U+0080 to U+009F are C2 80 to C2 9F.
            if byte < 0x20 || byte == 0x22 || byte == 0x5C || byte == 0x7F || last == 0xC2 && byte < 0xA0 {
                return false
            }
            last = byte
        }
        return true
    }

    private static func escape(_ scalar: Unicode.Scalar, to text: inout String) {
        switch scalar {
        case "\"": text += "\\\""
        case "\\": text += "\\\\"
        case "\n": text += "\\n"
        case "\t": text += "\\t"
        case "\r": text += "\\r"
        case "\u{0}"..."\u{1F}", "\u{7F}"..."\u{9F}":
            let digits = String(scalar.value, radix: 16)
            text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        default: text.unicodeScalars.append(scalar)
        }
    }
}
