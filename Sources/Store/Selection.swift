public import Sensors

/// Which sensors a selector means.
extension StoreConnection {
    /// The serials of the sensors that `selector` means, in order.
    /// - Throws: `StoreError`.
    public func serials(matching selector: SensorSelector) throws -> [String] {
        let (condition, parameters) = selector.sql()
        return try transaction(timeout: .seconds(30)) { session in
            try session.query(
                """
                SELECT s.serial FROM sensor s LEFT JOIN target t USING (target_id)
                WHERE \(condition) ORDER BY s.serial
                """, parameters
            ).rows.compactMap { $0["serial"] }
        }
    }
}

extension SensorSelector {
    /// A condition on `sensor s LEFT JOIN target t`. Only our own words are in it, all that people wrote is in the
    /// parameters.
    /// - Parameter first: the number of its first parameter.
    func sql(first: Int = 1) -> (condition: String, parameters: [SQLValue]) {
        var parameters: [SQLValue] = []
        func placeholder(_ value: SQLValue) -> String {
            parameters.append(value)
            return "$\(first + parameters.count - 1)"
        }
        func isEqual(_ subject: Subject, _ text: String) -> String {
            let left =
                switch subject {
                case .column(let column): Self.name(of: column)
                case .tag(let path): "s.tags #>> \(placeholder(.texts(path)))::text[]"
                }
            return "coalesce(\(left) \(Self.comparison(subject, text, placeholder)), false)"
        }
        func isThere(_ subject: Subject) -> String {
            switch subject {
            case .column(let column): "nullif(\(Self.name(of: column)), '\(column.nothing)') IS NOT NULL"
            case .tag(let path): "s.tags #>> \(placeholder(.texts(path)))::text[] IS NOT NULL"
            }
        }
        let terms = conditions.map { condition in
            switch condition.test {
            case .equals(let text): isEqual(condition.subject, text)
            case .differs(let text): "NOT \(isEqual(condition.subject, text))"
            case .exists: isThere(condition.subject)
            case .isAbsent: "NOT (\(isThere(condition.subject)))"
            }
        }
        return (terms.isEmpty ? "true" : terms.joined(separator: " AND "), parameters)
    }

    private static func name(of column: Column) -> String { column == .target ? "t.name" : "s.\(column.rawValue)" }

    private static func comparison(
        _ subject: Subject, _ text: String, _ placeholder: (SQLValue) -> String
    ) -> String {
        guard subject == .column(.serial), text.contains("*") else { return "= \(placeholder(.text(text)))" }
        // Serial numbers have neither % nor \, but they have _, which LIKE takes for any character.
        let pattern = text.replacing("_", with: "\\_").replacing("*", with: "%")
        return "LIKE \(placeholder(.text(pattern)))"
    }
}

extension SensorSelector.Column {
    /// What it holds where nothing is known.
    fileprivate var nothing: String {
        switch self {
        case .state, .presence: "unknown"
        case .serial, .kind, .firmware, .target: ""
        }
    }
}
