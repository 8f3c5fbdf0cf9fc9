import Foundation
import Postgres
import TestSupport
import Testing

extension EndToEnd {
    /// What the documentation shows works as shown.
    @Suite struct Examples {
        /// The Python device of the documentation, as it stands.
        @Test func thePythonDeviceIsStored() async throws {
            try await Services.with(replicas: 1) { services in
                let system = services.system
                let script = TestServers.root.appending(path: "examples/device.py").path
                let device = try Program(
                    "/usr/bin/python3", [script, "py-1"], environment: system.environment,
                    log: system.folder.appending(path: "device.log"))
                defer { device.signal(SIGKILL) }
                try await eventually("three readings of two channels are stored; \(device.errors)") {
                    try device.expectRunning()
                    return try await system.number("SELECT count(*) FROM measurement WHERE boot_id IS NULL") >= 6
                }
                #expect(try await system.number("SELECT count(*) FROM quarantine") == 0)
            }
        }

        /// The device that speaks protobuf: announced, numbered, and it obeys.
        @Test func theProtobufDeviceObeys() async throws {
            try await Services.with(replicas: 1) { services in
                let system = services.system
                let script = TestServers.root.appending(path: "examples/device_frames.py").path
                let device = try Program(
                    "/usr/bin/python3", [script, "py-2"], environment: system.environment,
                    log: system.folder.appending(path: "device.log"))
                defer { device.signal(SIGKILL) }
                do {
                    try await eventually("its frames are stored") {
                        try device.expectRunning()
                        return try await system.number("SELECT coalesce(sum(frames), 0) FROM sensor_boot") >= 3
                    }
                } catch {
                    throw TestServers.Failure("\(error); \(device.errors)\(device.output)")
                }
                let serial = try await system.store.fetchOne(
                    "SELECT serial FROM sensor JOIN sensor_boot USING (sensor_id)"
                ).text("serial")
                let sleep = try await system.run("iotctl", ["sleep", serial])
                #expect(sleep.status == 0, "\(sleep.errors)")
                try await eventually("it sleeps") {
                    try await system.number("SELECT count(*) FROM sensor WHERE state = 'asleep'") == 1
                }
                #expect(try await system.number("SELECT count(*) FROM quarantine") == 0)
            }
        }

        private let instance = "demo-test-\(ProcessInfo.processInfo.processIdentifier)"

        /// `make demo`, shorter and with the programs of this build: it reports that nothing is missing, and ends
        /// all that it started.
        @Test func theDemoReports() async throws {
            let demo = try await demonstrate(seconds: 10)
            let result = try await demo.end(within: .seconds(150))
            #expect(result.status == 0, "\(result.errors)\(result.output)")
            #expect(result.output.contains("missing                0 messages               0 samples"))
            #expect(result.output.contains("1 raised, 1 cleared"))
            try await expectTheShownCommandsWork(after: result.output)
            try await expectNothingLeft(of: demo)
        }

        @Test func theDemoEndsWhatItStartedWhenInterrupted() async throws {
            let demo = try await demonstrate(seconds: 60)
            try await eventually("it streams") {
                try demo.expectRunning()
                return demo.output.contains("samples/s")
            }
            demo.signal(SIGINT)
            let result = try await demo.end(within: .seconds(60))
            #expect(result.status == 130, "\(result.errors)")
            try await expectNothingLeft(of: demo)
        }

        /// `make up` and `make down` of another instance than the default: the shown commands work, and nothing is left.
        @Test func upAndDownTakeTheInstance() async throws {
            let instance = "up-test-\(ProcessInfo.processInfo.processIdentifier)"
            let script = TestServers.root.appending(path: "scripts/system").path
            let environment = Self.environment(["INSTANCE": instance, "SENSORS": "2"])
            let up = try await Program.run(script, ["up"], environment: environment, deadline: .seconds(180))
            #expect(up.status == 0 && up.output.contains("`INSTANCE=\(instance) make down` stops it."), "\(up.errors)")
            let commands = try Self.shownCommands(in: up.output, after: "To use it from a shell:\n")
            let shell = (["set -e", "cd \(TestServers.root.path)"] + commands).joined(separator: "\n")
            try await eventually("the shown commands work: \(commands)") {
                let result = try await Program.run("/bin/bash", ["-c", shell])
                return result.status == 0 && result.output.contains("lab-0002") && result.output.contains("x in m/s²: ")
            }
            // All runs: a second `make up` does nothing. A part that has died is started again, and the others go on.
            let second = try await Program.run(script, ["up"], environment: environment)
            #expect(second.status == 1 && second.errors.contains("it runs already"), "\(second.errors)")
            let before = try Self.processes(up.output)
            for name in ["logs-ingester", "sensor-simulator"] {
                let process = try #require(before[name])
                kill(process, SIGKILL)
                try await eventually("\(name) has ended") {
                    let status = try await Program.run(script, ["status"], environment: environment)
                    let lines = status.output.split(separator: "\n")
                    return lines.contains { $0.hasPrefix(name) && $0.contains("has ended") }
                }
            }
            let third = try await Program.run(script, ["up"], environment: environment, deadline: .seconds(180))
            #expect(third.status == 0 && third.output.contains("logs-ingester had ended, and is started again"))
            let after = try Self.processes(third.output)
            for (name, process) in before {
                let isSame = after[name] == process
                #expect(isSame == !["logs-ingester", "sensor-simulator"].contains(name), "\(name): \(third.output)")
            }
            try await expectPsqlReadsAnyFile(instance)
            let down = try await Program.run(script, ["down"], environment: environment)
            #expect(down.status == 0, "\(down.errors)")
            let status = try await Program.run(script, ["status"], environment: environment)
            #expect(status.status == 3 && !status.output.contains("runs, process"), "\(status.output)")
            for folder in [".build/up-\(instance)", ".build/servers/\(instance)"] {
                try FileManager.default.removeItem(at: TestServers.root.appending(path: folder))
            }
        }

        /// The process of each program, as `scripts/system` prints them.
        private static func processes(_ output: String) throws -> [String: pid_t] {
            let found = output.matches(of: /(?m)^(\S+) +runs, process (\d+), http/)
            try #require(found.count == 5, "\(output)")
            return Dictionary(found.map { (String($0.1), pid_t($0.2) ?? 0) }, uniquingKeysWith: { first, _ in first })
        }

        /// `scripts/servers psql` runs in a root of its own, and reads files that are not in the current folder.
        private func expectPsqlReadsAnyFile(_ instance: String) async throws {
            let script = TestServers.root.appending(path: "scripts/servers").path
            let file = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).sql")
            try Data("SELECT 40 + :more;\n".utf8).write(to: file)
            defer { try? FileManager.default.removeItem(at: file) }
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file.path)
            for words in [["-f", file.path], ["-Xf\(file.path)"], ["--file=\(file.path)"], ["--file", file.path]] {
                let psql = try await Program.run(script, ["psql", instance, "-At", "-v", "more=2"] + words)
                #expect(psql.status == 0 && psql.output == "42\n", "\(words): \(psql.errors)")
            }
            let input = try await Program.run(script, ["psql", instance, "-At", "-f", "-"], input: "SELECT 43;")
            #expect(input.output == "43\n", "\(input.errors)")
            let none = try await Program.run(script, ["psql", instance, "-f", "/nowhere.sql"])
            #expect(none.status == 1)
            #expect(none.errors == "scripts/servers: can't read /nowhere.sql: no such file or directory\n")
        }

        private static func environment(_ changes: [String: String]) -> [String: String] {
            let programs = Program.built("iotctl").deletingLastPathComponent().lastPathComponent
            return ProcessInfo.processInfo.environment.merging(["BUILD": programs]) { _, new in new }
                .merging(changes) { _, new in new }
        }

        /// The indented lines behind a title.
        private static func shownCommands(in output: String, after title: String) throws -> [String] {
            let start = try #require(output.range(of: title)?.upperBound)
            return output[start...].split(separator: "\n").prefix { $0.hasPrefix("  ") }.map {
                $0.trimmingCharacters(in: .whitespaces)
            }
        }

        private func demonstrate(seconds: Int) async throws -> Program {
            try Program(
                TestServers.root.appending(path: "scripts/system").path, ["demo"],
                environment: Self.environment(["SECONDS_TO_STREAM": "\(seconds)", "INSTANCE": instance]),
                log: FileManager.default.temporaryDirectory.appending(path: "demo-\(UUID().uuidString)"))
        }

        /// The commands at the end of the output show the stored data, as they stand.
        private func expectTheShownCommandsWork(after output: String) async throws {
            let commands = try Self.shownCommands(in: output, after: "To look at them:\n")
            for word in ["scripts/servers start", "iotctl get sensors", "iotctl plot", "iotctl spectrum", "stop"] {
                #expect(commands.contains { $0.hasPrefix(word) || $0.contains(" \(word)") }, "\(commands)")
            }
            let script = (["set -e", "cd \(TestServers.root.path)"] + commands).joined(separator: "\n")
            let shell = try await Program.run("/bin/bash", ["-c", script])
            #expect(shell.status == 0, "\(script)\n\(shell.errors)")
            #expect(shell.output.contains("x in m/s²: ") && shell.output.contains(", no gaps"), "\(shell.output)")
            #expect(shell.output.contains("⣿") || shell.output.contains("⡇"), "\(shell.output)")
        }

        /// No process of the demo's instance and none of its programs is there any more.
        private func expectNothingLeft(of demo: Program) async throws {
            let status = try await Program.run(
                TestServers.root.appending(path: "scripts/servers").path, ["status", instance])
            #expect(status.status == 3, "\(status.output)")
            let folder = TestServers.root.appending(path: ".build/\(instance)").path
            let processes = try await Program.run(
                "/bin/sh", ["-c", "ls -l /proc/[0-9]*/fd 2>/dev/null | grep -c '\(folder)/'"])
            #expect(processes.output == "0\n")
            for folder in [".build/\(instance)", ".build/servers/\(instance)"] {
                try FileManager.default.removeItem(at: TestServers.root.appending(path: folder))
            }
        }
    }
}
