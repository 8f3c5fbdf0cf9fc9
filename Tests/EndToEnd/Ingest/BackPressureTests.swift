import Foundation
import Postgres
import TestSupport
import Testing

extension EndToEnd {
    /// A database that is away for a minute at full load: the streams keep what comes, the ingester stays small, well and
    /// connected, and stores the backlog beside all that comes.
    @Suite struct BackPressure {
        private static let outage: Duration = .seconds(60)
        /// Frames a second of the many sensors: ten of each.
        private static let framesPerSecond: Int64 = 300
        /// Frames a second of those that send 1 MiB at a time: from each every two seconds.
        private static let largeFramesPerSecond: Int64 = 2
        private static let largeSensors: Int64 = 4
        /// How long the load goes on: through the outage and some 20 s of what comes after.
        private static let loadSeconds = 90
        /// Alone on two cores the slowest answer takes 0.4 s; one that waited for the database would take the outage.
        private static let answerMax: Duration = .seconds(20)

        /// Two systems at once: the database of many sensors is stopped; that of the large messages is there, and silent.
        @Test func theDatabaseIsAwayForAMinute() async throws {
            try await Arena.with(replicas: ["i1"]) { many in
                try await Arena.with(replicas: ["i1"]) { large in try await outage(&many, &large) }
            }
        }

        private func outage(_ many: inout Arena, _ large: inout Arena) async throws {
            let simulator = try startMany(many)
            let publisher = try startLarge(large)
            defer {
                for program in [simulator, publisher] where program.isRunning { program.signal(SIGKILL) }
            }
            let silence = try large.proxy("i1")
            let watches = [try await Watch(many["i1"]), try await Watch(large["i1"])]
            for arena in [many, large] {
                try await eventually("frames flow") { try await arena.committed(nil) > 12 }
            }
            let connections = [try await Self.connections(many), try await Self.connections(large)]
            let healths = Task { try await Watch.slowestAnswers(watches) }
            defer { healths.cancel() }

            let before = [try await many.committed(nil), try await large.committed(nil)]
            let begin = ContinuousClock.now
            try await withoutDatabase([many, large], silence) {
                try await eventually("the outage is over", within: Self.outage + .seconds(30)) {
                    for program in [simulator, publisher] { try program.expectRunning() }
                    return begin.duration(to: .now) >= Self.outage
                }
            }
            let back = ContinuousClock.now
            // The load goes on beside the backlog for a while, then ends: how fast the backlog shrinks is a benchmark's matter.
            try await eventually("both backlogs shrink") {
                for (arena, stored) in zip([many, large], before) where try await arena.committed(nil) <= stored {
                    return false
                }
                return true
            }
            // By itself: a signal would give it 5 s for what the broker has not taken.
            _ = try await simulator.end()
            try await many.expectOnce("many", simulator)
            try await expectLargeOnce(large, publisher)
            healths.cancel()
            let slowest = try await healths.value
            let peaks = try watches.map { try $0.peakMemory() }
            print(
                """
                back pressure: \(begin.duration(to: back).inSeconds) without a database, all stored after \
                \(back.duration(to: .now).inSeconds), peak memory \(peaks), slowest answer \(slowest)
                """)
            for (index, arena) in [many, large].enumerated() {
                #expect(peaks[index] <= dataMemoryMax)
                #expect(slowest[index] <= Self.answerMax)
                let kept = try await Self.connections(arena) == connections[index]
                #expect(kept, "other connections to the broker: \(arena.logs)")
            }
        }

        // MARK: load

        private func startMany(_ arena: Arena) throws -> Program {
            try arena.system.start(
                "sensor-simulator",
                [
                    "--kind", "vibration:5000x\(Self.framesPerSecond / 10)", "--for", "\(Self.loadSeconds)s",
                    "--transport", "amqp", "--serial-prefix", "many",
                ], log: "many")
        }

        private func startLarge(_ arena: Arena) throws -> Program {
            let script = TestServers.root.appending(path: "Tests/EndToEnd/Outside/publish.py").path
            let interval = Self.largeSensors * 1000 / Self.largeFramesPerSecond
            let numbers = [Int(Self.largeSensors), Int(interval), arena.startNanoseconds]
            return try Program(
                "/usr/bin/python3", [script, "large-frames", "large"] + numbers.map(String.init),
                environment: arena.system.environment, log: arena.system.folder.appending(path: "large.log"))
        }

        private struct Published: Decodable {
            var frames: Int64
            var bytes: Int
        }

        /// Every large frame that was confirmed is stored once: four channels of 65,400 samples, in one row each.
        private func expectLargeOnce(_ arena: Arena, _ publisher: Program) async throws {
            let result = try await publisher.stop()
            try demand(result.status == 0, "\(result.errors)")
            let published = try JSONDecoder().decode(Published.self, from: Data(result.output.utf8))
            #expect(published.bytes > 1_040_000)
            try await arena.waitForFrames("large", Int(Self.largeSensors * published.frames))
            let stored = try await Stored.all(in: arena.system, prefix: "large")
            try demand(stored.count == Self.largeSensors, "\(stored.count) sensors")
            let rows = 4 * published.frames
            for (serial, row) in stored {
                let wanted = Stored(
                    boot: 7, rows: rows, distinctRows: rows, parts: rows, frames: published.frames,
                    samples: 65_400 * rows, next: published.frames, ledger: published.frames, gaps: 0)
                #expect(row == wanted, "\(serial)")
            }
        }

        // MARK: the outage

        /// The database is stopped for one system, and for the other lets nothing pass.
        private func withoutDatabase(
            _ arenas: [Arena], _ silence: DatabaseProxy, _ body: () async throws -> Void
        ) async throws {
            for arena in arenas { await arena.system.store.close() }
            silence.stall()
            try await TestServers.control("stop", "database")
            do { try await body() } catch {
                try await TestServers.control("start", "database")
                throw error
            }
            try await TestServers.control("start", "database")
            silence.release()
        }

        private struct Connection: Decodable {
            var name: String
            var userProvidedName: String?

            private enum CodingKeys: String, CodingKey {
                case name
                case userProvidedName = "user_provided_name"
            }
        }

        /// The ingester's connections to the broker, by address and port: one that was opened anew has another name.
        private static func connections(_ arena: Arena) async throws -> Set<String> {
            var found: Set<String> = []
            // The broker's figures are some seconds old.
            try await eventually("a connection for each partition") {
                let data = try await TestServers.management("GET", "/api/vhosts/\(arena.system.name)/connections")
                found = Set(
                    try JSONDecoder().decode([Connection].self, from: data)
                        .filter { $0.userProvidedName?.contains("measurements.") == true }.map(\.name))
                return found.count == 4
            }
            return found
        }
    }

    /// Looks at one ingester.
    private struct Watch {
        private let pid: Int32
        private let address: String

        init(_ program: Program) async throws {
            pid = program.pid
            address = try await program.http()
        }

        /// Asks both for their health four times a second until the task is cancelled.
        /// - Returns: the longest that each took to answer.
        /// - Throws: if one does not answer at all.
        static func slowestAnswers(_ watches: [Watch]) async throws -> [Duration] {
            var slowest = watches.map { _ in Duration.zero }
            while !Task.isCancelled {
                for (index, watch) in watches.enumerated() {
                    slowest[index] = max(slowest[index], try await watch.answer())
                }
                try? await Task.sleep(for: .milliseconds(250))
            }
            return slowest
        }

        private func answer() async throws -> Duration {
            let begin = ContinuousClock.now
            // A task of its own: being cancelled in the middle is no missing answer.
            let page = await Task { await TestServers.get(address + "/livez") }.value
            try demand(page?.status == 200, "process \(pid) gives no answer: \(String(describing: page))")
            return begin.duration(to: .now)
        }

        /// The most memory that the process ever had, in bytes.
        func peakMemory() throws -> Int {
            try EndToEndTests.peakMemory(of: pid)
        }
    }
}
