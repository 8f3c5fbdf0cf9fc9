import Foundation

/// What a paragraph of docs/iotctl-json.md names, in its order.
struct DocumentedFields {
    /// A paragraph that there is not.
    struct Missing: Error {
        var title: String
    }

    /// The names that stand outside of parentheses, each with what stands in those behind it.
    private(set) var fields: [(name: String, inner: String)] = []
    /// The title of the paragraph whose fields come first.
    private(set) var base: String?

    /// The names.
    var names: [String] { fields.map(\.name) }

    /// The paragraph that begins with a title.
    init(_ title: String, in document: String) throws {
        guard let start = document.range(of: "\n**\(title)**"),
            let colon = document[start.upperBound...].firstIndex(of: ":")
        else { throw Missing(title: title) }
        let rest = document[document.index(after: colon)...]
        let ends = ["\n\n", "\n**"].compactMap { rest.range(of: $0)?.lowerBound }
        self.init(String(rest[..<(ends.min() ?? rest.endIndex)]))
        if let base {
            let first = try DocumentedFields(base.prefix(1).uppercased() + base.dropFirst(), in: document)
            fields = first.fields + fields
        }
    }

    /// One or more sentences; only the first counts.
    init(_ text: String) {
        let text = text.replacing("\n", with: " ")
        if let match = text.firstMatch(of: /the fields of \*([a-z ]+)\*/) { base = String(match.1) }
        var depth = 0
        var code: String?
        var last: Character = " "
        for character in text {
            if character == "`" {
                if let name = code, depth == 0, !names.contains(name) { fields.append((name, "")) }
                code = code == nil ? "" : nil
            } else if code != nil {
                code?.append(character)
            } else if character == "(" {
                depth += 1
            } else if character == ")" {
                depth -= 1
            } else if depth == 0, last == ".", character == " " {
                return
            }
            if depth > 0, !fields.isEmpty { fields[fields.count - 1].inner.append(character) }
            last = character
        }
    }

    /// What stands in parentheses behind a name: fields of its own.
    subscript(name: String) -> DocumentedFields {
        let inner = fields.first { $0.name == name }?.inner ?? ""
        // The first parenthesis opened it.
        return DocumentedFields(String(inner.drop { $0 == "(" }))
    }
}
