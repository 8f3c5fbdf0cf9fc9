public import Postgres
internal import Store
public import Time

/// The database queries of `iotctl bench`.
extension StoreConnection {
    /// Counts the stored frames of one boot of each sensor; sensors without any are left out.
    /// - Throws: `StoreError`.
    public func storedFrames(boot: Int64, of serials: [String]) throws -> [String: Int] {
        let rows = try fetch(
            """
            SELECT s.serial, b.frames FROM sensor s JOIN sensor_boot b USING (sensor_id)
             WHERE s.serial = ANY (\(serials)::text[]) AND b.boot_id = \(boot)
            """, timeout: .seconds(30))
        let (serial, frames) = (try rows.column("serial"), try rows.column("frames"))
        let pairs = try rows.map { (try $0.text(serial), try $0.integer(frames, as: Int.self)) }
        return Dictionary(pairs, uniquingKeysWith: { first, _ in first })
    }

    /// Takes all partitions from their owners, or renews these leases: no ingester stores until they have expired.
    /// - Throws: `StoreError`.
    public func holdPartitions(_ holder: String) throws {
        try run(
            """
            UPDATE ingest_partition
               SET epoch = epoch + (owner IS DISTINCT FROM \(holder))::int, owner = \(holder),
                   lease_until = clock_timestamp() + make_interval(secs => \(Self.leaseSeconds))
            """, timeout: .seconds(30))
    }

    /// Releases the partitions that `holdPartitions` took.
    /// - Throws: `StoreError`.
    public func releasePartitions(_ holder: String) throws {
        try run(
            "UPDATE ingest_partition SET owner = NULL, lease_until = NULL WHERE owner = \(holder)",
            timeout: .seconds(30))
    }

    /// Creates an ordinary table with the columns, the storage and the index of `measurement`.
    /// - Parameter table: lower-case letters, digits and underscores.
    /// - Throws: `StoreError`.
    public func makeBenchTable(_ table: String) throws {
        // LIKE does not copy the row length above which samples are moved to TOAST, which is 7 % of the size.
        let options = try fetchOne(
            "SELECT array_to_string(reloptions, ', ') AS options FROM pg_class WHERE oid = 'measurement'::regclass"
        ).optionalText("options")
        try run(
            """
            CREATE TABLE \(identifier: table) (LIKE measurement INCLUDING STORAGE INCLUDING INDEXES)
            \(ifPresent: options, { "WITH (\(SQL(verbatim: $0)))" })
            """)
    }

    /// Empties a table that `makeBenchTable` created.
    /// - Throws: `StoreError`.
    public func emptyBenchTable(_ table: String) throws { try run("TRUNCATE \(identifier: table)") }

    /// The table's size on disk in bytes, with index and TOAST.
    /// - Throws: `StoreError`.
    public func bytes(ofBenchTable table: String) throws -> Int64 {
        let name: SQL = "\(identifier: table)"
        return try fetchOne("SELECT pg_total_relation_size(\(name.text)::text::regclass) AS bytes").integer("bytes")
    }

    /// Drops the table if it exists.
    /// - Throws: `StoreError`.
    public func dropBenchTable(_ table: String) throws { try run("DROP TABLE IF EXISTS \(identifier: table)") }

    /// Removes sensors and all their data since `from`.
    /// - Throws: `StoreError`.
    public func removeBenchSensors(_ serials: [String], since from: Timestamp) throws {
        try transaction(timeout: .seconds(600)) { session in
            let ids = try session.fetch("SELECT sensor_id FROM sensor WHERE serial = ANY (\(serials)::text[])")
                .map { try $0.sensorID("sensor_id") }
            for table in ["measurement", "measurement_1m", "measurement_1h", "measurement_1d", "rollup_late"] {
                // Also the minute, hour or day in which the benchmark began.
                try session.run(
                    """
                    DELETE FROM \(identifier: table) WHERE sensor_id = ANY (\(ids)::int[])
                        AND "time" > \(from)::timestamptz - INTERVAL '25 h'
                    """)
            }
            try session.run("DELETE FROM sensor WHERE sensor_id = ANY (\(ids)::int[])")
        }
    }
}
