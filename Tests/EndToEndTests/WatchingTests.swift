import Foundation
import Store
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
                let commands = try await startListening(
                    system, ["watch", "commands", "-C", "3", "-W", "60s", "-o", "json"])
                let logs = try await startListening(
                    system, ["logs", "w-0001", "-f", "--limit", "0", "-C", "1", "-W", "60s"])
                let sleep = try await system.run("iotctl", ["sleep", "w-0001", "-o", "json"])
                #expect(sleep.status == 0, "\(sleep.errors)")

                let changed = try await sensors.end(within: .seconds(70))
                let change = try #require(try objects(changed.output).first, "\(changed.errors)")
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
