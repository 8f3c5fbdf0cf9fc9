import Foundation
import Postgres
import TestSupport
import Testing

/// The tests of the five programs as processes run one after another: some of them stop the servers.
@Suite(.serialized, .enabled(if: TestServers.areThere, "make test starts the servers"), .timeLimit(.minutes(5)))
enum EndToEnd {}

/// The services of a system, ended when the test ends.
struct Services {
    let system: TestSystem
    private(set) var programs: [String: Program] = [:]

    /// Starts registry, logs-ingester and `replicas` measurements-ingesters, gives them to `body`, and ends them.
    /// - Parameters:
    ///   - registry: arguments of sensor-registry.
    ///   - definitions: more of the broker's definitions, applied before there are streams.
    static func with(
        replicas: Int = 2, registry: [String] = [], definitions: String? = nil,
        _ body: (inout Services) async throws -> Void
    ) async throws {
        try await TestSystem.with { system in
            if let definitions {
                try await TestServers.management("POST", "/api/definitions/\(system.name)", body: definitions)
            }
            var services = Services(system: system)
            do {
                try await services.start("sensor-registry", registry)
                try await services.start("logs-ingester")
                for replica in 1..<(replicas + 1) { try await services.startIngester("i\(replica)") }
                try await body(&services)
            } catch {
                for (name, program) in services.programs.sorted(by: { $0.key < $1.key }) {
                    print("---- \(name), running: \(program.isRunning)\n\(program.errors.suffix(3000))")
                }
                await services.stop()
                throw error
            }
            await services.stop()
        }
    }

    mutating func start(_ name: String, _ arguments: [String] = []) async throws {
        let program = try system.start(name, arguments)
        programs[name] = program
        try await program.ready()
    }

    mutating func startIngester(_ replica: String) async throws {
        let program = try system.start("measurements-ingester", ["--replica", replica], log: replica)
        programs[replica] = program
        try await program.ready()
    }

    private func stop() async {
        for program in programs.values where program.isRunning { program.signal(SIGTERM) }
        for program in programs.values { _ = try? await program.end(within: .seconds(15)) }
    }

    subscript(name: String) -> Program {
        get throws {
            guard let program = programs[name] else { throw TestServers.Failure("no \(name)") }
            return program
        }
    }
}

extension Program.Outcome {
    /// The lines of stderr, without the one by which iotctl says which servers it acts on.
    var complaints: [Substring] {
        errors.split(separator: "\n").filter { !$0.hasPrefix("iotctl: acting on ") }
    }
}

/// What sensor-simulator prints.
struct SimulatorReport: Decodable {
    struct Sensor: Decodable {
        var serial: String
        var bootId: Int64
        var frames: Int64
        var samples: Int64
        var confirmedFrames: Int64
        var droppedFrames: Int64
    }

    var frames: Int64
    var samples: Int64
    var confirmedFrames: Int64
    var confirmedSamples: Int64
    var droppedFrames: Int64
    var givenUpFrames: Int64
    var sensors: [Sensor]

    init(_ result: Program.Outcome) throws {
        guard let data = result.output.data(using: .utf8), !data.isEmpty else {
            throw TestServers.Failure("no report, status \(result.status): \(result.errors.suffix(2000))")
        }
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        self = try decoder.decode(SimulatorReport.self, from: data)
    }
}

extension TestSystem {
    /// Waits until as many frames are stored as the simulator got confirms for, and compares frame by frame.
    func expectExactlyOnce(_ reports: [SimulatorReport], within deadline: Duration = .seconds(60)) async throws {
        let wanted = reports.reduce(0) { $0 + $1.confirmedFrames }
        try await eventually("\(wanted) frames stored", within: deadline) {
            try await number("SELECT coalesce(sum(frames), 0) FROM sensor_boot") >= wanted
        }
        for sensor in reports.flatMap(\.sensors) {
            let row = try await store.fetchOne(
                """
                SELECT count(DISTINCT sequence) AS frames, coalesce(sum(n), 0) AS samples,
                       coalesce(max(sequence) + 1, 0) AS next,
                       count(*) - count(DISTINCT (channel, sequence, "time", time_ns)) AS twice
                  FROM measurement m JOIN sensor USING (sensor_id)
                 WHERE serial = \(sensor.serial) AND m.boot_id = \(sensor.bootId)
                """)
            #expect(try row.integer("frames") == sensor.frames, "missing frames of \(sensor.serial)")
            #expect(try row.integer("samples") == sensor.samples, "samples of \(sensor.serial)")
            #expect(try row.integer("next") == sensor.frames, "\(sensor.serial)")
            #expect(try row.integer("twice") == 0, "duplicates of \(sensor.serial)")
        }
        #expect(try await number("SELECT count(*) FROM sequence_gap") == 0)
        #expect(try await number("SELECT coalesce(sum(frames), 0) FROM sensor_boot") == wanted)
    }
}

/// What an ingester may have for its data with any backlog, in bytes: 100 MB, less the 34 that a release build and its
/// libraries have in pages.
let dataMemoryMax = 66_000_000

/// The most memory that a process has had for its data, in bytes: resident, less the pages of the program and its libraries.
func peakMemory(of pid: Int32) throws -> Int {
    let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
    func bytes(_ name: String) throws -> Int {
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix(name + ":") })
        return try #require(line.split(separator: " ").dropFirst().first.flatMap { Int($0) }) * 1024
    }
    return try bytes("VmHWM") - bytes("RssFile")
}
