import Foundation
import Postgres
import TestSupport
import Testing

extension EndToEnd.KillMatrix {
    /// Replicas that come, go and take partitions from each other.
    @Suite struct Moves {
        @Test func replicasComeAndGo() async throws {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    try await inArena("partitions move all the time", ["i1", "i2"]) { try await move(&$0) }
                }
                group.addTask { try await inArena("join and leave", ["i1"]) { try await joinAndLeave(&$0) } }
                group.addTask { try await inArena("SIGTERM under load", ["i1"]) { try await shutdown(&$0) } }
                group.addTask {
                    try await inArena("SIGSTOP in a chunk creation", ["i1", "i2"]) { try await chunk(&$0) }
                }
                try await group.waitForAll()
            }
        }

        private func inArena(
            _ name: String, _ replicas: [String], _ body: (inout Arena) async throws -> String
        ) async throws {
            try await Arena.with(replicas: replicas) { arena in
                let passed = await matrixCase(name) { try await body(&arena) }
                if !passed { print(arena.logs) }
            }
        }

        /// Each partition is taken from its owner again and again, in the middle of a batch or not.
        private func move(_ arena: inout Arena) async throws -> String {
            let simulator = try await arena.simulate("moving")
            let epochs: SQL = "SELECT sum(epoch) FROM ingest_partition"
            let before = try await arena.system.number(epochs)
            let begin = ContinuousClock.now
            for _ in 1...10 {
                let taken = try await arena.system.number(epochs)
                // In the order in which replicas renew their leases, or the two wait for each other.
                try await arena.system.store.run(
                    """
                    UPDATE ingest_partition SET owner = NULL, lease_until = NULL
                     WHERE stream IN (SELECT stream FROM ingest_partition ORDER BY stream FOR UPDATE)
                    """)
                try await eventually("all are taken again", within: Arena.moveMax) {
                    try await arena.system.number(epochs) >= taken + 4
                }
            }
            let moves = try await arena.system.number(epochs) - before
            let took = begin.duration(to: .now)
            try await arena.expectOnce("moving", simulator)
            return "\(moves) moves in \(took.inSeconds)"
        }

        private func joinAndLeave(_ arena: inout Arena) async throws -> String {
            let simulator = try await arena.simulate("join")
            let begin = ContinuousClock.now
            try await arena.start("i2")
            try await arena.balanced()
            let joined = begin.duration(to: .now)
            let left = try await arena.stop("i2")
            try await arena.balanced()
            let alone = left.duration(to: .now)
            try demand(joined < Arena.moveMax && alone < Arena.moveMax, "\(joined), \(alone)")
            try await arena.expectOnce("join", simulator)
            return "joined after \(joined.inSeconds), left after \(alone.inSeconds)"
        }

        /// SIGTERM drains and commits within 5 s, and the next start reads nothing again.
        private func shutdown(_ arena: inout Arena) async throws -> String {
            let simulator = try await arena.simulate("term")
            var slowest: Duration = .zero
            for _ in 1...3 {
                let begin = try await arena.stop("i1")
                slowest = max(slowest, begin.duration(to: .now))
                let before = try await arena.committedByStream()
                try await arena.start("i1")
                try await eventually("more of every stream is stored") {
                    zip(try await arena.committedByStream(), before).allSatisfy { $0 > $1 }
                }
                let again = "iot_ingest_reread_messages_total"
                let page = await TestServers.get(try await arena["i1"].http() + "/metrics")
                try demand(page?.body.contains(again + "{") == true, "no figure of what is read again")
                let count = try await arena["i1"].metric(again)
                try demand(count == 0, "\(count) messages were read again")
            }
            try demand(slowest < .seconds(5), "SIGTERM took \(slowest)")
            try await arena.expectOnce("term", simulator)
            return "ended after at most \(slowest.inSeconds)"
        }

        /// An uncommitted chunk keeps every other writer that needs a new one waiting: a replica that is stopped while it
        /// makes one must not stop the others.
        private func chunk(_ arena: inout Arena) async throws -> String {
            let (first, second) = (try arena.proxy("i1"), try arena.proxy("i2"))
            first.arm(.inChunkCreation)
            second.stall()
            try await arena.publish("chunk", Arena.sensors, 0..<2)
            _ = try await first.halted()
            try arena["i1"].signal(SIGSTOP)
            try await eventually("a chunk is being made") { try await arena.chunkMakers() > 0 }
            let begin = ContinuousClock.now
            second.release()
            try await eventually("something is stored", within: Arena.moveMax) { try await arena.committed(nil) > 0 }
            let own = begin.duration(to: .now)
            try await arena.waitForFrames("chunk", Arena.sensors * 2, within: Arena.moveMax)
            let other = begin.duration(to: .now)
            try arena["i1"].signal(SIGCONT)
            first.release()
            try await eventually("the end of the chunk creation") { first.outcome != nil }
            try await arena.publish("chunk", Arena.sensors, 2..<20)
            try await arena.waitForFrames("chunk", Arena.sensors * 20)
            _ = try await arena.expectAccount("chunk", Arena.sensors, lost: [], of: 20, [])
            return "the other one's stored after \(own.inSeconds), its own after \(other.inSeconds)"
        }
    }
}
