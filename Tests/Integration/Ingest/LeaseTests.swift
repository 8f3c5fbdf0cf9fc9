import Model
import Postgres
import Store
import TestSupport
import Testing

extension Integration {
    @Suite struct Leases {
        private let streams = (0..<8).map { "measurements.\($0)" }

        private func expire(_ system: TestSystem, _ stream: String) async throws {
            try await system.store.run(
                "UPDATE ingest_partition SET lease_until = clock_timestamp() - INTERVAL '1 ms' WHERE stream = \(stream)"
            )
        }

        @Test func aPartitionHasOneOwnerAtATime() async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    let store = system.store
                    let lease = partition.lease
                    #expect(lease.epoch == 1 && lease.incarnation == 1 && lease.committed == nil)
                    #expect(try await store.take("measurements.0", replica: "r2") == nil)
                    #expect(try await store.take("measurements.0", replica: "r1") == nil, "not even by its owner")
                    #expect(try await store.take("measurements.9", replica: "r2") == nil, "there is no such stream")

                    // Run out: another takes it, and the first one's heartbeat does not bring it back.
                    try await expire(system, "measurements.0")
                    let next = try #require(try await store.take("measurements.0", replica: "r2"))
                    #expect(next.epoch == 2)
                    let seen = try await store.heartbeat(replica: "r1", mine: [lease])
                    #expect(seen.replicas == ["r1"])
                    #expect(
                        seen.partitions == [
                            LeasePlan.Partition(stream: "measurements.0", owner: "r2"),
                            LeasePlan.Partition(stream: "measurements.1", owner: nil),
                        ])
                    try await store.giveBack(lease)
                    #expect(try await store.take("measurements.0", replica: "r3") == nil, "given back by a zombie")
                    await #expect(throws: IngestConflict.leaseLost) { try await partition.commit(rows: []) }

                    try await store.giveBack(next)
                    #expect(try await store.take("measurements.0", replica: "r3")?.epoch == 3)
                }
            }
        }

        @Test func aHeartbeatOrACommitKeepsALeaseAlive() async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    func secondsLeft() async throws -> Double {
                        try await system.store.fetchOne(
                            """
                            SELECT extract(epoch FROM lease_until - clock_timestamp()) AS left FROM ingest_partition
                             WHERE stream = 'measurements.0'
                            """
                        ).double("left")
                    }
                    try await expire(system, "measurements.0")
                    #expect(try await secondsLeft() < 0)
                    let seen = try await system.store.heartbeat(replica: "r1", mine: [partition.lease])
                    #expect(seen.partitions.first?.owner == "r1")
                    #expect((2...5).contains(try await secondsLeft()))
                    try await expire(system, "measurements.0")
                    try await partition.commit(rows: [])
                    #expect((2...5).contains(try await secondsLeft()))
                }
            }
        }

        @Test func theDeadAndTheDepartedAreNotCounted() async throws {
            try await TestSystem.with { system in
                try await system.leased { _ in
                    let store = system.store
                    for replica in ["r1", "r2", "r3"] { _ = try await store.heartbeat(replica: replica, mine: []) }
                    #expect(try await store.heartbeat(replica: "r1", mine: []).replicas == ["r1", "r2", "r3"])
                    try await store.leave(replica: "r2")
                    try await store.run(
                        "UPDATE ingest_replica SET seen_at = seen_at - INTERVAL '6 seconds' WHERE replica = 'r3'")
                    #expect(try await store.heartbeat(replica: "r1", mine: []).replicas == ["r1"])
                    #expect(try await store.heartbeat(replica: "r1", mine: []).allKnowTicks)
                    // A release that does not know ticks, under a name that had known them.
                    for replica in ["r3", "r4"] {
                        try await store.run(
                            """
                            INSERT INTO ingest_replica VALUES (\(replica), clock_timestamp())
                            ON CONFLICT (replica) DO UPDATE SET seen_at = EXCLUDED.seen_at
                            """)
                        #expect(try await !store.heartbeat(replica: "r1", mine: []).allKnowTicks, "\(replica)")
                        try await store.leave(replica: replica)
                        #expect(try await store.heartbeat(replica: "r1", mine: []).allKnowTicks)
                    }
                }
            }
        }

        @Test func manyReplicasNeverTakeTheSame() async throws {
            try await TestSystem.with { system in
                try await Migrations.apply(to: system.store)
                #expect(try await system.store.fixPartitions(streams) == 8)
                #expect(try await system.store.fixPartitions(["only"]) == 8, "fixed the first time")
                #expect(try await system.store.partitionCount() == 8)
                let streams = streams
                let taken = try await withThrowingTaskGroup(of: [PartitionLease].self) { group in
                    for replica in 0..<4 {
                        let store = try system.anotherStore("\(replica)")
                        group.addTask {
                            var mine: [PartitionLease] = []
                            for stream in streams.shuffled() {
                                if let lease = try await store.take(stream, replica: "r\(replica)") {
                                    mine.append(lease)
                                }
                                _ = try await store.heartbeat(replica: "r\(replica)", mine: mine)
                            }
                            await store.close()
                            return mine
                        }
                    }
                    return try await group.reduce(into: [PartitionLease]()) { $0 += $1 }
                }
                #expect(taken.map(\.stream).sorted() == streams)
                #expect(taken.allSatisfy { $0.epoch == 1 })
            }
        }

        /// A stream that was recreated begins a new incarnation; messages that may have been lost are recorded.
        @Test func aStreamMadeAnewIsANewIncarnation() async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    try await partition.commit(partition.batch(messages: 42))
                    let before = partition.lease
                    #expect(before.committed == 41)
                    let after = try await system.store.reset(before)
                    #expect(after.incarnation == 2 && after.epoch == before.epoch)
                    #expect(after.committed == nil && after.fingerprint == nil)
                    let hole = try await system.store.fetchOne("SELECT * FROM stream_hole")
                    #expect(try hole.text("cause") == "stream_reset" && hole.integer("incarnation") == 1)
                    #expect(try hole.integer("first_offset") == 42 && hole.optionalText("last_offset") == nil)
                    // The old incarnation is closed: for commits, and for a second reset by the same mistake.
                    await #expect(throws: IngestConflict.leaseLost) { try await partition.commit(rows: []) }
                    await #expect(throws: IngestConflict.leaseLost) { try await system.store.reset(before) }
                    #expect(try await system.number("SELECT count(*) FROM stream_hole") == 1)
                    partition.lease = after
                    try await partition.commit(rows: [])
                    #expect(try await system.store.position(of: "measurements.0")?.committed == 0)
                    #expect(try await system.store.position(of: "nowhere") == nil)
                }
            }
        }
    }
}
