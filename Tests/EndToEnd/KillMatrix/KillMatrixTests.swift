import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// Exactly once, whatever dies where: at each point of a batch's transaction each fault, under load.
    ///
    /// One round here; `scripts/kill-matrix` plays many (docs/decisions/0012-the-kill-matrix.md).
    @Suite struct KillMatrix {
        /// What happens to a replica whose batch stands still.
        enum Fault: String, CaseIterable {
            case kill = "SIGKILL"
            case stop = "SIGSTOP"
            case cut = "connection cut"
            case stall = "network stall"
        }

        /// The four faults at once, each in an arena of its own; the four points one after another.
        @Test func everyFaultAtEveryPoint() async throws {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for fault in Fault.allCases {
                    group.addTask {
                        try await Arena.with { arena in
                            for point in DatabaseProxy.Point.ofBatch { try await meet(fault, point, &arena) }
                            try await arena.expectAllOnce()
                        }
                    }
                }
                try await group.waitForAll()
            }
        }

        private func meet(_ fault: Fault, _ point: DatabaseProxy.Point, _ arena: inout Arena) async throws {
            let name = "\(fault.rawValue) \(point.rawValue)"
            let passed = await matrixCase(name) {
                try await arena.balanced()
                let prefix = "\(fault)-\(point)"
                let simulator = try await arena.simulate(prefix)
                let figures: String
                do { figures = try await strike(fault, point, &arena) } catch {
                    simulator.signal(SIGKILL)
                    throw error
                }
                try await arena.expectOnce(prefix, simulator)
                return figures
            }
            if !passed {
                print(arena.logs)
                try await arena.recover(["i1", "i2"])
            }
        }

        /// - Returns: the times that were measured.
        private func strike(
            _ fault: Fault, _ point: DatabaseProxy.Point, _ arena: inout Arena
        ) async throws -> String {
            let proxy = try arena.proxy("i1")
            proxy.arm(point)
            let halted = try await proxy.halted()
            let begin = ContinuousClock.now
            let before = try await arena.committed(halted.stream)
            switch fault {
            case .kill:
                try arena["i1"].signal(SIGKILL)
                proxy.cutAll()
                let figures = try await takeover(arena, halted, before, begin)
                try await arena.start("i1")
                return figures
            case .stop:
                try arena["i1"].signal(SIGSTOP)
                let figures = try await takeover(arena, halted, before, begin)
                try arena["i1"].signal(SIGCONT)
                proxy.release()
                try await expectRefusal(proxy, point)
                return figures
            case .cut:
                proxy.cut()
                try await eventually("\(halted.stream ?? "it") is stored again", within: Arena.moveMax) {
                    try await arena.committed(halted.stream) > before
                }
                return "stored again after \(begin.duration(to: .now).inSeconds)"
            case .stall:
                proxy.stall()
                let figures = try await takeover(arena, halted, before, begin)
                proxy.release()
                try await expectRefusal(proxy, point)
                return figures
            }
        }

        /// Waits until the other replica holds all partitions, and until it has stored more of the one that stood still.
        private func takeover(
            _ arena: Arena, _ halted: DatabaseProxy.Halted, _ before: Int64, _ begin: ContinuousClock.Instant
        ) async throws -> String {
            let end = begin + Arena.moveMax
            try await eventually("i2 holds all partitions", within: ContinuousClock.now.duration(to: end)) {
                try await arena.held(by: "i2") == 4
            }
            let moved = begin.duration(to: .now)
            try await eventually("i2 stores \(halted.stream ?? "it")", within: ContinuousClock.now.duration(to: end)) {
                try await arena.committed(halted.stream) > before
            }
            return "moved after \(moved.inSeconds), stored after \(begin.duration(to: .now).inSeconds)"
        }

        /// What stood still while somebody else took over must not become true when it goes on.
        private func expectRefusal(_ proxy: DatabaseProxy, _ point: DatabaseProxy.Point) async throws {
            try await eventually("the end of the batch that stood still") {
                proxy.outcome != nil
            }
            let outcome = try #require(proxy.outcome)
            try demand((outcome == .committed) == (point == .afterCommit), "the batch that stood still: \(outcome)")
        }
    }
}
