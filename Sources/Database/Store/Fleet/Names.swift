public import Postgres

extension StoreConnection {
    /// Reads the serial numbers that begin with `prefix`, in order, at most `countMax`.
    /// - Throws: `StoreError`.
    public func serials(startingWith prefix: String, countMax: Int = 1000) throws -> [String] {
        try fetch(
            """
            SELECT serial FROM sensor WHERE starts_with(serial, \(prefix)) AND deleted_at IS NULL
             ORDER BY serial LIMIT \(countMax)
            """,
            timeout: .seconds(5)
        ).map { try $0.text("serial") }
    }

    /// Reads the names of machines that begin with `prefix`, in order, at most `countMax`.
    /// - Throws: `StoreError`.
    public func targets(startingWith prefix: String, countMax: Int = 1000) throws -> [String] {
        try fetch(
            "SELECT name FROM target WHERE starts_with(name, \(prefix)) ORDER BY name LIMIT \(countMax)",
            timeout: .seconds(5)
        ).map { try $0.text("name") }
    }

    /// Reads the names of alarm rules that begin with `prefix`, in order, at most `countMax`.
    /// - Throws: `StoreError`.
    public func ruleNames(startingWith prefix: String, countMax: Int = 1000) throws -> [String] {
        try fetch(
            "SELECT name FROM alarm_rule WHERE starts_with(name, \(prefix)) ORDER BY name LIMIT \(countMax)",
            timeout: .seconds(5)
        ).map { try $0.text("name") }
    }
}
