public import Sensors

/// What `iotctl bench` needs of the database.
extension StoreConnection {
    /// How many frames of one start of each sensor are stored; sensors without any are left out.
    /// - Throws: `StoreError`.
    public func storedFrames(boot: Int64, of serials: [String]) throws -> [String: Int] {
        let rows = try query(
            """
            SELECT s.serial, b.frames FROM sensor s JOIN sensor_boot b USING (sensor_id)
             WHERE s.serial = ANY ($1::text[]) AND b.boot_id = $2
            """, [.texts(serials), .integer(boot)], timeout: .seconds(30))
        let pairs = rows.rows.map { ($0["serial"] ?? "", Int($0.integer("frames") ?? 0)) }
        return Dictionary(pairs, uniquingKeysWith: { first, _ in first })
    }

    /// Takes all partitions from whoever holds them, or renews that: nobody stores until the lease has run out.
    /// - Throws: `StoreError`.
    public func holdPartitions(_ holder: String) throws {
        try query(
            """
            UPDATE ingest_partition
               SET epoch = epoch + (owner IS DISTINCT FROM $1)::int, owner = $1,
                   lease_until = clock_timestamp() + make_interval(secs => $2)
            """, [.text(holder), .integer(Int64(Self.leaseSeconds))], timeout: .seconds(30))
    }

    /// Gives back what `holdPartitions` took.
    /// - Throws: `StoreError`.
    public func releasePartitions(_ holder: String) throws {
        try query(
            "UPDATE ingest_partition SET owner = NULL, lease_until = NULL WHERE owner = $1", [.text(holder)],
            timeout: .seconds(30))
    }

    /// Makes an ordinary table with the columns, the storage and the index of `measurement`.
    /// - Parameter table: small letters, digits and underscores.
    /// - Throws: `StoreError`.
    public func makeBenchTable(_ table: String) throws {
        // LIKE leaves out how long a row may be before its samples move elsewhere, which is 7 % of the size.
        let options =
            try query(
                "SELECT array_to_string(reloptions, ', ') AS options FROM pg_class WHERE oid = 'measurement'::regclass"
            ).first?["options"].map { " WITH (\($0))" } ?? ""
        try query("CREATE TABLE \"\(table)\" (LIKE measurement INCLUDING STORAGE INCLUDING INDEXES)\(options)")
    }

    /// Empties it.
    /// - Throws: `StoreError`.
    public func emptyBenchTable(_ table: String) throws { try query("TRUNCATE \"\(table)\"") }

    /// Its bytes on disk, with index and long values.
    /// - Throws: `StoreError`.
    public func bytes(ofBenchTable table: String) throws -> Int64 {
        try query("SELECT pg_total_relation_size('\"\(table)\"') AS bytes").first?.integer("bytes") ?? 0
    }

    /// Removes it, if it is there.
    /// - Throws: `StoreError`.
    public func dropBenchTable(_ table: String) throws { try query("DROP TABLE IF EXISTS \"\(table)\"") }

    /// Removes sensors with all that is stored of them since `from`.
    /// - Throws: `StoreError`.
    public func removeBenchSensors(_ serials: [String], since from: Timestamp) throws {
        try transaction(timeout: .seconds(600)) { session in
            let ids = try session.query(
                "SELECT sensor_id FROM sensor WHERE serial = ANY ($1::text[])", [.texts(serials)]
            ).rows.map { $0.integer("sensor_id") }
            for table in ["measurement", "measurement_1m", "measurement_1h", "measurement_1d", "rollup_late"] {
                // A minute, hour or day that the bench began in.
                try session.query(
                    "DELETE FROM \(table) WHERE sensor_id = ANY ($1::int[]) AND \"time\" > $2::timestamptz - INTERVAL '25 h'",
                    [.integers(ids), .time(from)])
            }
            try session.query("DELETE FROM sensor WHERE sensor_id = ANY ($1::int[])", [.integers(ids)])
        }
    }
}
