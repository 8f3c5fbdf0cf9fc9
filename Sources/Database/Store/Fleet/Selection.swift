public import Model
public import Postgres

/// Resolves selectors and the words of a command line to sensors.
extension StoreConnection {
    /// Reads the serial numbers of the sensors that match `selector`, in order.
    /// - Throws: `StoreError`.
    public func serials(matching selector: SensorSelector) throws -> [String] {
        try transaction(timeout: .seconds(30)) { session in
            try session.fetch(
                """
                SELECT s.serial FROM sensor s LEFT JOIN target t USING (target_id)
                WHERE s.deleted_at IS NULL AND (\(selector.sql)) ORDER BY s.serial
                """
            ).map { try $0.text("serial") }
        }
    }

    /// Reads the sensors that match `selector` and one of `patterns`, by serial number: the first ones behind `after`.
    /// - Parameters:
    ///   - patterns: none: every sensor that matches `selector`.
    ///   - after: nil: from the first sensor on.
    /// - Throws: `StoreError`.
    public func sensorPage(
        matching selector: SensorSelector, _ patterns: [SerialPattern], after: SerialNumber?, countMax: Int
    ) throws -> [SensorSummary] {
        let likes = patterns.isEmpty ? nil : patterns.map(\.like)
        return try transaction(timeout: .seconds(30)) { session in
            let serials = try session.fetch(
                """
                SELECT s.serial FROM sensor s LEFT JOIN target t USING (target_id)
                WHERE s.deleted_at IS NULL AND (\(selector.sql))
                    \(ifPresent: after?.text, { "AND s.serial > \($0)" })
                    \(ifPresent: likes, { "AND s.serial LIKE ANY (\($0)::text[])" })
                ORDER BY s.serial LIMIT \(countMax)
                """
            ).map { try $0.text("serial") }
            return serials.isEmpty ? [] : try session.sensorSummaries(serials, .full)
        }
    }

    /// Reads the serial numbers that match each of these patterns, in one statement.
    /// - Returns: for each pattern its sensors, in order; none if no sensor matches it.
    /// - Throws: `StoreError`.
    public func serials(matching patterns: [SerialPattern]) throws -> [[String]] {
        let words = patterns.map { $0.isGlob ? nil : $0.text }
        let globs = patterns.map { $0.isGlob ? $0.like : nil }
        return try transaction(timeout: .seconds(30)) { session in
            // Two joins, so that serial numbers are looked up in the index.
            try session.fetch(
                """
                WITH word AS (
                    SELECT * FROM unnest(\(words)::text[], \(globs)::text[]) WITH ORDINALITY
                        AS u(serial, pattern, number))
                SELECT w.number, s.serial FROM word w JOIN sensor s ON s.serial = w.serial
                 WHERE s.deleted_at IS NULL
                UNION ALL
                SELECT w.number, s.serial FROM word w JOIN sensor s ON s.serial LIKE w.pattern
                 WHERE s.deleted_at IS NULL
                ORDER BY number, serial
                """
            ).reduce(into: Array(repeating: [String](), count: patterns.count)) {
                $0[try $1.integer("number", as: Int.self) - 1].append(try $1.text("serial"))
            }
        }
    }
}

extension SensorSelector {
    /// A condition on `sensor s LEFT JOIN target t`.
    var sql: SQL {
        let terms = conditions.map { condition -> SQL in
            switch condition.test {
            case .equals(let text): Self.isEqual(condition.subject, text)
            case .differs(let text): "NOT \(Self.isEqual(condition.subject, text))"
            case .exists: Self.isThere(condition.subject)
            case .isAbsent: "NOT (\(Self.isThere(condition.subject)))"
            }
        }
        return terms.isEmpty ? "true" : terms.joined(separator: " AND ")
    }

    private static func isEqual(_ subject: Subject, _ text: String) -> SQL {
        let value: SQL =
            switch subject {
            case .column(let column): column.sql
            case .tag(let path): "s.tags #>> \(path)::text[]"
            }
        let pattern = SerialPattern(text)
        guard subject == .column(.serial), pattern.isGlob else { return "coalesce(\(value) = \(text), false)" }
        return "coalesce(\(value) LIKE \(pattern.like), false)"
    }

    private static func isThere(_ subject: Subject) -> SQL {
        switch subject {
        case .column(let column): "nullif(\(column.sql), \(column.unknown)) IS NOT NULL"
        case .tag(let path): "s.tags #>> \(path)::text[] IS NOT NULL"
        }
    }
}

extension SensorSelector.Column {
    /// The column of the field.
    fileprivate var sql: SQL {
        switch self {
        case .serial: "s.serial"
        case .kind: "s.kind"
        case .firmware: "s.firmware"
        case .state: "s.state"
        case .presence: "s.presence"
        case .target: "t.name"
        }
    }

    /// The value of the field where nothing is known.
    fileprivate var unknown: String {
        switch self {
        case .state, .presence: "unknown"
        case .serial, .kind, .firmware, .target: ""
        }
    }
}
