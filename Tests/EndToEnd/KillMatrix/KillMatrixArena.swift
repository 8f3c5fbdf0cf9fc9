import Foundation
import Postgres
import Service
import Store
import TestSupport
import Testing

/// Replicas of measurements-ingester, each behind a proxy of its own, and nothing else: the test applies the schema, so
/// that a fault meets only what it is meant for.
struct Arena {
    /// How many sensors a simulator of the matrix plays: enough for each of the four streams to get some.
    static let sensors = 12
    /// The most that a move of partitions may take.
    static let moveMax: Duration = .seconds(10)

    let system: TestSystem
    /// When the first frame of those that the test publishes itself was taken: half an hour ago, a whole minute.
    let startNanoseconds = (Int(Date().timeIntervalSince1970) / 60 - 30) * 60_000_000_000
    private let database: URLComponents
    private(set) var replicas: [String: Program] = [:]
    private var proxies: [String: DatabaseProxy] = [:]
    /// What the simulators that have ended were promised.
    private(set) var reports: [String: SimulatorReport] = [:]

    /// Starts the replicas, gives them to `body`, and ends them.
    /// - Parameter definitions: more of the broker's definitions, applied before there are streams.
    static func with(
        replicas: [String] = ["i1", "i2"], definitions: String? = nil, _ body: (inout Arena) async throws -> Void
    ) async throws {
        try await TestSystem.with { system in
            try await Migrations.apply(to: system.store)
            _ = try await system.store.fixPartitions((0..<4).map { "measurements.\($0)" })
            if let definitions {
                try await TestServers.management("POST", "/api/definitions/\(system.name)", body: definitions)
            }
            var arena = try Arena(system)
            do {
                for replica in replicas { try await arena.start(replica) }
                try await arena.balanced()
                try await body(&arena)
            } catch {
                await arena.end()
                throw error
            }
            await arena.end()
        }
    }

    private init(_ system: TestSystem) throws {
        self.system = system
        guard let url = system.environment["DATABASE_URL"].flatMap({ URLComponents(string: $0) }) else {
            throw TestServers.Failure("no DATABASE_URL")
        }
        database = url
    }

    /// The proxy that `replica` speaks through; a restarted replica speaks through the same.
    mutating func proxy(_ replica: String) throws -> DatabaseProxy {
        if let proxy = proxies[replica] { return proxy }
        let proxy = try DatabaseProxy(to: UInt16(database.port ?? 5432))
        proxies[replica] = proxy
        return proxy
    }

    /// Starts a replica and waits until it is ready.
    mutating func start(_ replica: String) async throws {
        var url = database
        url.port = Int(try proxy(replica).port)
        let program = try system.start(
            "measurements-ingester", ["--replica", replica], changing: ["DATABASE_URL": url.string ?? ""], log: replica)
        replicas[replica] = program
        try await program.ready()
    }

    /// Ends a replica by SIGTERM.
    /// - Returns: when it was told.
    mutating func stop(_ replica: String) async throws -> ContinuousClock.Instant {
        let begin = ContinuousClock.now
        let result = try await self[replica].stop()
        try demand(result.status == 0, "\(replica) ended with \(result.status): \(result.errors.suffix(500))")
        replicas[replica] = nil
        return begin
    }

    subscript(replica: String) -> Program {
        get throws {
            guard let program = replicas[replica] else { throw TestServers.Failure("no \(replica)") }
            return program
        }
    }

    /// Ends what is left of an unlucky case, and begins anew.
    mutating func recover(_ names: [String]) async throws {
        await end()
        proxies = [:]
        for name in names { try await start(name) }
    }

    private mutating func end() async {
        for proxy in proxies.values { proxy.release() }
        for program in replicas.values where program.isRunning {
            program.signal(SIGCONT)
            program.signal(SIGTERM)
        }
        for program in replicas.values { _ = try? await program.end(within: .seconds(15)) }
        for proxy in proxies.values { proxy.close() }
        replicas = [:]
    }

    /// The ends of the replicas' logs.
    var logs: String {
        replicas.sorted { $0.key < $1.key }
            .map { "---- \($0.key), running: \($0.value.isRunning)\n\($0.value.errors.suffix(2500))" }
            .joined(separator: "\n")
    }

    // MARK: partitions

    /// How many partitions a replica holds.
    func held(by replica: String) async throws -> Int64 {
        try await system.number(
            "SELECT count(*) FROM ingest_partition WHERE owner = \(replica) AND lease_until > clock_timestamp()")
    }

    /// Waits until the replicas that run share the partitions evenly.
    @discardableResult
    func balanced(within deadline: Duration = moveMax) async throws -> Duration {
        let begin = ContinuousClock.now
        let share = Int64(4 / max(1, replicas.count))
        try await eventually("\(share) partitions each", within: deadline) {
            for replica in replicas.keys where try await held(by: replica) != share { return false }
            return true
        }
        return begin.duration(to: .now)
    }

    /// How far a stream, or all streams together, are stored.
    func committed(_ stream: String?) async throws -> Int64 {
        try await system.number(
            """
            SELECT coalesce(sum(committed_offset + 1), 0) FROM ingest_partition
            \(ifPresent: stream, { "WHERE stream = \($0)" })
            """)
    }

    /// The same for each stream.
    func committedByStream() async throws -> [Int64] {
        let rows = try await system.store.fetch(
            "SELECT coalesce(committed_offset, -1) AS committed FROM ingest_partition ORDER BY stream")
        return try rows.map { try $0.integer("committed") }
    }

    // MARK: load

    /// Starts sensors that send ten frames a second each, and waits until all of them have been stored once.
    func simulate(_ prefix: String, transport: String = "mqtt") async throws -> Program {
        let simulator = try system.start(
            "sensor-simulator",
            [
                "--kind", "vibration:200x\(Self.sensors)", "--for", "200s", "--transport", transport,
                "--serial-prefix", prefix,
            ], log: prefix)
        try await eventually("\(prefix) flows") {
            try simulator.expectRunning()
            return try await system.number(
                """
                SELECT count(*) FROM sensor_boot JOIN sensor USING (sensor_id)
                 WHERE serial LIKE \(prefix) || '-%' AND frames > 2
                """) == Self.sensors
        }
        return simulator
    }

    /// Ends a simulator; every frame that it made must have been confirmed, and be stored once.
    mutating func expectOnce(_ prefix: String, _ simulator: Program) async throws {
        let result = try await simulator.stop()
        let report = try SimulatorReport(result)
        try demand(result.status == 0, "simulator \(prefix): \(result.errors.suffix(1000))")
        try demand(
            report.confirmedFrames == report.frames && report.droppedFrames == 0,
            "\(prefix): \(report.confirmedFrames) of \(report.frames) frames were confirmed")
        do {
            try await eventually("\(report.frames) frames of \(prefix) stored") {
                try await frames(prefix) >= report.frames
            }
        } catch { throw TestServers.Failure("\(error)\n\(try await whereabouts(prefix))") }
        try await compare(prefix, report)
        reports[prefix] = report
    }

    /// Where frames may be that are not stored.
    private func whereabouts(_ prefix: String) async throws -> String {
        let rows = try await system.store.fetch(
            """
            SELECT 'stored ' || serial || ': ' || frames || ' of ' || sensor_boot.next_sequence AS line
              FROM sensor_boot JOIN sensor USING (sensor_id) WHERE serial LIKE \(prefix) || '-%'
            UNION ALL SELECT 'gap ' || serial || ': ' || first_sequence || '-' || last_sequence || ' ' || cause
              FROM sequence_gap JOIN sensor USING (sensor_id) WHERE serial LIKE \(prefix) || '-%'
            UNION ALL SELECT 'quarantine ' || source || ' ' || reason || ': ' || count(*)
              FROM quarantine GROUP BY source, reason
            UNION ALL SELECT 'hole ' || stream || ': ' || first_offset || '-' || last_offset || ' ' || cause
              FROM stream_hole
            """)
        let unrouted = try await TestServers.management("GET", "/api/queues/\(system.name)/unrouted")
        return try rows.map { try $0.text("line") }.joined(separator: "\n") + "\n"
            + String(decoding: unrouted, as: UTF8.self)
    }

    /// Stored frames of the sensors that begin with `prefix`.
    func frames(_ prefix: String) async throws -> Int64 {
        try await system.number(
            """
            SELECT coalesce(sum(frames), 0) FROM sensor_boot JOIN sensor USING (sensor_id)
             WHERE serial LIKE \(prefix) || '-%'
            """)
    }

    /// Looks once more at all that was stored since the arena began: nobody may have added to it later.
    func expectAllOnce() async throws { for (prefix, report) in reports { try await compare(prefix, report) } }

    private func compare(_ prefix: String, _ report: SimulatorReport) async throws {
        let stored = try await Stored.all(in: system, prefix: prefix)
        try demand(stored.count == report.sensors.count, "\(stored.count) sensors of \(prefix)")
        for sensor in report.sensors {
            let row = try #require(stored[sensor.serial])
            let wanted = Stored(
                boot: sensor.bootId, rows: row.rows, distinctRows: row.rows, parts: 3 * sensor.frames,
                frames: sensor.frames, samples: sensor.samples, next: sensor.frames, ledger: sensor.frames, gaps: 0)
            try demand(row == wanted, "\(sensor.serial) is \(row), should be \(wanted)")
        }
    }
}

/// What the database says of one sensor.
struct Stored: Equatable {
    var boot: Int64
    var rows: Int64
    /// Rows that differ from each other in channel, sequence or time.
    var distinctRows: Int64
    /// Pairs of channel and sequence.
    var parts: Int64
    var frames: Int64
    var samples: Int64
    /// One above the highest sequence.
    var next: Int64
    /// Frames, as the ledger says.
    var ledger: Int64
    /// Frames, as `sequence_gap` says, that are missing.
    var gaps: Int64

    static func all(in system: TestSystem, prefix: String) async throws -> [String: Stored] {
        let rows = try await system.store.fetch(
            """
            SELECT s.serial, b.boot_id, count(m.*) AS rows, b.frames AS ledger,
                   count(DISTINCT (m.channel, m.sequence, m."time", m.time_ns)) AS distinct_rows,
                   count(DISTINCT (m.channel, m.sequence)) AS parts, count(DISTINCT m.sequence) AS frames,
                   coalesce(sum(m.n), 0) AS samples, coalesce(max(m.sequence) + 1, 0) AS next,
                   (SELECT coalesce(sum(g.last_sequence - g.first_sequence + 1), 0) FROM sequence_gap g
                     WHERE g.sensor_id = s.sensor_id) AS gaps
              FROM sensor s JOIN sensor_boot b USING (sensor_id)
              LEFT JOIN measurement m ON m.sensor_id = b.sensor_id AND m.boot_id = b.boot_id
             WHERE s.serial LIKE \(prefix) || '-%' GROUP BY s.sensor_id, s.serial, b.boot_id, b.frames
            """)
        var stored: [String: Stored] = [:]
        for row in rows {
            let serial = try row.text("serial")
            try demand(stored[serial] == nil, "\(serial) has two boots")
            stored[serial] = Stored(
                boot: try row.integer("boot_id"), rows: try row.integer("rows"),
                distinctRows: try row.integer("distinct_rows"),
                parts: try row.integer("parts"), frames: try row.integer("frames"), samples: try row.integer("samples"),
                next: try row.integer("next"), ledger: try row.integer("ledger"), gaps: try row.integer("gaps"))
        }
        return stored
    }
}

/// Ends a case of the matrix with `otherwise` unless `condition` holds.
func demand(_ condition: Bool, _ otherwise: @autoclosure () -> String) throws {
    if !condition { throw TestServers.Failure(otherwise()) }
}

/// Runs one case of the matrix and prints how it went, for scripts/kill-matrix.
/// - Returns: whether it passed.
@discardableResult
func matrixCase(_ name: String, _ body: () async throws -> String) async -> Bool {
    let begin = ContinuousClock.now
    do {
        let figures = try await body()
        print("kill-matrix|\(name)|passed|\(begin.duration(to: .now).inSeconds)|\(figures)")
        return true
    } catch {
        print("kill-matrix|\(name)|FAILED|\(begin.duration(to: .now).inSeconds)|\(error)")
        Issue.record("\(name): \(error)")
        return false
    }
}

extension Duration {
    /// Seconds, with one digit behind the point.
    var inSeconds: String { formatted(.units(allowed: [.seconds], fractionalPart: .show(length: 1))) }
}
