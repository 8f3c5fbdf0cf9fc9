/// The two halves of a sensor's twin side by side.
enum Twin {
    /// A property that is wanted and not there.
    struct Drift {
        /// By dots.
        var path: String
        /// What is wanted.
        var desired: Value
        /// What the sensor says it has; null: nothing.
        var reported: Value
    }

    /// The properties within an object, by dots, in the order of their names.
    static func leaves(of value: Value, under path: String = "") -> [(path: String, value: Value)] {
        guard case .object(let fields) = value else { return [(path, value)] }
        return fields.flatMap { leaves(of: $0.value, under: path.isEmpty ? $0.name : "\(path).\($0.name)") }
    }

    /// What is wanted and not reported so. Limits are left out: the ingesters keep them, sensors never report them.
    static func drift(desired: Value, reported: Value) -> [Drift] {
        let has = Dictionary(leaves(of: reported).map { ($0.path, $0.value) }, uniquingKeysWith: { first, _ in first })
        return leaves(of: desired).compactMap { path, value in
            guard path != "limits", !path.hasPrefix("limits."), !path.isEmpty else { return nil }
            let reported = has[path] ?? .null
            return isSame(reported, value) ? nil : Drift(path: path, desired: value, reported: reported)
        }
    }

    private static func isSame(_ left: Value, _ right: Value) -> Bool {
        switch (left, right) {
        case (.integer(let whole), .number(let number)), (.number(let number), .integer(let whole)):
            Double(whole) == number
        default: left == right
        }
    }
}

extension Value {
    /// For a table: texts without quotes.
    var plain: String {
        if case .text(let text) = self { text } else { json }
    }
}
