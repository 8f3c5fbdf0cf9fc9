import Foundation
import Model
import Postgres
import Store
import TestSupport
import Testing
import Time

extension EndToEnd {
    /// A sensor hears its own alarm, and sends its signal around the trigger at full rate.
    @Suite struct EventCapturing {
        /// A recording of 6 s at 1 kHz: a square wave, 3 s at -1 and 3 s at 1, and the number of each sample.
        private static let length = 6000

        private func recording(_ system: TestSystem) throws -> String {
            let lines = (0..<Self.length).map { "\($0 < Self.length / 2 ? -1 : 1),\($0)\n" }
            let file = system.folder.appending(path: "wave.csv")
            try Data(("square,ramp\n" + lines.joined()).utf8).write(to: file)
            return file.path
        }

        /// Services, and a sensor `e-wave` that plays the recording and has a limit that each cycle crosses once.
        private func withWave(
            _ arguments: [String], _ body: (inout Services, TestSystem, Program) async throws -> Void
        ) async throws {
            try await Services.with(replicas: 1) { services in
                let system = services.system
                let simulator = try await start(system, arguments)
                try await eventually("its channels have names") {
                    try await system.number("SELECT count(*) FROM channel WHERE name = 'square'") == 1
                }
                let set = try await system.run("iotctl", ["set", "e-wave", "limits.square.high=0.5"])
                #expect(set.status == 0, "\(set.errors)")
                do { try await body(&services, system, simulator) } catch {
                    print("---- simulator\n\(simulator.errors.suffix(3000))")
                    throw error
                }
            }
        }

        private func start(_ system: TestSystem, _ arguments: [String]) async throws -> Program {
            let simulator = try system.start(
                "sensor-simulator",
                ["--replay", try recording(system), "--replay-rate", "1000", "--serial-prefix", "e"] + arguments)
            try await simulator.ready()
            return simulator
        }

        /// The newest alarms of which `condition` holds.
        private func alarms(_ system: TestSystem, _ condition: SQL) async throws -> [String] {
            try await system.store.fetch(
                "SELECT a.alarm_id AS id FROM alarm a LEFT JOIN alarm_answer w USING (alarm_id) WHERE \(condition) ORDER BY a.raised_at DESC"
            ).map { try $0.text("id") }
        }

        /// The stored samples of a capture, in order of time.
        private func samples(_ system: TestSystem, _ capture: AlarmCapture) async throws -> [Double] {
            let page = try await system.store.sampleRuns(
                of: capture.channel.ofCaptures, from: SampleCursor(capture.from.advanced(bySeconds: -60)),
                to: capture.to, rowsMax: 100_000, samplesMax: .max)
            #expect(page.isLast)
            return page.runs.flatMap { $0.within(capture.from..<capture.to) }.flatMap { run in
                (0..<run.samples.count).map { run.samples[$0] }
            }
        }

        /// A capture that begins 2 s before a rise of the square wave and ends 1 s after it.
        private func expectTheRise(_ system: TestSystem, _ captures: [AlarmCapture]) async throws {
            #expect(captures.map(\.channelName) == ["square", "ramp"])
            for capture in captures {
                #expect(capture.isComplete && capture.samples == 3000 && capture.stored == 3000)
                #expect(capture.rateHertz == 1000 && capture.to.nanoseconds(since: capture.from) == 3_000_000_000)
            }
            let square = try await samples(system, captures[0])
            #expect(square == Array(repeating: -1, count: 2000) + Array(repeating: 1, count: 1000))
            #expect(try await samples(system, captures[1]) == (1000..<4000).map { Double($0) })
        }

        @Test(arguments: ["mqtt", "amqp", "gateway"])
        func theSamplesAroundTheTriggerAreStoredOnceAndExported(transport: String) async throws {
            let arguments = ["--capture-before", "2s", "--capture-after", "1s", "--transport", transport]
            let name = transport == "gateway" ? "e--wave" : "e-wave"
            if transport == "gateway" { return try await overAGateway(arguments, name) }
            try await withWave(arguments) { _, system, simulator in
                try await captures(of: name, system, simulator)
            }
        }

        private func overAGateway(_ arguments: [String], _ name: String) async throws {
            try await Services.with(replicas: 1) { services in
                let system = services.system
                let simulator = try await start(system, arguments)
                try await eventually("its channels have names") {
                    try await system.number("SELECT count(*) FROM channel WHERE name = 'square'") == 1
                }
                #expect(try await system.run("iotctl", ["set", name, "limits.square.high=0.5"]).status == 0)
                try await captures(of: name, system, simulator)
            }
        }

        private func captures(of name: String, _ system: TestSystem, _ simulator: Program) async throws {
            // The first alarm may have been raised anywhere in the wave, where the limit was set.
            try await eventually("two alarms are answered and captured") {
                try simulator.expectRunning()
                return try await alarms(system, "w.outcome = 'succeeded'").count >= 2
            }
            let id = try #require(try await alarms(system, "w.outcome = 'succeeded'").first)
            try await eventually("its capture is complete") {
                let captures = try await system.store.captures(of: id)
                return captures.count == 2 && captures.allSatisfy(\.isComplete)
            }
            let captures = try await system.store.captures(of: id)
            try await expectTheRise(system, captures)
            let answer = try #require(try await system.store.answers(toAlarm: id).first)
            #expect(answer.serial == name && answer.outcome == .succeeded && answer.reason.isEmpty)
            #expect(try #require(answer.answeredAt) > answer.acknowledgedAt)
            #expect(
                try await system.number("SELECT count(*) FROM command") == 0, "answers to alarms are no commands")

            // The channel itself is what it would be without the capture.
            let (from, to) = (captures[0].from, captures[0].to)
            #expect(
                try await system.number("SELECT count(*) FROM samples(\(name), 'ramp', \(from), \(to))") == 3000)
            #expect(try await system.number("SELECT count(*) FROM latest WHERE channel < 0") == 0)

            try await exports(id, system)
            let report = try SimulatorReport(try await simulator.stop())
            try await system.expectExactlyOnce([report])
            #expect(try await system.run("iotctl", ["audit", "--wait", "30s"]).status == 0)
        }

        private func exports(_ id: String, _ system: TestSystem) async throws {
            let file = system.folder.appending(path: "event.wav")
            let wave = try await system.run("iotctl", ["export", "--alarm", id, file.path])
            #expect(wave.status == 0 && !wave.errors.contains("not complete"), "\(wave.errors)")
            for channel in ["square", "ramp"] {
                let data = try Data(contentsOf: system.folder.appending(path: "event-\(channel).wav"))
                let chunk = try #require(data.range(of: Data("data".utf8)))
                let size = data[chunk.upperBound..<chunk.upperBound + 4].reversed().reduce(0) { $0 << 8 | Int($1) }
                #expect(size == 3000 * 4, "before and after at full rate, as floats")
            }
            let text = try await system.run("iotctl", ["export", "--alarm", id, "--channel", "ramp"])
            let values = text.output.split(separator: "\n").filter { !$0.hasPrefix("#") }.dropFirst().compactMap {
                $0.split(separator: ",", omittingEmptySubsequences: false).dropFirst(2).first.flatMap { Double($0) }
            }
            #expect(values == (1000..<4000).map { Double($0) }, "\(text.errors)")

            let several = try await system.run("iotctl", ["export", "--alarm", id])
            #expect(several.status == 64 && several.errors.contains("give --channel or a file: ramp, square"))
            let unknown = try await system.run("iotctl", ["export", "--alarm", id, "--channel", "z"])
            #expect(unknown.status == 2 && unknown.errors.contains("the capture has no channel z: ramp, square"))
            let none = try await system.run("iotctl", ["export", "--alarm", "nosuch", file.path])
            #expect(none.status == 2 && none.errors.contains("there is no alarm nosuch"))
            let mixed = try await system.run("iotctl", ["export", "--alarm", id, file.path, "--from", "1h"])
            #expect(mixed.status == 64 && mixed.errors.contains("--alarm takes neither --from nor --to"))
            let neither = try await system.run("iotctl", ["export", "e-wave", file.path])
            #expect(neither.status == 64 && neither.errors.contains("--from"))
        }

        /// The sensor publishes a hundredth of what it captures; the registry sends the commands that slow it down.
        @Test func aSlowSensorCapturesAtItsFullRate() async throws {
            try await Services.with(replicas: 1) { services in
                let system = services.system
                let simulator = try system.start(
                    "sensor-simulator",
                    [
                        "--kind", "vibration:1000x1", "--serial-prefix", "v", "--capture-before", "1s",
                        "--capture-after", "1s",
                    ])
                try await simulator.ready()
                try await eventually("it is there") {
                    try await system.number("SELECT count(*) FROM channel WHERE name = 'x'") == 1
                }
                let slower = try await system.run("iotctl", ["change-frequency", "v-0001", "10"])
                #expect(slower.status == 0, "\(slower.errors)")
                #expect(try await system.run("iotctl", ["set", "v-0001", "limits.x.high=-100"]).status == 0)
                try await eventually("a complete capture") {
                    guard let id = try await alarms(system, "w.outcome = 'succeeded'").first else { return false }
                    let captures = try await system.store.captures(of: id)
                    return captures.count == 3 && captures.allSatisfy(\.isComplete)
                }
                let id = try #require(try await alarms(system, "w.outcome = 'succeeded'").first)
                for capture in try await system.store.captures(of: id) {
                    #expect(capture.rateHertz == 1000 && (1000...2100).contains(capture.samples), "\(capture)")
                }
                #expect(
                    try await system.number("SELECT count(*) FROM latest WHERE channel = 0 AND sample_rate_hz = 10")
                        == 1)
                try await system.expectExactlyOnce([try SimulatorReport(try await simulator.stop())])
            }
        }

        @Test func whatASensorDoesNotCaptureIsSaid() async throws {
            try await withWave(["--no-capture"]) { _, system, simulator in
                try await eventually("the sensor heard its alarm") {
                    try await alarms(system, "w.acknowledged_at IS NOT NULL").count >= 1
                }
                let id = try #require(try await alarms(system, "w.acknowledged_at IS NOT NULL").first)
                let export = try await system.run("iotctl", ["export", "--alarm", id, "x.wav"])
                #expect(export.status == 2 && export.errors.contains("e-wave heard the alarm, and sent nothing"))
                try await system.store.run(
                    "UPDATE alarm_answer SET outcome = 'rejected', reason = '20 captures within an hour'")
                let rejected = try await system.run("iotctl", ["export", "--alarm", id, "x.wav"])
                #expect(rejected.status == 2 && rejected.errors.contains("e-wave says: 20 captures within an hour"))
                try await simulator.stop()
            }
        }

        /// Killed in the middle, started again: the capture is not complete, and never becomes it.
        @Test func aCaptureOfASensorThatDiesIsNeverComplete() async throws {
            let arguments = ["--capture-before", "2s", "--capture-after", "60s"]
            try await withWave(arguments) { _, system, simulator in
                try await eventually("a capture is under way") {
                    guard let id = try await alarms(system, "w.outcome IS NULL AND w.acknowledged_at IS NOT NULL").last
                    else { return false }
                    return try await system.store.captures(of: id).contains { $0.stored > 0 }
                }
                simulator.signal(SIGKILL)
                _ = try await simulator.end()
                let id = try #require(try await alarms(system, "w.acknowledged_at IS NOT NULL").last)
                let second = try await start(system, arguments)
                try await eventually("the next start captures too") {
                    try await system.number(
                        "SELECT count(*) FROM alarm_capture WHERE boot_id = (SELECT max(boot_id) FROM sensor_boot)") > 0
                }
                let captures = try await system.store.captures(of: id)
                #expect(captures.count == 2)
                for capture in captures {
                    #expect(!capture.isComplete && capture.stored > 0 && capture.samples > capture.stored, "\(capture)")
                }
                #expect(try await system.store.answers(toAlarm: id).first?.outcome != .succeeded)
                let file = system.folder.appending(path: "half.csv").path
                let export = try await system.run("iotctl", ["export", "--alarm", id, "--channel", "ramp", file])
                #expect(export.status == 0 && export.errors.contains("not complete: "), "\(export.errors)")
                try await second.stop()
            }
        }

        /// The broker restarts while frames of a capture are on their way: it is complete, each frame stored once.
        @Test func aCaptureSurvivesARestartOfTheBroker() async throws {
            try await withWave(["--capture-before", "2s", "--capture-after", "8s"]) { _, system, simulator in
                func running() async throws -> [AlarmCapture] {
                    guard let id = try await alarms(system, "w.outcome IS NULL AND w.acknowledged_at IS NOT NULL").first
                    else { return [] }
                    return try await system.store.captures(of: id)
                }
                try await eventually("a capture is under way") {
                    let captures = try await running()
                    return captures.contains { $0.stored > 0 && !$0.isComplete }
                }
                let id = try #require(
                    try await alarms(system, "w.outcome IS NULL AND w.acknowledged_at IS NOT NULL").first)
                try await TestServers.control("restart", "broker")
                try await eventually("the capture is complete") {
                    try simulator.expectRunning()
                    let captures = try await system.store.captures(of: id)
                    return captures.count == 2 && captures.allSatisfy(\.isComplete)
                }
                for capture in try await system.store.captures(of: id) {
                    #expect(capture.stored == capture.samples, "none twice")
                    let samples = try await samples(system, capture)
                    #expect(Int64(samples.count) == capture.samples)
                    if capture.channelName == "ramp" {
                        let first = Int(samples[0])
                        #expect(samples == (0..<samples.count).map { Double((first + $0) % Self.length) })
                    }
                }
                try await eventually("the sensor says so") {
                    try await system.store.answers(toAlarm: id).first?.outcome == .succeeded
                }
                try await system.expectExactlyOnce([try SimulatorReport(try await simulator.stop())])
            }
        }
    }
}
