import Foundation
import Postgres
import TestSupport
import Testing

extension EndToEnd {
    /// What iotctl shows as it happens, with a sensor that runs.
    @Suite struct Watching {
        private func withSensor(_ body: (inout Services, TestSystem) async throws -> Void) async throws {
            try await Services.with(replicas: 1) { services in
                let system = services.system
                let simulator = try system.start(
                    "sensor-simulator", ["--kind", "vibration:1000x1", "--serial-prefix", "w"])
                try await simulator.ready()
                try await eventually("the sensor is announced") {
                    try await system.number("SELECT count(*) FROM sensor WHERE presence = 'online'") == 1
                }
                do { try await body(&services, system) } catch {
                    print("---- simulator\n\(simulator.errors.suffix(2000))")
                    try await simulator.stop()
                    throw error
                }
                try await simulator.stop()
            }
        }

        /// Starts iotctl and waits until it listens: until one more queue of its own is bound to the exchange.
        private func startListening(_ system: TestSystem, _ arguments: [String]) async throws -> Program {
            let path = "/api/exchanges/\(system.name)/sensor_streaming/bindings/source"
            func queues() async throws -> Int {
                let data = try await TestServers.management("GET", path)
                let bindings = try JSONSerialization.jsonObject(with: data) as? [[String: Any]] ?? []
                return Set(bindings.compactMap { $0["destination"] as? String }.filter { $0.hasPrefix("amq.gen") })
                    .count
            }
            let before = try await queues()
            let program = try system.start("iotctl", arguments)
            try await eventually("iotctl listens") {
                try program.expectRunning()
                return try await queues() > before
            }
            return program
        }

        private func number(_ any: Any?) -> Double? { any as? Double ?? (any as? Int).map { Double($0) } }

        private func objects(_ text: String) throws -> [[String: Any]] {
            try text.split(separator: "\n").map {
                try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
            }
        }

        @Test func changesAreShownAsTheyCome() async throws {
            try await withSensor { _, system in
                let sensors = try await startListening(
                    system, ["watch", "sensors", "w-0001", "-C", "1", "-W", "60s", "-o", "json"])
                // The state comes first: after it every change is shown.
                try await eventually("the state is shown") {
                    try sensors.expectRunning()
                    return sensors.output.contains(#""property":"state","before":null,"after":"awake""#)
                }
                let commands = try await startListening(
                    system, ["watch", "commands", "-C", "3", "-W", "60s", "-o", "json"])
                let logs = try await startListening(
                    system, ["logs", "w-0001", "-f", "--limit", "0", "-C", "1", "-W", "60s"])
                let sleep = try await system.run("iotctl", ["sleep", "w-0001", "-o", "json"])
                #expect(sleep.status == 0, "\(sleep.errors)")

                let changed = try await sensors.end(within: .seconds(70))
                let present = try objects(changed.output).dropLast()
                #expect(
                    present.contains { $0["property"] as? String == "presence" && $0["after"] as? String == "online" })
                #expect(present.allSatisfy { $0["before"] is NSNull && $0["sensor"] as? String == "w-0001" })
                let change = try #require(try objects(changed.output).last, "\(changed.errors)")
                #expect(changed.status == 0 && change["property"] as? String == "state", "\(changed.output)")
                #expect(change["before"] as? String == "awake" && change["after"] as? String == "asleep")

                let seen = try await commands.end(within: .seconds(70))
                let events = try objects(seen.output)
                #expect(seen.status == 0 && events.count == 3, "\(seen.output)\(seen.errors)")
                #expect(
                    Set(events.compactMap { $0["event"] as? String }) == ["queued", "delivered", "succeeded"])
                #expect(Set(events.compactMap { $0["id"] as? String }).count == 1)

                let line = try await logs.end(within: .seconds(70))
                #expect(line.status == 0 && line.output.contains("sleep by iotctl"), "\(line.output)\(line.errors)")

                let id = try #require(events[0]["id"] as? String)
                let ended = try await system.run("iotctl", ["wait", "command", id, "--for", "succeeded"])
                #expect(ended.status == 0 && ended.output.contains("delivered"), "\(ended.errors)")
                let asleep = try await system.run("iotctl", ["wait", "sensor", "w-0001", "--for", "state=asleep"])
                #expect(asleep.status == 0, "\(asleep.errors)")
            }
        }

        /// What is so at the start is shown first, of alarms and commands too, and `-C` does not count it.
        @Test func theStateComesFirst() async throws {
            try await withSensor { _, system in
                try await system.store.run(
                    """
                    INSERT INTO alarm (alarm_id, sensor_id, channel, rule, raised_at, value, limit_value, text)
                    SELECT 'a1', sensor_id, 0, 'limit:x:high', now(), 31.25, 30, 'hot' FROM sensor WHERE serial = 'w-0001'
                    """)
                try await system.store.run(
                    """
                    INSERT INTO command (command_id, serial, name, arguments, issuer, state, reason, issued_at, expires_at)
                    VALUES ('6fa459ea-ee8a-3ca4-894e-db77e160355e', 'w-0001', 'awake', '{}', 'me', 'delivered', '',
                            now() - INTERVAL '1 h', now() + INTERVAL '1 h')
                    """)
                for (what, text) in [
                    ("alarms", "active   w-0001  limit:x:high  31.25 (limit 30)"),
                    ("commands", "6fa459ea  w-0001  delivered   awake  by me"),
                ] {
                    let shown = try await system.run("iotctl", ["watch", what, "-W", "1s"])
                    #expect(shown.status == 3 && shown.output.contains(text), "\(what): \(shown)")
                    let changes = try await system.run("iotctl", ["watch", what, "-W", "1s", "--changes-only"])
                    #expect(changes.status == 3 && changes.output.isEmpty, "\(what): \(changes)")
                }
                let sensors = try await system.run("iotctl", ["watch", "sensors", "-W", "1s"])
                #expect(sensors.status == 3 && sensors.output.contains("w-0001  online  awake  1000 Hz"), "\(sensors)")
            }
        }

        /// Lines fit 80 columns; a selector chooses the sensors; `-C` counts frames.
        @Test func aTailShowsOneLineAChannel() async throws {
            try await withSensor { _, system in
                for words in [["w-0001"], ["-l", "kind=vibration"]] {
                    let tail = try await system.run("iotctl", ["tail"] + words + ["-C", "2", "-W", "60s"])
                    let lines = tail.output.split(separator: "\n")
                    #expect(tail.status == 0 && lines.count == 6, "two frames of x, y and z: \(tail)")
                    for line in lines {
                        #expect(line.count <= 80 && line.contains("w-0001  ") && line.hasSuffix("m/s²"), "\(line)")
                        #expect(line.contains(/rms [0-9.]+ +peak [0-9.]+/), "\(line)")
                    }
                }
                let none = try await system.run("iotctl", ["tail", "-l", "kind=climate", "-W", "1s"])
                #expect(none.status == 2 && none.errors.contains("no sensor matches the selector"), "\(none)")
                #expect(try await system.run("iotctl", ["tail"]).status == 64)
            }
        }

        /// Stored lines, then new ones, and none of them twice.
        @Test func aLogThatIsFollowedHasEachLineOnce() async throws {
            try await withSensor { _, system in
                for _ in 0..<3 {
                    #expect(try await system.run("iotctl", ["sleep", "w-0001"]).status == 0)
                    #expect(try await system.run("iotctl", ["awake", "w-0001"]).status == 0)
                }
                let follow = try await startListening(system, ["logs", "w-0001", "-f", "-o", "json"])
                for _ in 0..<3 {
                    #expect(try await system.run("iotctl", ["sleep", "w-0001"]).status == 0)
                    #expect(try await system.run("iotctl", ["awake", "w-0001"]).status == 0)
                }
                try await eventually("all lines are stored") {
                    try await system.number("SELECT count(*) FROM sensor_log WHERE text LIKE '% by iotctl%'") == 12
                }
                let all = try await system.number("SELECT count(*) FROM sensor_log")
                try await eventually("all lines are shown") {
                    try objects(follow.output).count >= all
                }
                follow.signal(SIGINT)
                let result = try await follow.end()
                #expect(result.status == 0, "\(result.errors)")
                #expect(try objects(result.output).count == Int(all), "\(result.output)")
            }
        }

        @Test func partitionsShowRateAndLag() async throws {
            try await withSensor { services, system in
                try await eventually("something is stored") {
                    try await system.number("SELECT count(*) FROM ingest_partition WHERE committed_offset > 20") == 1
                }
                let shown = try await system.run("iotctl", ["get", "partitions", "--look", "2s", "-o", "json"])
                #expect(shown.status == 0 && shown.errors.isEmpty, "\(shown.errors)")
                let partitions = try #require(
                    try JSONSerialization.jsonObject(with: Data(shown.output.utf8)) as? [[String: Any]])
                #expect(partitions.count == 4 && partitions.allSatisfy { $0["lag"] is Int }, "\(shown.output)")
                #expect(partitions.contains { number($0["messages_per_s"]) ?? 0 > 1 }, "\(shown.output)")
                // Without an ingester the lag grows.
                try await services["i1"].stop()
                try await eventually("there is a lag") {
                    let later = try await system.run("iotctl", ["get", "partitions", "--look", "0s", "-o", "json"])
                    let partitions = try JSONSerialization.jsonObject(with: Data(later.output.utf8))
                    return (partitions as? [[String: Any]] ?? []).contains { $0["lag"] as? Int ?? 0 > 10 }
                }
                let top = try await system.run("iotctl", ["top", "--interval", "500ms"])
                #expect(top.status == 0 && top.output.contains("~") && top.output.contains("w-0001"), "\(top.output)")
            }
        }
    }
}
