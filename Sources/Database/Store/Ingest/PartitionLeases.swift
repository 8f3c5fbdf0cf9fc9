public import Model
public import Postgres

/// A replica's right to store a partition, and the position up to which the partition is stored.
public struct PartitionLease: Sendable, Equatable {
    /// The stream's name.
    public var stream: String
    /// The epoch of this right; the right ends when the database has another epoch.
    public var epoch: Int64
    /// The stream's incarnation.
    public var incarnation: Int64
    /// The offset of the last stored message; nil before the first.
    public var committed: Int64?
    /// The fingerprint of that message.
    public var fingerprint: Int64?
}

extension StoreConnection {
    /// How long a lease lasts without being renewed, in seconds.
    public static let leaseSeconds = 5

    /// Records that a replica is alive, renews its leases and reads the owners of all partitions.
    /// - Parameter mine: the partitions that the replica works on.
    /// - Returns: the living replicas, the partitions with their owners (nil: none, or the lease has expired), and whether
    ///   all replicas know ticks.
    /// - Throws: `StoreError`.
    public func heartbeat(
        replica: String, mine: [PartitionLease]
    ) throws -> (replicas: Set<String>, partitions: [LeasePlan.Partition], allKnowTicks: Bool) {
        try transaction(timeout: .seconds(5), lockTimeout: .seconds(3)) { session in
            try session.run(
                """
                INSERT INTO ingest_replica (replica, seen_at, ticks_seen_at)
                SELECT \(replica), now, now FROM clock_timestamp() AS now
                ON CONFLICT (replica) DO UPDATE SET seen_at = EXCLUDED.seen_at, ticks_seen_at = EXCLUDED.ticks_seen_at
                """)
            for lease in mine.sorted(by: { $0.stream < $1.stream }) {
                try session.run(
                    """
                    UPDATE ingest_partition SET lease_until = clock_timestamp() + make_interval(secs => \(Self.leaseSeconds))
                    WHERE stream = \(lease.stream) AND owner = \(replica) AND epoch = \(lease.epoch)
                    """)
            }
            let replicas = try session.fetch(
                """
                SELECT replica, ticks_seen_at IS NOT DISTINCT FROM seen_at AS knows_ticks FROM ingest_replica
                WHERE seen_at > clock_timestamp() - make_interval(secs => \(Self.leaseSeconds))
                """)
            let partitions = try session.fetch(
                """
                SELECT stream, CASE WHEN lease_until > clock_timestamp() THEN owner END AS owner FROM ingest_partition
                ORDER BY stream
                """)
            return (
                Set(try replicas.map { try $0.text("replica") }),
                try partitions.map { row in
                    LeasePlan.Partition(stream: try row.text("stream"), owner: try row.optionalText("owner"))
                }, try replicas.allSatisfy { try $0.flag("knows_ticks") }
            )
        }
    }

    /// Takes a partition that no replica holds, under a new epoch.
    /// - Returns: nil if another replica took it first.
    /// - Throws: `StoreError`.
    public func take(_ stream: String, replica: String) throws -> PartitionLease? {
        try fetch(
            """
            UPDATE ingest_partition
               SET owner = \(replica), epoch = epoch + 1,
                   lease_until = clock_timestamp() + make_interval(secs => \(Self.leaseSeconds)),
                   -- NULL would say that the owner is of a release that does not note late rows.
                   reached = coalesce(reached, '-infinity')
             WHERE stream = \(stream) AND (owner IS NULL OR lease_until IS NULL OR lease_until < clock_timestamp())
            RETURNING stream, epoch, incarnation, committed_offset, fingerprint
            """, timeout: .seconds(10)
        ).first.map(Self.lease)
    }

    /// Releases a partition, so that another replica can take it at once.
    /// - Throws: `StoreError`.
    public func giveBack(_ lease: PartitionLease) throws {
        try run(
            """
            UPDATE ingest_partition SET owner = NULL, lease_until = NULL
             WHERE stream = \(lease.stream) AND epoch = \(lease.epoch)
            """, timeout: .seconds(10))
    }

    /// Removes a replica from the list of living replicas.
    /// - Throws: `StoreError`.
    public func leave(replica: String) throws {
        try run("DELETE FROM ingest_replica WHERE replica = \(replica)", timeout: .seconds(10))
    }

    /// Reads up to which offset a partition is stored, and under which epoch.
    /// - Throws: `StoreError`.
    public func position(of stream: String) throws -> PartitionLease? {
        try fetch("SELECT * FROM ingest_partition WHERE stream = \(stream)", timeout: .seconds(10))
            .first.map(Self.lease)
    }

    /// Begins a new incarnation of a stream that was recreated, and records the possible loss of messages in the old
    /// one.
    /// - Returns: the lease to continue with.
    /// - Throws: `IngestConflict.leaseLost` or `StoreError`.
    public func reset(_ lease: PartitionLease) throws -> PartitionLease {
        try transaction { session in
            let rows = try session.fetch(
                """
                UPDATE ingest_partition SET incarnation = incarnation + 1, committed_offset = NULL, fingerprint = NULL
                WHERE stream = \(lease.stream) AND epoch = \(lease.epoch) AND incarnation = \(lease.incarnation)
                RETURNING stream, epoch, incarnation, committed_offset, fingerprint
                """)
            guard let next = try rows.first.map(Self.lease) else { throw IngestConflict.leaseLost }
            try session.run(
                """
                INSERT INTO stream_hole (stream, incarnation, first_offset, last_offset, cause)
                VALUES (\(lease.stream), \(lease.incarnation), \((lease.committed ?? -1) + 1), NULL, 'stream_reset')
                """)
            return next
        }
    }

    private static func lease(_ row: Row) throws -> PartitionLease {
        PartitionLease(
            stream: try row.text("stream"), epoch: try row.integer("epoch"),
            incarnation: try row.integer("incarnation"),
            committed: try row.optionalInteger("committed_offset"), fingerprint: try row.optionalInteger("fingerprint"))
    }
}
