import Foundation
import Postgres
import TestSupport
import Testing

extension EndToEnd.KillMatrix {
    /// Streams that don't hold any more what was put into them: what is gone is in the loss ledger, and only that.
    @Suite struct Losses {
        private static let sensors = 8

        @Test func streamsThatLostMessages() async throws {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await alone("stream deleted and made again") { try await reset(&$0) } }
                group.addTask {
                    try await alone("older broker, its end behind") { try await older(&$0, longer: false) }
                }
                group.addTask { try await alone("older broker, other messages") { try await older(&$0, longer: true) } }
                group.addTask {
                    try await alone("retention overtakes", definitions: smallStreams) { try await retention(&$0) }
                }
                try await group.waitForAll()
            }
        }

        private func alone(
            _ name: String, definitions: String? = nil, _ body: (inout Arena) async throws -> String
        ) async throws {
            try await Arena.with(replicas: ["i1"], definitions: definitions) { arena in
                let passed = await matrixCase(name) { try await body(&arena) }
                if !passed { print(arena.logs) }
            }
        }

        /// Streams are deleted while the ingester is stopped, and again while it runs.
        private func reset(_ arena: inout Arena) async throws -> String {
            try await arena.publish("reset", Self.sensors, 0..<50)
            try await arena.waitForFrames("reset", Self.sensors * 50)
            _ = try await arena.stop("i1")
            try await arena.publish("reset", Self.sensors, 50..<80)
            try await arena.deleteStreams()
            try await arena.start("i1")
            try await arena.waitForStreams()
            try await arena.publish("reset", Self.sensors, 80..<120)
            try await arena.waitForFrames("reset", Self.sensors * 90)
            let first = try await arena.expectAccount("reset", Self.sensors, lost: [50..<80], of: 120, ["stream_reset"])
            try await arena.expectHoles("stream_reset")

            // All is stored: nothing more is lost.
            try await arena.deleteStreams()
            try await arena.waitForStreams()
            try await arena.publish("reset", Self.sensors, 120..<150)
            try await arena.waitForFrames("reset", Self.sensors * 120)
            _ = try await arena.expectAccount("reset", Self.sensors, lost: [50..<80], of: 150, ["stream_reset"])
            return "\(first) frames lost, all in sequence_gap"
        }

        /// An older state of the broker: its streams end before what is stored, or other messages stand there now.
        private func older(_ arena: inout Arena, longer: Bool) async throws -> String {
            try await arena.publish("older", Self.sensors, 0..<50)
            try await arena.waitForFrames("older", Self.sensors * 50)
            try await arena.publish("older", Self.sensors, 50..<80)
            try await arena.waitForFrames("older", Self.sensors * 80)
            _ = try await arena.stop("i1")
            try await arena.publish("older", Self.sensors, 80..<90)
            try await arena.deleteStreams()
            try await arena.makeStreams()
            try await arena.publish("older", Self.sensors, 0..<50)
            if longer { try await arena.publish("older", Self.sensors, 90..<140) }
            try await arena.start("i1")
            if !longer {
                try await eventually("every partition begins anew") {
                    try await arena.system.number(
                        "SELECT count(*) FROM ingest_partition WHERE incarnation = 1 AND committed_offset >= 0") == 0
                }
                try await arena.publish("older", Self.sensors, 90..<140)
            }
            try await arena.waitForFrames("older", Self.sensors * 130)
            let lost = try await arena.expectAccount(
                "older", Self.sensors, lost: [80..<90], of: 140, ["stream_reset"])
            try await arena.expectHoles("stream_reset")
            let again = try await arena.system.number("SELECT sum(duplicates) FROM sensor_boot")
            try demand(again == Self.sensors * 50, "\(again) frames came again")
            return "\(again) frames read again and not stored again, \(lost) lost, all in sequence_gap"
        }

        /// Segments of 250 kB: 25 frames; two of them at most or little more.
        private var smallStreams: String {
            """
            {"policies": [{"vhost": "/", "name": "measurements", "pattern": "^measurements\\\\.[0-9]+$",
             "apply-to": "streams", "priority": 0, "definition":
             {"max-length-bytes": 500000, "stream-max-segment-size-bytes": 250000}}]}
            """
        }

        /// The broker drops what the stopped ingester has not read.
        private func retention(_ arena: inout Arena) async throws -> String {
            // Small, so that no stream can drop them before the ingester reads.
            try await arena.publish("old", Self.sensors, 0..<20, samples: 25)
            try await arena.waitForFrames("old", Self.sensors * 20)
            _ = try await arena.stop("i1")
            try await arena.publish("old", Self.sensors, 20..<120, samples: 2500)
            try await arena.start("i1")
            try await arena.publish("old", Self.sensors, 120..<130, samples: 2500)
            try await eventually("the newest frame of every sensor") {
                try await arena.system.number("SELECT count(*) FROM sensor_boot WHERE next_sequence = 130")
                    == Self.sensors
            }
            let accounts = try await arena.accounts("old")
            try demand(accounts.count == Self.sensors, "\(accounts.count) sensors")
            var lost: Int64 = 0
            for (serial, account) in accounts {
                try demand(account.stored.isDisjoint(with: account.lost), "\(serial): stored, and lost")
                try demand(account.stored.union(account.lost) == Set(0..<130), "\(serial): neither stored nor lost")
                if let first = account.lost.min(), let last = account.lost.max() {
                    try demand(account.causes == ["broker_retention"], "\(serial): \(account.causes)")
                    try demand(first == 20 && account.lost.count == last - first + 1, "\(serial): \(account.lost)")
                }
                lost += Int64(account.lost.count)
            }
            // The streams dropped that many too, but for one offset at the head of each segment: 24 frames or more.
            try demand(lost > 0, "nothing was dropped")
            let dropped = try await arena.system.number("SELECT sum(last_offset - first_offset + 1) FROM stream_hole")
            try demand(
                (lost...(lost + lost / 24 + 4)).contains(dropped),
                "the streams dropped \(dropped), the sensors miss \(lost)")
            try await arena.expectHoles("broker_retention")
            return "\(lost) frames lost, all in sequence_gap"
        }
    }
}

/// What became of the frames of a sensor that the test itself published for.
struct FrameAccount {
    var stored: Set<Int64> = []
    var lost: Set<Int64> = []
    var causes: Set<String> = []
}

extension Arena {
    /// Publishes frames of `sensors` sensors with these sequences, each confirmed; the same call gives the same bytes.
    func publish(_ prefix: String, _ sensors: Int, _ sequences: Range<Int>, samples: Int = 4) async throws {
        let numbers = [sensors, sequences.lowerBound, sequences.count, startNanoseconds, samples]
        try await publish("load-frames", [prefix] + numbers.map(String.init))
    }

    /// Has the outside client publish.
    func publish(_ what: String, _ arguments: [String] = []) async throws {
        let script = TestServers.root.appending(path: "Tests/EndToEnd/Outside/publish.py").path
        let result = try await system.run("/usr/bin/python3", [script, what] + arguments, deadline: .seconds(90))
        guard result.status == 0 else { throw TestServers.Failure("\(result.errors)\(result.output)") }
    }

    /// Waits until at least `count` frames of the sensors that begin with `prefix` are stored.
    func waitForFrames(_ prefix: String, _ count: Int, within deadline: Duration = .seconds(60)) async throws {
        try await eventually("\(count) frames of \(prefix) stored", within: deadline) {
            try await frames(prefix) >= count
        }
    }

    /// What is stored and what is known to be lost, by sensor; each stored frame must be there once.
    func accounts(_ prefix: String) async throws -> [String: FrameAccount] {
        var accounts: [String: FrameAccount] = [:]
        let stored = try await system.store.fetch(
            """
            SELECT serial, sequence, count(*) AS rows FROM measurement JOIN sensor USING (sensor_id)
             WHERE serial LIKE \(prefix) || '-%' GROUP BY 1, 2
            """)
        for row in stored {
            let serial = try row.text("serial")
            let sequence = try row.integer("sequence")
            try demand(row.integer("rows") == 1, "\(serial), frame \(sequence) is stored twice")
            accounts[serial, default: FrameAccount()].stored.insert(sequence)
        }
        let lost = try await system.store.fetch(
            """
            SELECT serial, first_sequence, last_sequence, cause FROM sequence_gap JOIN sensor USING (sensor_id)
             WHERE serial LIKE \(prefix) || '-%'
            """)
        for row in lost {
            let serial = try row.text("serial")
            let first = try row.integer("first_sequence")
            let last = try row.integer("last_sequence")
            accounts[serial, default: FrameAccount()].lost.formUnion(first...last)
            accounts[serial]?.causes.insert(try row.text("cause"))
        }
        return accounts
    }

    /// Each of `sensors` sensors has exactly these frames lost, and the others of `total` stored once.
    /// - Returns: how many are lost in all.
    func expectAccount(
        _ prefix: String, _ sensors: Int, lost: [Range<Int64>], of total: Int64, _ causes: Set<String>
    ) async throws -> Int {
        let wanted = lost.reduce(into: Set<Int64>()) { $0.formUnion($1) }
        let accounts = try await accounts(prefix)
        try demand(accounts.count == sensors, "\(accounts.count) sensors")
        for (serial, account) in accounts {
            try demand(account.lost == wanted, "\(serial): lost \(account.lost.sorted())")
            let stored = Set(0..<total).subtracting(wanted)
            try demand(account.causes == causes, "\(serial): lost because of \(account.causes)")
            try demand(account.stored == stored, "\(serial): not all \(stored.count), but \(account.stored.count)")
        }
        return wanted.count * sensors
    }

    /// There are holes, and all of them have this cause.
    func expectHoles(_ cause: String) async throws {
        let rows = try await system.store.fetch("SELECT DISTINCT cause FROM stream_hole")
        let causes = try rows.map { try $0.text("cause") }
        try demand(causes == [cause], "holes because of \(causes)")
    }

    /// How many server processes hold the lock under which chunks are made.
    func chunkMakers() async throws -> Int64 {
        try await system.number(
            """
            SELECT count(*) FROM pg_locks WHERE relation = 'measurement'::regclass AND granted
               AND mode = 'ShareUpdateExclusiveLock'
            """)
    }

    // MARK: streams

    private func stream(_ number: Int) -> String { "/api/queues/\(system.name)/measurements.\(number)" }

    func deleteStreams() async throws {
        for number in 0..<4 { try await TestServers.management("DELETE", stream(number)) }
    }

    /// Waits until the services have made all streams anew: a frame that comes before goes to `unrouted`.
    func waitForStreams() async throws {
        try await eventually("the streams are there again") {
            for number in 0..<4 where try await bindings(number) == "[]" { return false }
            return true
        }
    }

    /// Of a stream to the exchange, as JSON.
    private func bindings(_ number: Int) async throws -> String {
        let path = "/api/bindings/\(system.name)/e/sensor_streaming.partitions/q/measurements.\(number)"
        return String(decoding: try await TestServers.management("GET", path), as: UTF8.self)
    }

    /// Makes the streams as the services would.
    func makeStreams() async throws {
        for number in 0..<4 {
            let name = "measurements.\(number)"
            try await TestServers.management(
                "PUT", stream(number), body: #"{"durable": true, "arguments": {"x-queue-type": "stream"}}"#)
            try await TestServers.management(
                "POST", "/api/bindings/\(system.name)/e/sensor_streaming.partitions/q/\(name)",
                body: #"{"routing_key": "\#(name)"}"#)
        }
    }
}
