extension StoreConnection {
    /// Serial numbers that begin so, in order, at most `countMax`.
    /// - Throws: `StoreError`.
    public func serials(startingWith prefix: String, countMax: Int = 1000) throws -> [String] {
        try query(
            "SELECT serial FROM sensor WHERE starts_with(serial, $1) ORDER BY serial LIMIT $2",
            [.text(prefix), .integer(Int64(countMax))], timeout: .seconds(5)
        ).rows.compactMap { $0["serial"] }
    }

    /// Names of targets that begin so, in order, at most `countMax`.
    /// - Throws: `StoreError`.
    public func targets(startingWith prefix: String, countMax: Int = 1000) throws -> [String] {
        try query(
            "SELECT name FROM target WHERE starts_with(name, $1) ORDER BY name LIMIT $2",
            [.text(prefix), .integer(Int64(countMax))], timeout: .seconds(5)
        ).rows.compactMap { $0["name"] }
    }
}
