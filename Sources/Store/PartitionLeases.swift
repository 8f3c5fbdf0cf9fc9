public import Sensors

/// A replica's right to store a partition, and how far it is stored.
public struct PartitionLease: Sendable, Equatable {
    /// The stream.
    public var stream: String
    /// Under which the right was given; it ends when the database shows another.
    public var epoch: Int64
    /// Which life of the stream.
    public var incarnation: Int64
    /// The last stored message.
    public var committed: Int64?
    /// Its fingerprint.
    public var fingerprint: Int64?
}

extension StoreConnection {
    /// How long a lease lasts without being renewed, in seconds.
    public static let leaseSeconds = 5

    /// Says that a replica lives, renews its leases and shows who holds what.
    /// - Parameter mine: the partitions that the replica works on.
    /// - Returns: the living replicas, and the partitions with their owners (nil: none, or the lease has run out).
    /// - Throws: `StoreError`.
    public func heartbeat(
        replica: String, mine: [PartitionLease]
    ) throws -> (replicas: Set<String>, partitions: [LeasePlan.Partition]) {
        try transaction(timeout: .seconds(5), lockTimeout: .seconds(3)) { session in
            try session.query(
                """
                INSERT INTO ingest_replica VALUES ($1, clock_timestamp())
                ON CONFLICT (replica) DO UPDATE SET seen_at = EXCLUDED.seen_at
                """, [.text(replica)])
            for lease in mine.sorted(by: { $0.stream < $1.stream }) {
                try session.query(
                    """
                    UPDATE ingest_partition SET lease_until = clock_timestamp() + make_interval(secs => $4)
                    WHERE stream = $1 AND owner = $2 AND epoch = $3
                    """,
                    [.text(lease.stream), .text(replica), .integer(lease.epoch), .integer(Int64(Self.leaseSeconds))])
            }
            let replicas = try session.query(
                """
                SELECT replica FROM ingest_replica
                WHERE seen_at > clock_timestamp() - make_interval(secs => \(Self.leaseSeconds))
                """)
            let partitions = try session.query(
                """
                SELECT stream, CASE WHEN lease_until > clock_timestamp() THEN owner END AS owner FROM ingest_partition
                ORDER BY stream
                """)
            return (
                Set(replicas.rows.compactMap { $0["replica"] }),
                partitions.rows.compactMap { row in
                    row["stream"].map { LeasePlan.Partition(stream: $0, owner: row["owner"]) }
                }
            )
        }
    }

    /// Takes a partition that nobody holds, under a new epoch.
    /// - Returns: nil if somebody else was quicker.
    /// - Throws: `StoreError`.
    public func take(_ stream: String, replica: String) throws -> PartitionLease? {
        let rows = try query(
            """
            UPDATE ingest_partition
               SET owner = $2, epoch = epoch + 1, lease_until = clock_timestamp() + make_interval(secs => $3),
                   -- Null says that a release writes which does not note what is late; this one does.
                   reached = coalesce(reached, '-infinity')
             WHERE stream = $1 AND (owner IS NULL OR lease_until IS NULL OR lease_until < clock_timestamp())
            RETURNING stream, epoch, incarnation, committed_offset, fingerprint
            """, [.text(stream), .text(replica), .integer(Int64(Self.leaseSeconds))], timeout: .seconds(10))
        return rows.first.flatMap(Self.lease)
    }

    /// Gives a partition back, so that another can take it at once.
    /// - Throws: `StoreError`.
    public func giveBack(_ lease: PartitionLease) throws {
        try query(
            "UPDATE ingest_partition SET owner = NULL, lease_until = NULL WHERE stream = $1 AND epoch = $2",
            [.text(lease.stream), .integer(lease.epoch)], timeout: .seconds(10))
    }

    /// Takes a replica off the list of the living.
    /// - Throws: `StoreError`.
    public func leave(replica: String) throws {
        try query("DELETE FROM ingest_replica WHERE replica = $1", [.text(replica)], timeout: .seconds(10))
    }

    /// How far a partition is stored now, and under which epoch.
    /// - Throws: `StoreError`.
    public func position(of stream: String) throws -> PartitionLease? {
        try query("SELECT * FROM ingest_partition WHERE stream = $1", [.text(stream)], timeout: .seconds(10))
            .first.flatMap(Self.lease)
    }

    /// Begins a new incarnation of a stream that was made anew, and notes the loss of what may have been in the old one.
    /// - Returns: the lease to go on with.
    /// - Throws: `IngestConflict.leaseLost` or `StoreError`.
    public func reset(_ lease: PartitionLease) throws -> PartitionLease {
        try transaction { session in
            let rows = try session.query(
                """
                UPDATE ingest_partition SET incarnation = incarnation + 1, committed_offset = NULL, fingerprint = NULL
                WHERE stream = $1 AND epoch = $2 AND incarnation = $3
                RETURNING stream, epoch, incarnation, committed_offset, fingerprint
                """, [.text(lease.stream), .integer(lease.epoch), .integer(lease.incarnation)])
            guard let next = rows.first.flatMap(Self.lease) else { throw IngestConflict.leaseLost }
            try session.query(
                """
                INSERT INTO stream_hole (stream, incarnation, first_offset, last_offset, cause)
                VALUES ($1, $2, $3, NULL, 'stream_reset')
                """, [.text(lease.stream), .integer(lease.incarnation), .integer((lease.committed ?? -1) + 1)])
            return next
        }
    }

    private static func lease(_ row: Rows.Row) -> PartitionLease? {
        guard let stream = row["stream"], let epoch = row.integer("epoch"), let incarnation = row.integer("incarnation")
        else { return nil }
        return PartitionLease(
            stream: stream, epoch: epoch, incarnation: incarnation, committed: row.integer("committed_offset"),
            fingerprint: row.integer("fingerprint"))
    }
}
