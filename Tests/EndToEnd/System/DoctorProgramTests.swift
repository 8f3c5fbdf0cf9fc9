import Foundation
import Glibc
import Postgres
import TestSupport
import Testing

extension EndToEnd {
    /// `iotctl doctor` against systems that are well and that are not, and what else helps people: completions, bench.
    @Suite struct Helping {
        private struct Report: Decodable {
            struct Finding: Decodable {
                var check: String
                var result: String
                var text: String
                var fix: String?
                var cause: String?
            }

            var healthy: Bool
            var findings: [Finding]

            init(_ result: Program.Outcome) throws {
                self = try JSONDecoder().decode(Report.self, from: Data(result.output.utf8))
            }

            func result(_ check: String) -> String? { findings.first { $0.check == check }?.result }

            /// The problems that do not follow from another one.
            var problems: [Finding] { findings.filter { $0.result == "problem" && $0.cause == nil } }

            var complaints: [String] {
                findings.filter { $0.result != "ok" }.map { "\($0.result) \($0.check): \($0.text)" }
            }
        }

        /// Another broker or none, and so on: one clear result each.
        private func examine(
            _ system: TestSystem, _ words: [String] = [], changing: [String: String] = [:]
        ) async throws -> (status: Int32, report: Report, errors: String) {
            let result = try await system.run(
                "iotctl", ["doctor", "-o", "json", "--timeout", "20s"] + words, changing: changing)
            return (result.status, try Report(result), result.errors)
        }

        @Test func aSoundSystemIsSound() async throws {
            try await Services.with(replicas: 1) { services in
                let system = services.system
                try await eventually("all partitions have an owner") {
                    try await system.number(
                        "SELECT count(*) FROM ingest_partition WHERE lease_until > clock_timestamp()") == 4
                }
                // The management API's figures are seconds old; its policies are those of now.
                var last: (status: Int32, report: Report, errors: String)?
                try await eventually("it is sound") {
                    last = try await examine(system)
                    #expect(last?.report.result("policies") == "ok")
                    return last?.report.complaints.isEmpty == true
                }
                let sound = try #require(last)
                #expect(sound.status == 0 && sound.errors.isEmpty && sound.report.healthy)
                #expect(sound.report.findings.allSatisfy { $0.fix == nil })
                // It changed nothing, and is read in 80 columns.
                let table = try await system.run("iotctl", ["doctor"])
                #expect(table.output.split(separator: "\n").allSatisfy { $0.count <= 80 }, "\(table.output)")
                #expect(table.output.split(separator: "\n").count <= 12, "\(table.output)")
                let all = try await system.run("iotctl", ["doctor", "-v"])
                #expect(all.output.split(separator: "\n").count >= 20, "\(all.output)")
                #expect(all.output.split(separator: "\n").allSatisfy { $0.count <= 80 }, "\(all.output)")
                #expect(try await system.number("SELECT count(*) FROM quarantine") == 0)
                let without = try await examine(system, changing: ["MANAGEMENT_URL": ""])
                #expect(without.status == 0)
                #expect(without.report.result("disk") == "not_checked" && without.report.result("lag") == "ok")

                try await services["logs-ingester"].stop()
                try await services["i1"].stop()
                try await system.store.run(
                    "INSERT INTO quarantine (reason, routing_key, source, length, hash, payload) VALUES ('too_large', 'k', 's', 0, 0, '')"
                )
                try await TestServers.management(
                    "DELETE", "/api/policies/\(system.name)/registry-logs")
                try await eventually("nobody reads logs, and nothing dead-letters") {
                    last = try await examine(system)
                    return last?.report.result("logs-ingester") == "problem"
                        && last?.report.result("policies") == "problem"
                }
                let ill = try #require(last)
                #expect(ill.status == 1 && ill.errors.contains("problem") && !ill.report.healthy)
                for (check, result) in [
                    ("ingesters", "problem"), ("partitions", "problem"), ("quarantine", "warning"),
                    ("sensor-registry", "ok"), ("migrations", "ok"),
                ] { #expect(ill.report.result(check) == result, "\(check): \(ill.report.complaints)") }
                #expect(ill.report.findings.allSatisfy { ($0.result == "ok") == ($0.fix == nil) })
            }
        }

        @Test func anEmptySystemSaysWhatIsMissing() async throws {
            try await TestSystem.with { system in
                let empty = try await examine(system)
                #expect(empty.status == 1)
                for check in ["exchanges", "queues", "migrations", "bindings"] {
                    #expect(empty.report.result(check) == "problem", "\(check)")
                }
                #expect(empty.report.problems.map(\.check) == ["exchanges"], "\(empty.report.complaints)")
                #expect(empty.report.problems.first?.fix?.hasPrefix("start sensor-registry") == true)
                for check in [
                    "broker", "publishes", "stamp", "database", "timescaledb", "database_clock", "broker_clock",
                ] {
                    #expect(empty.report.result(check) == "ok", "\(check): \(empty.report.complaints)")
                }
                // It made nothing.
                let queues = try await TestServers.management("GET", "/api/queues/\(system.name)")
                #expect(String(decoding: queues, as: UTF8.self) == "[]")
            }
        }

        @Test func whatIsUnreachableIsAFinding() async throws {
            try await TestSystem.with { system in
                let nowhere = [
                    "AMQP_URL": "amqp://iot:topsecret@127.0.0.1:1/",
                    "DATABASE_URL": "postgresql://iot:topsecret@127.0.0.1:1/x",
                    "MANAGEMENT_URL": "",
                ]
                let none = try await examine(system, changing: nowhere)
                #expect(none.status == 69)
                #expect(none.report.result("broker") == "problem" && none.report.result("database") == "problem")
                let half = try await examine(system, changing: ["AMQP_URL": nowhere["AMQP_URL"] ?? ""])
                #expect(half.status == 1 && half.report.result("database") == "ok")
                for report in [none.report, half.report] {
                    #expect(
                        !report.findings.contains {
                            $0.text.contains("topsecret") || $0.fix?.contains("topsecret") == true
                        })
                }
                // Servers that take the connection and say nothing.
                let silent = try await examine(
                    system, ["--timeout", "300ms"],
                    changing: try SilentServer.environment())
                #expect(
                    silent.status == 69 && silent.report.complaints.contains { $0.contains("no answer within 0.3 s") })
            }
        }

        /// A server that is away is one problem with one fix, and what follows from it one line. So is a wrong password, a
        /// wrong virtual host and a missing URL.
        @Test func aServerThatIsAwayIsOneProblem() async throws {
            try await Services.with(replicas: 1) { services in
                let system = services.system
                for (server, fix) in [("broker", "start RabbitMQ"), ("database", "start PostgreSQL")] {
                    try await TestServers.control("stop", server)
                    let away = try await attempt { try await examine(system) }
                    let table = try await attempt { try await system.run("iotctl", ["doctor", "--timeout", "20s"]) }
                    try await TestServers.control("start", server)
                    let (report, shown) = (try away.get().report, try table.get())
                    print("doctor, \(server) stopped:\n\(shown.output)")
                    #expect(report.problems.map(\.check) == [server], "\(report.complaints)")
                    let problem = try #require(report.problems.first)
                    #expect(
                        problem.fix?.hasPrefix(fix) == true && problem.text.contains("connection refused"), "\(problem)"
                    )
                    let lines = shown.output.split(separator: "\n")
                    #expect(lines.count <= 12 && lines.allSatisfy { $0.count <= 80 }, "\(shown.output)")
                    #expect(lines.first?.hasPrefix("problem      \(server)") == true, "\(shown.output)")
                    #expect(shown.output.contains("need the \(server) and were not made; -v lists them"))
                    #expect(shown.errors.contains("1 problem, "), "\(shown.errors)")
                    try await eventually("it is sound again") { try await examine(system).report.problems.isEmpty }
                }
            }
        }

        private func attempt<Value>(_ work: () async throws -> Value) async throws -> Result<Value, any Error> {
            do { return .success(try await work()) } catch { return .failure(error) }
        }

        @Test func aWrongAddressIsOneProblem() async throws {
            try await Services.with(replicas: 1) { services in
                let system = services.system
                func changed(_ name: String, _ change: (inout URLComponents) -> Void) throws -> [String: String] {
                    var url = try #require(system.environment[name].flatMap { URLComponents(string: $0) })
                    change(&url)
                    return [name: url.string ?? ""]
                }
                let faults: [(String, [String: String], String)] = [
                    ("broker", try changed("AMQP_URL") { $0.password = "wrong" }, "correct the user and the password"),
                    ("broker", try changed("AMQP_URL") { $0.path = "/nowhere" }, "correct the virtual host"),
                    ("broker", try changed("AMQP_URL") { $0.port = 1 }, "correct host and port in AMQP_URL"),
                    ("database", try changed("DATABASE_URL") { $0.password = "wrong" }, "correct the user"),
                    ("database", try changed("DATABASE_URL") { $0.path = "/nowhere" }, "correct the database"),
                ]
                for (check, environment, fix) in faults {
                    let (status, report, _) = try await examine(system, changing: environment)
                    #expect(status == 1 && report.problems.map(\.check) == [check], "\(report.complaints)")
                    #expect(report.problems.first?.fix?.hasPrefix(fix) == true, "\(report.problems)")
                }
                let unset = Dictionary(
                    uniqueKeysWithValues: ["AMQP_URL", "MQTT_URL", "DATABASE_URL", "MANAGEMENT_URL"].map { ($0, "") })
                let nothing = try await examine(system, changing: unset)
                #expect(nothing.status == 69 || nothing.status == 1, "the usual ports of this machine may be taken")
                let words = nothing.report.problems.compactMap(\.fix).joined()
                #expect(words.contains("AMQP_URL") && words.contains("DATABASE_URL"), "\(nothing.report.problems)")
            }
        }

        @Test func sensorNamesAreCompleted() async throws {
            try await Services.with(replicas: 0) { services in
                let system = services.system
                try await system.store.run("INSERT INTO sensor (serial) VALUES ('lab-1'), ('lab-2'), ('hall-1')")
                let completion = try await system.run(
                    "iotctl",
                    [
                        "---completion", "describe", "sensor", "--", "positional@0", "3", "2", "iotctl", "describe",
                        "sensor", "la",
                    ],
                    changing: ["SAP_SHELL": "bash"])
                #expect(completion.output.split(separator: "\n") == ["lab-1", "lab-2"], "\(completion)")
            }
        }

        @Test func benchMeasuresAndLeavesNothing() async throws {
            try await Services.with(replicas: 1) { services in
                let system = services.system
                let unasked = try await system.run("iotctl", ["bench"])
                #expect(unasked.status == 64 && unasked.errors.contains("--yes") && unasked.output.isEmpty)
                for words in [
                    ["--form", "floats", "--frame", "100"], ["--form", "values", "--rate", "500"],
                    ["--form", "counts", "--backlog"],
                ] {
                    let result = try await system.run(
                        "iotctl",
                        ["bench", "--yes", "--seconds", "1", "--repeats", "2", "--sensors", "7", "-o", "json"] + words,
                        deadline: .seconds(200))
                    #expect(result.status == 0, "\(result.errors)")
                    let report = try #require(
                        try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
                    let median = try #require(report["median"] as? [String: Double])
                    for (name, value) in median { #expect(value > 0, "\(name)") }
                    #expect((report["runs"] as? [Any])?.count == 2)
                    #expect((median["latency_p50_ms"] ?? 0) <= (median["latency_p99_ms"] ?? 0))
                    #expect((median["latency_p50_ms"] == nil) == words.contains("--backlog"))
                }
                try await expectNothingLeft(system)
                // Ctrl-C in the middle cleans up too, and lets the ingesters go on.
                let interruptions: [([String], SQL)] = [
                    ([], "SELECT coalesce(sum(frames), 0) > 10 FROM sensor_boot"),
                    (["--backlog"], "SELECT bool_and(owner LIKE 'iotctl bench%') FROM ingest_partition"),
                ]
                for (words, sign) in interruptions {
                    let interrupted = try system.start(
                        "iotctl", ["bench", "--yes", "--seconds", "60", "--sensors", "5", "--rate", "5k"] + words)
                    try await eventually("it publishes") {
                        try interrupted.expectRunning()
                        return try await system.number("SELECT (\(sign))::int") == 1
                    }
                    interrupted.signal(SIGINT)
                    let end = try await interrupted.end(within: .seconds(60))
                    #expect(end.status == 1 && end.errors.contains("interrupted"), "\(end.errors)")
                    try await expectNothingLeft(system)
                    #expect(
                        try await system.number(
                            "SELECT count(*) FROM ingest_partition WHERE owner LIKE 'iotctl%'") == 0)
                }
            }
        }

        private func expectNothingLeft(_ system: TestSystem) async throws {
            for table in ["sensor", "measurement", "sensor_boot", "latest", "quarantine"] {
                #expect(try await system.number("SELECT count(*) FROM \(identifier: table)") == 0, "\(table)")
            }
            #expect(try await system.number("SELECT count(*) FROM pg_class WHERE relname LIKE 'bench%'") == 0)
            let queues = String(
                decoding: try await TestServers.management("GET", "/api/queues/\(system.name)"),
                as: UTF8.self)
            #expect(!queues.contains("bench"), "\(queues)")
        }
    }
}

/// Takes connections and never says a word.
private enum SilentServer {
    /// URLs that lead there; it lives as long as the process.
    static func environment() throws -> [String: String] {
        let number = try ListeningSocket().port
        return [
            "AMQP_URL": "amqp://a:b@127.0.0.1:\(number)/", "DATABASE_URL": "postgresql://a:b@127.0.0.1:\(number)/x",
            "MANAGEMENT_URL": "",
        ]
    }
}
