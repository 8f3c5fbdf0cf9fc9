import Foundation
import Postgres
import TestSupport
import Testing

extension EndToEnd {
    /// Commands, limits and alarms, by the built iotctl as a process: stdout, stderr and exit code apart.
    @Suite struct Control {
        /// A system with sensors that run until the test ends.
        private func withSensors(
            _ arguments: [String], _ body: (inout Services, TestSystem) async throws -> Void
        ) async throws {
            try await Services.with(replicas: 1) { services in
                let system = services.system
                let simulator = try system.start("sensor-simulator", arguments + ["--serial-prefix", "c"])
                try await simulator.ready()
                try await eventually("the sensors are announced") {
                    try await system.number("SELECT count(*) FROM sensor WHERE presence = 'online'") >= 1
                }
                do { try await body(&services, system) } catch {
                    print("---- simulator\n\(simulator.errors.suffix(2000))")
                    try await simulator.stop()
                    throw error
                }
                let report = try SimulatorReport(try await simulator.stop())
                try await system.expectExactlyOnce([report])
            }
        }

        private func state(_ system: TestSystem, _ serial: String) async throws -> String {
            try await system.store.fetchOne("SELECT state FROM sensor WHERE serial = \(serial)").text("state")
        }

        @Test(arguments: ["mqtt", "amqp"])
        func sensorsObeyAndAnswer(_ transport: String) async throws {
            try await withSensors(["--kind", "vibration:1000x2", "--transport", transport]) { _, system in
                let sleep = try await system.run("iotctl", ["sleep", "c-0001", "-o", "json"])
                #expect(sleep.status == 0, "\(sleep.errors)")
                #expect(sleep.output.contains(#""outcome""#) && sleep.output.contains("succeeded"))
                try await eventually("it sleeps") { try await state(system, "c-0001") == "asleep" }
                // Asleep it sends nothing, the other goes on.
                func frames(_ serial: String) async throws -> Int64 {
                    try await system.number(
                        """
                        SELECT coalesce(max(b.next_sequence), 0) FROM sensor_boot b JOIN sensor USING (sensor_id)
                         WHERE serial = \(serial)
                        """)
                }
                let before = try await frames("c-0002")
                let asleep = try await frames("c-0001")
                try await eventually("the other goes on") { try await frames("c-0002") > before + 10 }
                #expect(try await frames("c-0001") <= asleep + 1)

                #expect(try await system.run("iotctl", ["awake", "c-0001"]).status == 0)
                try await eventually("it is awake") { try await state(system, "c-0001") == "awake" }
                #expect(try await system.run("iotctl", ["change-frequency", "c-0001", "c-0002", "250.5"]).status == 0)
                try await eventually("both sample slower") {
                    try await system.number(
                        "SELECT count(*) FROM sensor WHERE (reported->>'rate_hz')::float8 = 250.5") == 2
                }
                try await eventually("rows at the new rate") {
                    try await system.number("SELECT count(*) FROM measurement WHERE sample_rate_hz = 250.5") > 4
                }
                // Their whole life is in `command`, and the sensors said so in their logs.
                do {
                    try await eventually("the audit is complete") {
                        try await system.number(
                            """
                            SELECT count(*) FROM command WHERE state = 'succeeded' AND delivered_at IS NOT NULL
                               AND finished_at IS NOT NULL AND issuer LIKE 'iotctl%'
                            """) == 4
                    }
                } catch {
                    let commands = try await system.store.fetch("SELECT c::text FROM command c ORDER BY issued_at")
                    throw TestServers.Failure("\(error): \(try commands.map { try $0.text("c") })")
                }
                try await eventually("logs") {
                    try await system.number("SELECT count(*) FROM sensor_log WHERE text LIKE 'sleep by iotctl%'") == 1
                }
            }
        }

        @Test func exitCodesSayWhatHappened() async throws {
            try await withSensors(["--kind", "climatex1"]) { _, system in
                let unknown = try await system.run("iotctl", ["sleep", "c-0009"])
                #expect(unknown.status == 2)
                #expect(unknown.errors.contains("c-0001") && unknown.output.isEmpty)
                // A sensor that is known and never answers.
                try await system.store.run("INSERT INTO sensor (serial) VALUES ('mute')")
                let mute = try await system.run("iotctl", ["sleep", "mute", "--timeout", "500ms"])
                #expect(mute.status == 3, "\(mute.errors)")
                // So short that not even the broker's confirm comes in time.
                let hasty = try await system.run("iotctl", ["sleep", "mute", "--timeout", "0.001ms"])
                #expect(hasty.status == 3, "\(hasty.errors)")
                let expired = try await system.run(
                    "iotctl", ["sleep", "mute", "--expires", "300ms", "--timeout", "10s", "-o", "json"])
                #expect(expired.status == 5, "\(expired.errors)")
                try await expectLateAnswer(system, to: expired)
                let rejected = try await system.run("iotctl", ["change-frequency", "c-0001", "1000000"])
                #expect(rejected.status == 4, "\(rejected.errors)")
                #expect(rejected.output.contains("too fast"))
                let negative = try await system.run("iotctl", ["change-frequency", "c-0001", "-5"])
                #expect(negative.status == 64 && negative.errors.hasPrefix("iotctl: not a sample rate: -5; "))
                #expect(negative.errors.split(separator: "\n").count == 1 && negative.output.isEmpty)
                #expect(try await system.run("iotctl", ["slep", "c-0001"]).status == 64)
                #expect(try await system.run("iotctl", ["sleep"]).status == 64)
            }
        }

        /// iotctl says at once that a sensor is offline, and does not wait for it unless it is told to.
        @Test func anOfflineSensorIsNotWaitedFor() async throws {
            try await withSensors(["--kind", "climatex1"]) { _, system in
                try await system.store.run(
                    "INSERT INTO sensor (serial, presence, last_seen) VALUES ('away', 'offline', now() - INTERVAL '6 min')"
                )
                struct Outcome: Decodable {
                    var sensor: String
                    var outcome: String
                    var reason: String
                }
                func outcomes(_ result: Program.Outcome) throws -> [Outcome] {
                    try JSONDecoder().decode([Outcome].self, from: Data(result.output.utf8))
                }
                // The timeout of answers is 10 s.
                let start = ContinuousClock.now
                let away = try await system.run("iotctl", ["sleep", "away", "-o", "json"])
                #expect(start.duration(to: .now) < .seconds(9))
                #expect(away.status == 3)
                #expect(
                    away.complaints.count == 1
                        && away.complaints[0].hasPrefix(
                            "iotctl: away is offline, last seen 6m ago; the command is kept until 20"),
                    "\(away.errors)")
                let unanswered = try outcomes(away)
                #expect(unanswered.map(\.outcome) == ["timed_out"])
                #expect(unanswered.map(\.reason) == ["offline, last seen 6m ago"])
                // The order of the command line, and the worst outcome.
                let both = try await system.run("iotctl", ["sleep", "away", "c-0001", "-o", "json"])
                #expect(both.status == 3 && both.errors.contains("1 of 2 sensors are offline"), "\(both.errors)")
                #expect(try outcomes(both).map(\.sensor) == ["away", "c-0001"])
                #expect(try outcomes(both).map(\.outcome) == ["timed_out", "succeeded"])
                let queued = try await system.run("iotctl", ["sleep", "away", "--wait", "none", "-o", "json"])
                #expect(queued.status == 0 && queued.complaints.count == 1, "\(queued.errors)")
                #expect(try outcomes(queued).map(\.outcome) == ["queued"])
                let waited = try await system.run("iotctl", ["sleep", "away", "--timeout", "500ms", "-o", "json"])
                #expect(waited.status == 3 && waited.errors.contains("waiting at most 500ms"), "\(waited.errors)")
                #expect(waited.errors.contains("no answer: away;"), "\(waited.errors)")
                #expect(
                    try await system.number("SELECT count(*) FROM command WHERE serial = 'away' AND state = 'queued'")
                        == 4)
            }
        }

        /// A lost sensor may return, so iotctl waits for it, says so, and stops when the sensor is offline.
        @Test func aLostSensorIsWaitedForUntilItIsOffline() async throws {
            try await withSensors(["--kind", "climatex1"]) { _, system in
                try await system.store.run(
                    """
                    INSERT INTO sensor (serial, presence, last_seen, lost_at)
                    VALUES ('away', 'lost', now() - INTERVAL '50 s', now() - INTERVAL '40 s')
                    """)
                let start = ContinuousClock.now
                let sleep = try system.start("iotctl", ["sleep", "away"])
                try await eventually("the command is on record") {
                    try await system.number("SELECT count(*) FROM command WHERE serial = 'away'") == 1
                }
                try await system.store.run(
                    "UPDATE sensor SET presence = 'offline', lost_at = NULL WHERE serial = 'away'")
                let result = try await sleep.end()
                #expect(start.duration(to: .now) < .seconds(9), "the timeout of answers is 10 s")
                #expect(result.status == 3 && result.output.contains("timed_out") && result.output.contains("offline"))
                let line = try #require(result.complaints.first)
                #expect(line.hasPrefix("iotctl: away is lost, disconnected 4"), "\(line)")
                #expect(
                    line.contains(" ago; the command is kept until ")
                        && line.hasSuffix("; waiting at most 10s for the answer"))
            }
        }

        /// One that answers after the expiry: what it says in the end is what is kept.
        private func expectLateAnswer(_ system: TestSystem, to result: Program.Outcome) async throws {
            struct Outcome: Decodable { var id: String }
            let outcomes = try JSONDecoder().decode([Outcome].self, from: Data(result.output.utf8))
            let id = try #require(outcomes.first?.id)
            func state() async throws -> String {
                try await system.store.fetchOne("SELECT state FROM command WHERE command_id = \(id)").text("state")
            }
            try await eventually("nobody answered") { try await state() == "expired" }
            let script = TestServers.root.appending(path: "Tests/EndToEnd/Outside/publish.py").path
            let late = try await system.run("/usr/bin/python3", [script, "late-ack", "mute", id])
            try #require(late.status == 0, "\(late.errors)")
            try await eventually("it did it all the same") { try await state() == "succeeded" }
        }

        /// One clear line that names what was tried, without the secret.
        @Test(arguments: [
            ("AMQP_URL", "amqp://iot:topsecret@127.0.0.1:1/"),
            ("AMQP_URL", "amqp://iot:topsecret@no-such-host.invalid/"),
            ("DATABASE_URL", "postgresql://iot:topsecret@127.0.0.1:1/iot"),
            ("DATABASE_URL", "postgresql://iot:topsecret@no-such-host.invalid/iot"),
        ])
        func whatCanNotBeReachedIsNamed(_ variable: String, _ url: String) async throws {
            try await withSensors(["--kind", "climatex1"]) { _, system in
                let result = try await system.run("iotctl", ["sleep", "c-0001"], changing: [variable: url])
                try expectOneLine(result, 69, naming: url.contains("invalid") ? "no-such-host.invalid" : "127.0.0.1")
            }
        }

        @Test func wrongLoginsAreNamed() async throws {
            try await withSensors(["--kind", "climatex1"]) { _, system in
                for variable in ["AMQP_URL", "DATABASE_URL"] {
                    guard var url = URLComponents(string: system.environment[variable] ?? "") else { continue }
                    url.password = "topsecret"
                    let result = try await system.run(
                        "iotctl", ["sleep", "c-0001"], changing: [variable: url.string ?? ""])
                    try expectOneLine(result, 77, naming: "iot")
                }
                guard var url = URLComponents(string: system.environment["DATABASE_URL"] ?? "") else { return }
                url.path = "/nowhere"
                let result = try await system.run(
                    "iotctl", ["get", "sensors"], changing: ["DATABASE_URL": url.string ?? ""])
                try expectOneLine(result, 77, naming: "nowhere")
            }
        }

        private func expectOneLine(_ result: Program.Outcome, _ status: Int32, naming place: String) throws {
            #expect(result.status == status, "\(result.errors)")
            #expect(result.output.isEmpty)
            #expect(result.complaints.count == 1, "\(result.errors)")
            #expect(result.errors.contains(place), "\(result.errors)")
            #expect(!result.errors.contains("topsecret"))
        }

        /// A service with a wrong password keeps trying, says why it is not ready, and never shows the secret.
        @Test func servicesWithAWrongPasswordSayNotReady() async throws {
            try await TestSystem.with { system in
                for (program, variable) in [
                    ("sensor-registry", "DATABASE_URL"), ("logs-ingester", "DATABASE_URL"),
                    ("measurements-ingester", "DATABASE_URL"), ("sensor-simulator", "MQTT_URL"),
                ] {
                    guard var url = URLComponents(string: system.environment[variable] ?? "") else { continue }
                    url.password = "topsecret"
                    let service = try system.start(program, changing: [variable: url.string ?? ""])
                    let address = try await service.http()
                    try await eventually("\(program) says why") {
                        let answer = await TestServers.get(address + "/readyz")
                        return answer?.status == 503 && answer?.body.contains("not connected yet\n") == false
                            || service.errors.contains("trying again")
                    }
                    #expect(await TestServers.get(address + "/readyz")?.status == 503)
                    #expect(await TestServers.get(address + "/livez")?.status == 200)
                    #expect(service.isRunning)
                    #expect(!service.errors.contains("topsecret"))
                    service.signal(SIGTERM)
                    _ = try await service.end(within: .seconds(10))
                }
            }
        }

        @Test func limitsRaiseAndClearAnAlarm() async throws {
            try await withSensors(["--kind", "climatex1"]) { services, system in
                let watch = try system.start("iotctl", ["watch", "alarms", "-C", "2", "-W", "60s", "-o", "json"])
                try await eventually("the channel is known") {
                    try await system.number("SELECT count(*) FROM channel WHERE name = 'temperature'") == 1
                }
                let set = try await system.run(
                    "iotctl", ["set", "c-0001", "limits.temperature.high=-40", "limits.temperature.hysteresis=1"])
                #expect(set.status == 0, "\(set.errors)")
                try await eventually("the alarm is on") {
                    try await system.number(
                        "SELECT count(*) FROM alarm WHERE cleared_at IS NULL AND raised_at IS NOT NULL") == 1
                }
                // A restart of the ingester neither raises it again nor forgets it.
                try await services["i1"].stop()
                try await services.startIngester("i1")
                #expect(try await system.run("iotctl", ["set", "c-0001", "limits.temperature.high=90"]).status == 0)
                try await eventually("the alarm is over") {
                    try await system.number("SELECT count(*) FROM alarm WHERE cleared_at IS NOT NULL") == 1
                }
                #expect(try await system.number("SELECT count(*) FROM alarm") == 1)
                let seen = try await watch.end(within: .seconds(60))
                #expect(seen.status == 0, "\(seen.errors)")
                #expect(seen.output.split(separator: "\n").count == 2)
                let get = try await system.run("iotctl", ["get", "alarms", "-o", "json"])
                #expect(get.output.contains("temperature"))
                #expect(try await system.run("iotctl", ["set", "c-0001", "limits.temperature.high=hot"]).status == 64)
                // Above the high limit that is there: nothing changes.
                let low = try await system.run("iotctl", ["set", "c-0001", "limits.temperature.low=95"])
                #expect(low.status == 64 && low.errors.contains("is above high"), "\(low.errors)")
                #expect(
                    try await system.number(
                        "SELECT count(*) FROM sensor WHERE desired #> '{limits,temperature,low}' IS NOT NULL") == 0)
            }
        }

        /// How a frame is cut into rows says nothing: not to its limits, not to its newest value.
        @Test func aSteadySineAboveItsLimitIsOneAlarm() async throws {
            try await Services.with(replicas: 1) { services in
                let system = services.system
                try await system.store.run(
                    """
                    WITH s AS (INSERT INTO sensor (serial, desired, desired_changed_at)
                               VALUES ('sine', '{"limits": {"x": {"high": 0.5}}}', now()) RETURNING sensor_id)
                    INSERT INTO channel (sensor_id, channel, name) SELECT sensor_id, 0, 'x' FROM s
                    """)
                // The ingester reads limits every two seconds.
                try await services["i1"].stop()
                try await services.startIngester("i1")
                let script = TestServers.root.appending(path: "Tests/EndToEnd/Outside/publish.py").path
                let sent = try await system.run("/usr/bin/python3", [script, "sine", "sine", "1", "200"])
                let start = try #require(
                    try JSONDecoder().decode([String: Int64].self, from: Data(sent.output.utf8))["start"])
                try await eventually("200 frames are stored") {
                    try await system.number("SELECT coalesce(sum(frames), 0) FROM sensor_boot") == 200
                }
                let rows = try await system.number("SELECT count(*) FROM measurement")
                #expect(rows > 200, "no frame was cut")
                try await eventually("the alarm is recorded") {
                    try await system.number("SELECT count(*) FROM alarm") > 0
                }
                // What the ingester published before it is recorded before it, too: a clear would be in the same queue.
                let alarms = try await system.store.fetch("SELECT alarm_id, cleared_at FROM alarm")
                #expect(try alarms.map { try $0.text("alarm_id") } == ["sine/0/high/\(start)"])
                #expect(try alarms[0].optionalText("cleared_at") == nil)
                let published = try await services["i1"].series("iot_ingest_alarms_published_total")
                #expect(published == [#"{edge="trigger"}"#: 1])
            }
        }

        @Test func sensorsCanBeLookedAt() async throws {
            try await withSensors(["--kind", "vibration:1000x1", "--kind", "gpsx1"]) { _, system in
                try await eventually("something is stored") {
                    try await system.number("SELECT count(*) FROM latest") >= 5
                }
                let get = try await system.run("iotctl", ["get", "sensors"])
                #expect(get.status == 0 && get.errors.isEmpty)
                #expect(get.output.split(separator: "\n").count == 3)
                #expect(get.output.split(separator: "\n").allSatisfy { $0.count <= 80 }, "\(get.output)")
                let json = try await system.run("iotctl", ["get", "sensors", "-o", "json"])
                let parsed = try JSONSerialization.jsonObject(with: Data(json.output.utf8))
                #expect(!(parsed is NSNull))
                let describe = try await system.run("iotctl", ["describe", "sensor", "c-0001", "-o", "yaml"])
                #expect(describe.status == 0 && describe.output.contains("vibration"))
                #expect(try await system.run("iotctl", ["describe", "sensor", "nobody"]).status == 2)
                let tail = try await system.run("iotctl", ["tail", "c-0001", "-C", "3", "-W", "20s", "-o", "json"])
                #expect(tail.status == 0, "\(tail.errors)")
                #expect(tail.output.split(separator: "\n").count == 3)
                let nothing = try await system.run("iotctl", ["tail", "nobody", "-W", "300ms"])
                #expect(nothing.status == 3 || nothing.status == 2)
            }
        }
    }
}
