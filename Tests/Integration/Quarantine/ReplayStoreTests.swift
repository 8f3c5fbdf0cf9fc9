import AMQP
import Archive
import Messaging
import Postgres
import Store
import TestSupport
import Testing
import Time

extension Integration {
    /// Streams that are read again.
    @Suite struct Replaying {
        /// Each would find the table empty, and write every row.
        @Test func oneReplayAtATimeFillsATable() async throws {
            try await TestSystem.with { system in
                try await Migrations.apply(to: system.store)
                let other = try system.anotherStore()
                try await system.store.beginReplay(into: "again")
                let refusal = await #expect(throws: ReplayTableUnfit.self) {
                    try await other.beginReplay(into: "again")
                }
                #expect(refusal?.description == "another replay is writing to again")
                try await other.beginReplay(into: "other")
                await system.store.endReplay(into: "again")
                try await other.beginReplay(into: "public.again")
                // The lock ends with its connection, whatever happens to the program.
                await other.close()
                try await eventually("the lock is free") {
                    do { try await system.store.beginReplay(into: "again") } catch is ReplayTableUnfit { return false }
                    return true
                }
            }
        }

        /// The table may not be there yet for any of them.
        @Test func ofSeveralAtOnceOneBegins() async throws {
            try await TestSystem.with { system in
                try await Migrations.apply(to: system.store)
                let begun = try await withThrowingTaskGroup(of: (StoreConnection, Bool).self) { group in
                    for number in 0..<4 {
                        let store = try system.anotherStore("\(number)")
                        group.addTask {
                            do { try await store.beginReplay(into: "again") } catch is ReplayTableUnfit {
                                return (store, false)
                            }
                            return (store, true)
                        }
                    }
                    return try await group.reduce(into: []) { $0.append($1) }
                }
                #expect(begun.count { $0.1 } == 1)
                for (store, _) in begun { await store.close() }
            }
        }

        /// Messages that were stored before the stream was recreated are not waited for, and cause no error.
        @Test func aStreamThatWasMadeAnewMayBeEmpty() async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    try await partition.commit(rows: [])
                    try await system.withBroker { broker in
                        try await broker.declare(.sensorStreaming(partitions: 2))
                        let replay = ReplayStreams(
                            system.store, broker, from: Timestamp(unixNanoseconds: 0), to: nil, serials: [],
                            into: .table("again"), timeout: .seconds(2))
                        let summary = try await replay.run { _ in }
                        #expect(summary.streams == 2 && summary.messages == 0)
                        // The table is free again.
                        let other = try system.anotherStore()
                        try await other.beginReplay(into: "again")
                        await other.close()
                    }
                }
            }
        }
    }
}
