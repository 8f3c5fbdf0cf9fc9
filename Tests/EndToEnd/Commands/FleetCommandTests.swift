import Foundation
import Postgres
import Store
import TestSupport
import Testing

extension EndToEnd {
    /// One command line for many sensors: 180 that measure climate, and 20 that vibrate.
    @Suite struct Fleets {
        private static let sensors = 200
        private static let vibrating = 20

        private func withFleet(_ body: (TestSystem) async throws -> Void) async throws {
            try await Services.with(replicas: 1) { services in
                let system = services.system
                let simulator = try system.start(
                    "sensor-simulator",
                    ["--kind", "climatex180", "--kind", "vibration:20x20", "--serial-prefix", "f"])
                try await simulator.ready()
                try await eventually("the sensors are announced") {
                    try await system.number("SELECT count(*) FROM sensor WHERE presence = 'online' AND kind <> ''")
                        == Self.sensors
                }
                do { try await body(system) } catch {
                    print("---- simulator\n\(simulator.errors.suffix(2000))")
                    throw error
                }
                let report = try SimulatorReport(try await simulator.stop())
                try await system.expectExactlyOnce([report])
            }
        }

        /// What `-o json` prints for each sensor.
        private struct Result: Decodable {
            var id: String?
            var sensor: String
            var outcome: String
            var reason: String
            var milliseconds: Int?
        }

        /// What `set -o json` prints for each sensor.
        private struct Desired: Decodable {
            var serial: String
            var outcome: String
            var reason: String
        }

        private func results(_ result: Program.Outcome) throws -> [Result] {
            try JSONDecoder().decode([Result].self, from: Data(result.output.utf8))
        }

        private func commands(_ system: TestSystem) async throws -> Int64 {
            try await system.number("SELECT count(*) FROM command")
        }

        /// iotctl with stdin and stderr on a terminal.
        private struct OnTerminal: Decodable {
            var status: Int32
            var output: String
            var terminal: String

            static func run(_ system: TestSystem, answer: String, _ arguments: [String]) async throws -> OnTerminal {
                let script = TestServers.root.appending(path: "Tests/EndToEnd/Outside/on-terminal.py").path
                let result = try await system.run(
                    "/usr/bin/python3", [script, answer, Program.built("iotctl").path] + arguments,
                    changing: ["TERM": "xterm"])
                guard result.status == 0 else { throw TestServers.Failure("\(result.errors)\(result.output)") }
                return try JSONDecoder().decode(OnTerminal.self, from: Data(result.output.utf8))
            }
        }

        @Test func aFleetObeysOneLine() async throws {
            try await withFleet { system in
                // Nothing is sent by a dry run.
                let plan = try await system.run("iotctl", ["sleep", "-l", "kind=vibration", "--dry-run"])
                #expect(plan.status == 0, "\(plan.errors)")
                #expect(plan.output.split(separator: "\n").count == Self.vibrating + 1)
                #expect(plan.errors == "iotctl: dry run: the command would be sent to 20 sensors; nothing was sent\n")
                let planned = try await system.run(
                    "iotctl", ["change-frequency", "--all", "50", "--dry-run", "-o", "json"])
                #expect(planned.output.components(separatedBy: "\"hertz\": 50").count == Self.sensors + 1)
                #expect(try await commands(system) == 0)

                // Without a terminal --yes is required, and the summary stands for the rows.
                let unconfirmed = try await system.run("iotctl", ["sleep", "--all"])
                #expect(unconfirmed.status == 64 && unconfirmed.output.isEmpty)
                #expect(
                    unconfirmed.complaints == ["iotctl: confirmation required: send sleep to 200 sensors; add --yes"])
                #expect(try await commands(system) == 0)
                let sleep = try await system.run("iotctl", ["sleep", "--all", "--yes", "--timeout", "60s"])
                #expect(sleep.status == 0 && sleep.complaints.isEmpty, "\(sleep.errors)")
                let lines = sleep.output.split(separator: "\n")
                #expect(lines.count == 2 && lines[0].hasPrefix("OUTCOME    SENSORS  MEDIAN MS  MAX MS"))
                #expect(lines[1].hasPrefix("succeeded      200 "), "\(sleep.output)")
                try await eventually("all sleep") {
                    try await system.number("SELECT count(*) FROM sensor WHERE state = 'asleep'") == Self.sensors
                }
                try await eventually("all is on record") {
                    try await system.number("SELECT count(*) FROM command WHERE state = 'succeeded'") == Self.sensors
                }
                let awake = try await system.run(
                    "iotctl", ["awake", "-l", "kind=vibration,state=asleep", "-y", "-o", "json", "--timeout", "60s"])
                #expect(awake.status == 0, "\(awake.errors)")
                let woken = try results(awake)
                #expect(woken.count == Self.vibrating && woken.allSatisfy { $0.outcome == "succeeded" })
                #expect(woken.map(\.sensor) == woken.map(\.sensor).sorted())
            }
        }

        @Test func aFleetThatRefusesIsLeftAlone() async throws {
            try await withFleet { system in
                // Climate sensors sample at 100 Hz at most.
                let line = [
                    "change-frequency", "--all", "--yes", "1000", "--abort-if-failed", "5%", "--timeout", "60s",
                ]
                let refused = try await system.run("iotctl", line + ["-o", "json"])
                #expect(refused.status == 4, "\(refused.errors)")
                let all = try results(refused)
                let skipped = all.filter { $0.outcome == "skipped" }
                let asked = all.filter { $0.outcome != "skipped" }
                #expect(all.count == Self.sensors && !skipped.isEmpty && asked.count >= 100)
                #expect(skipped.allSatisfy { $0.id == nil && $0.milliseconds == nil && $0.reason.contains("not sent") })
                #expect(asked.allSatisfy { $0.id != nil && $0.milliseconds != nil })
                #expect(asked.contains { $0.outcome == "rejected" && $0.reason.contains("too fast") })
                #expect(
                    refused.complaints.count == 1 && refused.complaints[0].hasPrefix("iotctl: stopped: ")
                        && refused.complaints[0].hasSuffix(" not asked"),
                    "\(refused.errors)")
                try await eventually("who was asked is on record") {
                    try await commands(system) == Int64(asked.count)
                }
                let table = try await system.run("iotctl", line)
                let lines = table.output.split(separator: "\n")
                #expect(table.status == 4 && lines.contains { $0.hasPrefix("skipped ") })
                #expect(lines.last?.hasSuffix("more: -o wide shows them") == true && lines.count < 30)
                #expect(lines.allSatisfy { $0.count <= 80 }, "\(table.output)")
            }
        }

        @Test func onATerminalSomebodyIsAskedAndSeesTheWay() async throws {
            try await withFleet { system in
                let no = try await OnTerminal.run(system, answer: "n", ["sleep", "--all"])
                #expect(no.status == 1 && no.output.isEmpty)
                #expect(no.terminal.contains("send sleep to 200 sensors? [y/N]"), "\(no.terminal)")
                #expect(no.terminal.contains("not confirmed: send sleep to 200 sensors; nothing was done"))
                #expect(try await commands(system) == 0)
                let one = try await OnTerminal.run(system, answer: "n", ["sleep", "-l", "serial=f-0001", "-o", "json"])
                #expect(one.status == 0 && !one.terminal.contains("[y/N]"), "\(one.terminal)")
                let yes = try await OnTerminal.run(
                    system, answer: "y",
                    ["sleep", "-l", "kind=vibration", "--max-per-minute", "600", "--timeout", "60s", "-o", "json"])
                #expect(yes.status == 0 && yes.terminal.contains("send sleep to 20 sensors? [y/N]"))
                #expect(
                    yes.terminal.contains("sleep [##") && yes.terminal.contains("/20  succeeded "), "\(yes.terminal)")
                #expect(!yes.output.contains("[#"))
                // 20 sensors at 10 a second.
                let results = try JSONDecoder().decode([Result].self, from: Data(yes.output.utf8))
                #expect(results.count == 20 && results.allSatisfy { $0.outcome == "succeeded" })
                let seconds = try await system.number(
                    """
                    SELECT floor(10 * extract(epoch FROM max(issued_at) - min(issued_at)))::bigint FROM command
                    WHERE serial IN (SELECT serial FROM sensor WHERE kind = 'vibration')
                    """)
                #expect(seconds >= 15, "the last leaves 1.9 s after the first, which may be late itself")
                // Whoever was warned before is not warned again.
                let gone = try await OnTerminal.run(system, answer: "y", ["delete", "sensor", "f-0001"])
                #expect(gone.status == 0 && gone.terminal.contains("delete f-0001 and keep what is stored? [y/N]"))
                #expect(gone.terminal.components(separatedBy: "f-0001 is online; ").count == 2, "\(gone.terminal)")
                let quiet = try await OnTerminal.run(system, answer: "", ["awake", "-l", "kind=vibration", "--yes"])
                #expect(quiet.status == 0 && !quiet.terminal.contains("[y/N]"))
            }
        }

        @Test func whoeverInterruptsLearnsHowFarItCame() async throws {
            try await withFleet { system in
                let sleep = try system.start(
                    "iotctl", ["sleep", "--all", "--yes", "--max-per-minute", "60", "--timeout", "60s", "-o", "json"])
                try await eventually("some sleep") {
                    try await system.number("SELECT count(*) FROM sensor WHERE state = 'asleep'") >= 2
                }
                sleep.signal(SIGINT)
                let result = try await sleep.end()
                #expect(result.status == 1)
                #expect(result.errors.contains("iotctl: interrupted: "), "\(result.errors)")
                #expect(result.errors.contains(" not asked"))
                let all = try results(result)
                let asked = all.filter { $0.outcome != "skipped" }
                #expect(all.count == Self.sensors && (2..<Self.sensors).contains(asked.count))
                try await eventually("who was asked is on record") {
                    try await commands(system) == Int64(asked.count)
                }
            }
        }

        @Test func sensorsAreArranged() async throws {
            try await withFleet { system in
                func run(_ words: String...) async throws -> Program.Outcome {
                    try await system.run("iotctl", words)
                }
                func expect(_ status: Int32, _ part: String, _ words: String...) async throws {
                    let result = try await system.run("iotctl", words)
                    #expect(result.status == status && result.errors.contains(part), "\(words): \(result)")
                    #expect(result.output.isEmpty, "\(words)")
                }
                try await expect(64, "which sensors?", "sleep")
                try await expect(64, "only one of them", "sleep", "f-0001", "--all")
                try await expect(64, "only one of them", "tag", "-l", "kind=x", "--all", "a=b")
                try await expect(64, "'hall in' is not name=value", "sleep", "-l", "hall in")
                try await expect(64, "state is one of", "get", "sensors", "-l", "state=sleepy")
                try await expect(64, "which tags?", "tag", "f-0001")
                try await expect(64, "which properties?", "set", "f-0001")
                try await expect(64, "not a sample rate", "set", "f-0001", "rate=fast")
                try await expect(64, "not a sample rate", "change-frequency", "--all", "fast")
                try await expect(64, "abort-if-failed", "sleep", "--all", "--abort-if-failed", "much")
                try await expect(64, "max-per-minute", "sleep", "--all", "--max-per-minute", "0")
                try await expect(2, "no sensor matches", "sleep", "-l", "kind=gps")
                try await expect(2, "no sensor matches", "get", "sensors", "-l", "hall=3")
                try await expect(2, "did you mean f-0001", "tag", "f-00001", "hall=3")

                let plan = try await run("tag", "-l", "kind=vibration", "hall=3", "--dry-run", "-o", "json")
                #expect(plan.status == 0 && plan.output.components(separatedBy: "\"changed\": true").count == 21)
                #expect(try await system.number("SELECT count(*) FROM sensor WHERE tags <> '{}'") == 0)
                let tag = try await run("tag", "-l", "kind=vibration", "--yes", "hall=3", "machine.maker=Acme")
                #expect(tag.status == 0 && tag.complaints.isEmpty, "\(tag.errors)")
                #expect(tag.output.contains("hall=3,machine.maker=Acme"))
                let tagged = try await run("get", "sensors", "-l", "hall=3,machine.maker", "-o", "json")
                #expect(tagged.output.components(separatedBy: "\"serial\"").count == 21)
                #expect(try await run("tag", "--all", "--yes", "hall-", "machine.maker=null").status == 0)
                #expect(try await system.number("SELECT count(*) FROM sensor WHERE tags <> '{}'") == 0)

                #expect(try await run("target", "add", "press-1", "--description", "left").status == 0)
                try await expect(1, "target press-1 exists already", "target", "add", "press-1")
                try await expect(2, "did you mean press-1", "target", "assign", "pres-1", "f-0001")
                try await expect(64, "add --yes", "target", "assign", "press-1", "-l", "kind=vibration")
                #expect(try await run("target", "assign", "press-1", "-l", "kind=vibration", "--yes").status == 0)
                #expect(try await run("target", "assign", "press-1", "f-0001", "f-0002").status == 0)
                let gone = try await run("target", "unassign", "f-0001", "-o", "json")
                #expect(gone.status == 0 && gone.output.contains("\"target\": null"))
                let there = try await run("get", "sensors", "-l", "target=press-1", "-o", "json")
                #expect(there.output.components(separatedBy: "\"serial\"").count == 22)
                try await expect(64, "add --yes", "target", "rm", "press-1")
                let removed = try await run("target", "rm", "press-1", "--yes")
                #expect(removed.output == "target press-1 removed; 21 sensors without a target\n", "\(removed.errors)")
                try await expect(2, "no target press-1", "target", "rm", "press-1")
            }
        }

        @Test func whatIsWantedOfAFleet() async throws {
            try await withFleet { system in
                func run(_ words: String...) async throws -> Program.Outcome {
                    try await system.run("iotctl", words)
                }
                let plan = try await run("set", "-l", "kind=vibration", "rate=0.01kHz", "--dry-run")
                #expect(plan.status == 0 && plan.output.contains("rate_hz=10 (has 20)"), "\(plan)")
                #expect(plan.output.split(separator: "\n").allSatisfy { $0.count <= 80 })
                #expect(try await system.number("SELECT max(desired_version) FROM sensor") == 0)
                // What they report already.
                let same = try await run("set", "-l", "kind=vibration", "--yes", "rate=20", "--wait", "done")
                #expect(same.status == 0 && same.output.contains("reported       20"), "\(same)")
                let wanted: SQL =
                    "SELECT count(*) FROM sensor WHERE (desired->>'rate_hz')::float8 = 20 AND desired_version = 1"
                #expect(try await system.number(wanted) == Self.vibrating)
                let two = try await run("set", "f-0002", "f-0001", "limits.temperature.high=90", "-o", "json")
                #expect(two.status == 0 && two.complaints.isEmpty, "\(two.errors)")
                let both = try JSONDecoder().decode([Desired].self, from: Data(two.output.utf8))
                #expect(both.map(\.serial) == ["f-0002", "f-0001"] && both.map(\.outcome) == ["changed", "changed"])
                // What they are told by the registry.
                let slower = try await run(
                    "set", "-l", "kind=vibration", "--yes", "rate=10", "--wait", "done", "--timeout", "60s")
                #expect(slower.status == 0 && slower.output.contains("reported       20"), "\(slower)")
                #expect(
                    try await system.number("SELECT count(*) FROM sensor WHERE (reported->>'rate_hz')::float8 = 10")
                        == Self.vibrating)
                // A refusal ends the wait at once. The rate of climate sensors is at most 100 Hz.
                let start = ContinuousClock.now
                let refused = try await run("set", "f-0001", "rate=1000", "--wait", "done", "--timeout", "60s")
                #expect(start.duration(to: .now) < .seconds(50), "the timeout is 60 s")
                #expect(refused.status == 4 && refused.complaints.count == 2, "\(refused.errors)")
                #expect(
                    refused.complaints.first?.hasPrefix("iotctl: f-0001 rejected: 1000 Hz is too fast") == true,
                    "\(refused)")
                #expect(refused.complaints.last?.hasPrefix("iotctl: the properties stay desired; ") == true)
                // The same again: the sensor has refused this version already. Other properties are not refused.
                let again = try await run(
                    "set", "f-0001", "f-0002", "rate=1000", "--wait", "done", "--timeout", "60s", "-o", "json")
                let outcomes = try JSONDecoder().decode([Desired].self, from: Data(again.output.utf8))
                #expect(again.status == 4 && outcomes.map(\.outcome) == ["rejected", "rejected"], "\(again)")
                #expect(outcomes.allSatisfy { $0.reason.contains("too fast") })
                let other = try await run("set", "f-0001", "calibrated=true", "--wait", "done", "--timeout", "60s")
                #expect(other.status == 0, "\(other.errors)")
                // One that never says anything.
                try await system.store.run("INSERT INTO sensor (serial) VALUES ('mute')")
                let mute = try await run("set", "mute", "rate=5", "--wait", "done", "--timeout", "500ms", "-o", "json")
                #expect(mute.status == 3 && mute.errors.contains("stay desired"), "\(mute.errors)")
                let one = try JSONDecoder().decode(Desired.self, from: Data(mute.output.utf8))
                #expect(one.serial == "mute" && one.outcome == "timed_out")
            }
        }
    }
}
