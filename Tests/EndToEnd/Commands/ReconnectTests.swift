import Foundation
import Postgres
import TestSupport
import Testing

extension EndToEnd {
    /// Sensors that were away: what they get when they return, and what is said of them meanwhile.
    @Suite struct Returning {
        private func sensor(_ system: TestSystem, _ arguments: [String] = []) async throws -> Program {
            let simulator = try system.start(
                "sensor-simulator",
                ["--kind", "climate:20x1", "--transport", "mqtt", "--serial-prefix", "r"] + arguments)
            try await simulator.ready()
            return simulator
        }

        private func presence(_ system: TestSystem, _ word: String) async throws -> Int64 {
            try await system.number("SELECT count(*) FROM sensor WHERE presence = \(word)")
        }

        private func command(_ system: TestSystem, _ id: String) async throws -> Row {
            try await system.store.fetchOne("SELECT * FROM command WHERE command_id = \(id)")
        }

        /// Gives a command and does not wait for it.
        private func give(_ system: TestSystem, _ words: String...) async throws -> String {
            struct Outcome: Decodable { var id: String }
            let given = try await system.run("iotctl", words + ["--wait", "none", "-o", "json"])
            try #require(given.status == 0, "\(given.errors)")
            let outcomes = try JSONDecoder().decode([Outcome].self, from: Data(given.output.utf8))
            return try #require(outcomes.first?.id)
        }

        /// Its MQTT session is gone, as after more than a day, and the registry dies in between.
        @Test func aSensorThatReturnsGetsWhatIsStillValid() async throws {
            try await Services.with(replicas: 1) { services in
                let system = services.system
                let first = try await sensor(system)
                try await eventually("it is there") { try await presence(system, "online") == 1 }
                _ = try await first.stop()
                try await eventually("it said good-bye") { try await presence(system, "offline") == 1 }

                let valid = try await give(system, "change-frequency", "r-0001", "5", "--expires", "2h")
                let short = try await give(system, "sleep", "r-0001", "--expires", "1s")
                #expect(try await system.run("iotctl", ["set", "r-0001", "location.name=Hall 3"]).status == 0)
                try await eventually("both are known") {
                    try await system.number("SELECT count(*) FROM command WHERE name <> ''") == 2
                }
                try await TestServers.management(
                    "DELETE", "/api/queues/\(system.name)/mqtt-subscription-r-0001qos1")
                let registry = try services["sensor-registry"]
                registry.signal(SIGKILL)
                _ = try await registry.end()
                try await services.start("sensor-registry")
                try await eventually("the short one has expired") {
                    try await command(system, short).text("state") == "expired"
                }

                let second = try await sensor(system)
                try await eventually("it ran what is valid") {
                    try await command(system, valid).text("state") == "succeeded"
                }
                try await eventually("it has what is wanted") {
                    try await system.number(
                        """
                        SELECT count(*) FROM sensor WHERE reported->'location'->>'name' = 'Hall 3'
                           AND (reported->>'rate_hz')::float8 = 5 AND state = 'awake'
                        """) == 1
                }
                #expect(try await command(system, short).text("state") == "expired")
                #expect(try await command(system, valid).integer("sends") == 1)
                // While it is there it gets its delta at once, and another boot gets it again.
                #expect(try await system.run("iotctl", ["set", "r-0001", "rate_hz=8"]).status == 0)
                try await eventually("the new rate") {
                    try await system.number(
                        "SELECT count(*) FROM sensor WHERE (reported->>'rate_hz')::float8 = 8") == 1
                }
                _ = try await second.stop()
                let third = try await sensor(system)
                try await eventually("the next boot has all of it") {
                    try await system.number(
                        """
                        SELECT count(*) FROM sensor WHERE reported->'location'->>'name' = 'Hall 3'
                           AND (reported->>'rate_hz')::float8 = 8
                           AND boot_id = (SELECT max(boot_id) FROM boot_announcement)
                        """) == 1
                }
                #expect(
                    try await system.number("SELECT count(*) FROM command WHERE state <> 'succeeded'") == 1,
                    "only the one that expired")
                _ = try await third.stop()
            }
        }

        /// Given while the sensor is away: the broker keeps a copy, and the registry sends another. It runs once.
        @Test func aCommandThatComesTwiceIsRunOnce() async throws {
            try await Services.with(replicas: 1) { services in
                let system = services.system
                let first = try await sensor(system)
                try await eventually("it is there") { try await presence(system, "online") == 1 }
                first.signal(SIGKILL)
                _ = try await first.end()
                try await eventually("its Last Will came") { try await presence(system, "lost") == 1 }
                let id = try await give(system, "change-frequency", "r-0001", "5", "--expires", "2h")
                try await eventually("it is known") {
                    try await system.number("SELECT count(*) FROM command WHERE name <> ''") == 1
                }
                // The registry's copy goes behind the one that the broker keeps for it.
                try await system.store.run("UPDATE command SET send_at = now()")
                try await eventually("the registry sent it too") {
                    try await command(system, id).optionalText("sent_at") != nil
                }
                let second = try await sensor(system)
                try await eventually("it has run") { try await command(system, id).text("state") == "succeeded" }
                let lines: SQL = "SELECT count(*) FROM sensor_log WHERE text LIKE 'change_sample_frequency by%'"
                try await eventually("it says so") { try await system.number(lines) >= 1 }
                // A later command's line stands behind all lines of the first.
                #expect(try await system.run("iotctl", ["sleep", "r-0001"]).status == 0)
                try await eventually("the later line") {
                    try await system.number("SELECT count(*) FROM sensor_log WHERE text LIKE 'sleep by%'") == 1
                }
                #expect(try await system.number(lines) == 1)
                _ = try await second.stop()
            }
        }

        /// eclipse-hono/hono#3655: a thousand that are killed at once are all lost, and all there when they return.
        @Test func aThousandSensorsAreLostAtOnce() async throws {
            try await Services.with(replicas: 1) { services in
                let system = services.system
                let fleet = ["--kind", "climate:0.1x1000", "--transport", "mqtt", "--serial-prefix", "k"]
                let first = try system.start("sensor-simulator", fleet)
                try await eventually("all are there", within: .seconds(120)) {
                    try await presence(system, "online") == 1000
                }
                first.signal(SIGKILL)
                _ = try await first.end()
                try await eventually("all are lost", within: .seconds(120)) {
                    try await presence(system, "lost") == 1000
                }
                let second = try system.start("sensor-simulator", fleet)
                try await eventually("all are back", within: .seconds(120)) {
                    try await presence(system, "online") == 1000
                }
                #expect(try await system.number("SELECT count(*) FROM sensor WHERE lost_at IS NOT NULL") == 0)
                // The broker closes all connections: nobody is offline for that, and all come back.
                try await TestServers.management("DELETE", "/api/connections/username/iot")
                try await eventually("all have a new connection", within: .seconds(120)) {
                    try await system.number(
                        "SELECT count(*) FROM sensor WHERE presence = 'online' AND connection > 1") == 1000
                }
                _ = try await second.stop(within: .seconds(60))
                try await eventually("all said good-bye") {
                    try await system.number("SELECT count(*) FROM sensor WHERE state = 'stopped'") == 1000
                }
            }
        }

        /// What was refused for want of a connection must not keep the link from hearing that it broke.
        @Test func connectionsThatAreClosedAgainAndAgainComeBack() async throws {
            try await Services.with(replicas: 1) { services in
                let system = services.system
                let simulator = try system.start(
                    "sensor-simulator",
                    ["--kind", "vibration:200x12", "--transport", "mqtt", "--serial-prefix", "h"])
                try await simulator.ready()
                for round in 1...4 {
                    try await TestServers.management("DELETE", "/api/connections/username/iot")
                    let before = try await simulator.metric("iot_simulator_frames_confirmed")
                    try await eventually("frames flow again, \(round)") {
                        try await simulator.metric("iot_simulator_frames_confirmed") > before + 100
                    }
                    try await eventually("all are connected, \(round)") {
                        try await simulator.metric("iot_simulator_sensors_online") == 12
                    }
                }
                try await system.expectExactlyOnce([SimulatorReport(try await simulator.stop())])
            }
        }
    }
}
