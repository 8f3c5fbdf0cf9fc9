import Foundation
import Model
import Postgres
import Service
import Store
import TestSupport
import Testing
import Time

extension Integration {
    /// Replicas that were stopped in the middle of a transaction, and what the others do about it.
    @Suite struct StalledWriters {
        private let time = Timestamp(unixMilliseconds: 1_763_728_440_000)

        /// A statement of a replica that stands still inside the transaction of a batch, until somebody ends it.
        private func stall(_ system: TestSystem, _ stream: String, making time: Timestamp) throws -> Task<String, Never>
        {
            let zombie = StoreConnection(try system.settings.database, applicationName: "zombie")
            return Task {
                do {
                    try await zombie.transaction(
                        prelude: "SELECT pg_advisory_xact_lock(\(0x69_6F_74), hashtext(\(stream)))"
                    ) { session in
                        try session.run(
                            """
                            INSERT INTO measurement ("time", time_ns, received_at, sensor_id, channel, sample_rate_hz, n, clock)
                            VALUES (\(time), 0, now(), 1, 0, 0, 1, 0)
                            """)
                        try session.run("SELECT pg_sleep(60)")
                    }
                    return "committed"
                } catch { return "\(error)" }
            }
        }

        /// A lease on the partition beside ours.
        private func other(_ system: TestSystem) async throws -> PartitionLease {
            try #require(try await system.store.take("measurements.1", replica: "r2"))
        }

        private func waitForStall(_ system: TestSystem) async throws {
            try await eventually("the zombie stands still") {
                try await system.number(
                    "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND wait_event = 'PgSleep'"
                )
                    == 1
            }
        }

        /// A lock that does not come fails the first statements; the connection is as good as before.
        @Test func aPreludeThatFailsLeavesNoTransaction() async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    let zombie = try stall(system, partition.lease.stream, making: time)
                    try await waitForStall(system)
                    let lock: SQL = "SELECT pg_advisory_xact_lock(\(0x69_6F_74), hashtext(\(partition.lease.stream)))"
                    let error = await #expect(throws: StoreError.self) {
                        try await system.store.transaction(lockTimeout: .milliseconds(100), prelude: lock) { _ in }
                    }
                    #expect(error?.sqlState == "55P03")
                    #expect(try await system.number("SELECT 1") == 1)
                    #expect(try await system.store.endOtherWriters(of: partition.lease) == 1)
                    _ = await zombie.value
                    try await partition.commit(rows: [.test(time: time, samples: .value(2))])
                }
            }
        }

        @Test func theNewOwnerEndsItAndStoresOn() async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    let zombie = try stall(system, partition.lease.stream, making: time)
                    try await waitForStall(system)
                    // Another partition's writer is nobody's business.
                    #expect(try await system.store.endOtherWriters(of: try await other(system)) == 0)
                    // Nor is ours any more when somebody else has taken it.
                    var former = partition.lease
                    former.epoch -= 1
                    #expect(try await system.store.endOtherWriters(of: former) == 0)
                    #expect(try await system.store.endOtherWriters(of: partition.lease) == 1)
                    #expect(await zombie.value != "committed")
                    try await partition.commit(rows: [.test(time: time, samples: .value(2))])
                    #expect(try await system.number("SELECT count(*) FROM measurement") == 1)
                    let pid = try await system.number("SELECT backend_pid FROM ingest_partition WHERE owner = 'r1'")
                    let ours = try await system.number("SELECT pg_backend_pid()")
                    #expect(pid == ours)
                }
            }
        }

        /// Who makes a chunk in a long transaction keeps the makers of other chunks waiting; one that is there is not made.
        @Test func aChunkThatIsThereIsNotWaitedFor() async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    let today = try await system.store.chunk(of: .measurement, at: time)
                    #expect(today.contains(time))
                    #expect(try await system.store.chunk(of: .measurement, at: today.lowerBound) == today)
                    let place = try await system.store.chunk(of: .location, at: time)
                    #expect(place.contains(time) && place != today)
                    #expect(try await system.number("SELECT count(*) FROM measurement") == 0)
                    #expect(try await system.number("SELECT count(*) FROM location") == 0)
                    let zombie = try stall(
                        system, "measurements.1", making: today.upperBound.advanced(bySeconds: 5 * 86_400))
                    try await waitForStall(system)
                    #expect(try await system.store.chunk(of: .measurement, at: time) == today)
                    try await partition.commit(rows: [.test(time: time, samples: .value(2))])
                    #expect(try await system.store.endOtherWriters(of: try await other(system)) == 1)
                    _ = await zombie.value
                    let tomorrow = try await system.store.chunk(of: .measurement, at: today.upperBound)
                    #expect(tomorrow.lowerBound == today.upperBound)
                }
            }
        }

        @Test func aServerThatDoesNotAnswerLosesTheConnection() async throws {
            try await TestSystem.with { system in
                let start = ContinuousClock.now
                await #expect(throws: StoreError.self) {
                    try await system.store.run("SELECT pg_sleep(60)", timeout: .milliseconds(300))
                }
                #expect(start.duration(to: .now) < .seconds(30))
                let one = try await system.number("SELECT 1")
                #expect(one == 1)
            }
        }
    }
}
