internal import Model

/// Values of sensors as JSON text.
enum TwinJSON {
    /// The reported properties: `{"location": {"name": "Hall 3"}, "rate_hz": 1000.0}`.
    ///
    /// A dotted name stays as it is where another property's name is a prefix of it ("a" beside "a.b").
    static func reported(rate: SampleRate?, properties: [String: Command.Value]) -> String {
        var root = Node()
        if let rate { root.fields["rate_hz"] = Node(leaf: "\(rate.hertz)") }
        for (path, value) in properties.sorted(by: { $0.key < $1.key }) {
            let names = path.split(separator: ".", omittingEmptySubsequences: false).map { String($0) }
            if !root.insert(names[...], text(value)) { root.fields[path] = Node(leaf: text(value)) }
        }
        return root.json
    }

    /// Named values as a JSON object; dotted names stay as they are.
    static func object(_ values: [String: Command.Value]) -> String {
        let parts = values.sorted { $0.key < $1.key }.map { "\(quoted($0.key)): \(text($0.value))" }
        return "{\(parts.joined(separator: ", "))}"
    }

    static func text(_ value: Command.Value) -> String {
        switch value {
        case .number(let number): number.isFinite ? "\(number)" : "null"
        case .flag(let flag): "\(flag)"
        case .text(let text): quoted(text)
        }
    }

    /// A quoted JSON string; characters that PostgreSQL's jsonb rejects become spaces.
    static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case _ where scalar.value < 0x20 || scalar.value == 0xFFFD: quoted += " "
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }

    private struct Node {
        var leaf: String?
        var fields: [String: Node] = [:]

        /// Inserts a leaf at the end of a path.
        /// - Returns: false if there is already a value on the path.
        mutating func insert(_ names: ArraySlice<String>, _ text: String) -> Bool {
            guard let name = names.first else {
                guard fields.isEmpty, leaf == nil else { return false }
                leaf = text
                return true
            }
            if leaf != nil { return false }
            return fields[name, default: Node()].insert(names.dropFirst(), text)
        }

        var json: String {
            if let leaf { return leaf }
            let parts = fields.sorted { $0.key < $1.key }.map { "\(quoted($0.key)): \($0.value.json)" }
            return "{\(parts.joined(separator: ", "))}"
        }
    }
}
