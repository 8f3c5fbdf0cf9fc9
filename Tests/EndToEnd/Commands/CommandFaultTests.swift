import Foundation
import Postgres
import Store
import TestSupport
import Testing

extension EndToEnd {
    /// Commands while something breaks: each keeps its record, and what is due is sent as soon as it can be.
    @Suite struct CommandFaults {
        /// What breaks.
        enum Fault: CaseIterable {
            case registryIsKilled
            case brokerIsKilled
            case connectionsAreClosed
        }

        private func command(_ system: TestSystem, _ id: String) async throws -> Row {
            try await system.store.fetchOne("SELECT * FROM command WHERE command_id = \(id)")
        }

        /// Gives a command, which must be answered with 0.
        /// - Returns: its id.
        private func give(_ system: TestSystem, _ words: String...) async throws -> String {
            struct Outcome: Decodable { var id: String }
            let given = try await system.run("iotctl", words + ["-o", "json"])
            try #require(given.status == 0, "\(given.errors)")
            return try #require(try JSONDecoder().decode([Outcome].self, from: Data(given.output.utf8)).first?.id)
        }

        /// Gives a command as a client that knows only the broker.
        private func giveOutside(_ system: TestSystem, _ serial: String, _ id: String, milliseconds: Int) async throws {
            let script = TestServers.root.appending(path: "Tests/EndToEnd/Outside/publish.py").path
            let given = try await system.run("/usr/bin/python3", [script, "give", serial, id, "\(milliseconds)"])
            try #require(given.status == 0, "\(given.errors)")
        }

        private func kill(_ program: Program) async throws {
            program.signal(SIGKILL)
            _ = try await program.end()
        }

        /// The broker takes no publishes for as long as `body` runs.
        private func whileBlocked(_ body: () async throws -> Void) async throws {
            func set(_ watermark: String) async throws {
                try await TestServers.control("rabbitmqctl", "set_vm_memory_high_watermark", watermark)
            }
            try await set("0.00001")
            do { try await body() } catch {
                try await set("0.4")
                throw error
            }
            try await set("0.4")
        }

        /// The registry has taken a command, and the broker has not confirmed it, when something breaks.
        @Test(arguments: Fault.allCases)
        func aCommandInHandIsSentWithinSeconds(_ fault: Fault) async throws {
            try await Services.with(replicas: 0) { services in
                let system = services.system
                let registry = try services["sensor-registry"]
                try await whileBlocked {
                    try await system.store.run(
                        """
                        INSERT INTO command (command_id, serial, name, state, issued_at, expires_at, send_at)
                        VALUES ('c1', 'a', 'sleep', 'queued', now(), now() + INTERVAL '1 hour', now())
                        """)
                    try await eventually("the registry has it in hand") {
                        try await system.number("SELECT count(*) FROM command WHERE send_at > now()") == 1
                    }
                    switch fault {
                    case .registryIsKilled: try await kill(registry)
                    case .brokerIsKilled: try await TestServers.control("restart", "broker", "--kill")
                    case .connectionsAreClosed:
                        try await TestServers.management("DELETE", "/api/connections/username/iot")
                    }
                }
                if fault == .registryIsKilled { try await services.start("sensor-registry") }
                try await eventually("it is sent", within: .seconds(15)) {
                    try await command(system, "c1").integer("sends") == 1
                }
                #expect(try await command(system, "c1").optionalText("send_at") == nil)
            }
        }

        /// Whatever was down: what iotctl gave can be described from the moment on at which it was given.
        @Test(arguments: Fault.allCases)
        func aCommandThatExpiresUnreadHasItsRecord(_ fault: Fault) async throws {
            try await Services.with(replicas: 0) { services in
                let system = services.system
                try await system.store.run("INSERT INTO sensor (serial) VALUES ('mute')")
                let registry = try services["sensor-registry"]
                if fault == .registryIsKilled || fault == .brokerIsKilled { try await kill(registry) }
                let id = try await give(system, "sleep", "mute", "--wait", "none", "--expires", "1s")
                try await giveOutside(system, "mute", "outside", milliseconds: 1000)
                let described = try await system.run("iotctl", ["describe", "command", id])
                #expect(described.status == 0 && described.output.contains("queued"), "\(described.errors)")
                switch fault {
                case .registryIsKilled: break
                // It expires while the broker is down.
                case .brokerIsKilled: try await TestServers.control("restart", "broker", "--kill")
                case .connectionsAreClosed:
                    try await TestServers.management("DELETE", "/api/connections/username/iot")
                }
                try await eventually("it has expired") {
                    try await system.number(
                        "SELECT count(*) FROM command WHERE command_id = \(id) AND expires_at < now()") == 1
                }
                if !registry.isRunning { try await services.start("sensor-registry") }
                // What only the broker had, and expired while it started, may be gone: its dead-lettering is at most once.
                let outside = fault == .brokerIsKilled ? [] : [("outside", "an outside client")]
                for (id, issuer) in [(id, "iotctl ")] + outside {
                    try await eventually("\(issuer)'s has its end") {
                        try await command(system, id).text("state") == "expired"
                    }
                    let row = try await command(system, id)
                    #expect(try row.text("name") == "sleep" && row.text("issuer").hasPrefix(issuer))
                    #expect(try row.optionalText("expires_at") != nil && row.optionalText("finished_at") != nil)
                    #expect(try row.text("serial") == "mute")
                }
                if !outside.isEmpty {
                    #expect(try await command(system, "outside").text("arguments") == #"{"depth": 2.0}"#)
                }
                #expect(try await system.number("SELECT count(*) FROM quarantine") == 0, "it is no lost message")
                #expect(try await system.run("iotctl", ["describe", "command", id]).status == 0)
            }
        }

        /// The sensor runs it while the registry is away, and it expires in the registry's queue: the row has all of it.
        @Test func aCommandThatWasRunUnseenHasItsRecord() async throws {
            try await Services.with(replicas: 0) { services in
                let system = services.system
                let simulator = try system.start(
                    "sensor-simulator",
                    ["--kind", "climatex1", "--serial-prefix", "c", "--transport", "mqtt"])
                try await simulator.ready()
                try await eventually("it is announced") {
                    try await system.number("SELECT count(*) FROM sensor WHERE presence = 'online'") == 1
                }
                try await kill(try services["sensor-registry"])
                let id = try await give(system, "sleep", "c-0001", "--expires", "3s")
                try await giveOutside(system, "c-0001", "outside", milliseconds: 3000)
                try await eventually("both have expired") {
                    try await system.number(
                        "SELECT count(*) FROM command WHERE command_id = \(id) AND expires_at < now() - INTERVAL '1 s'")
                        == 1
                }
                try await services.start("sensor-registry")
                for (id, issuer) in [(id, "iotctl "), ("outside", "an outside client")] {
                    try await eventually("\(issuer)'s row is complete") {
                        let row = try await command(system, id)
                        return try row.text("state") == "succeeded" && row.text("name") == "sleep"
                    }
                    let row = try await command(system, id)
                    #expect(try row.text("issuer").hasPrefix(issuer) && row.optionalText("expires_at") != nil)
                    #expect(try row.optionalText("delivered_at") != nil && row.optionalText("finished_at") != nil)
                }
                _ = try await simulator.stop()
            }
        }

        /// A registry that is killed again and again while it stores what fitted nowhere stores all of it, once.
        @Test func aKilledRegistryQuarantinesOnce() async throws {
            try await Services.with(replicas: 0) { services in
                let system = services.system
                let registry = try services["sensor-registry"]
                // The commit stands still between its statement and its end, so that the kill falls behind it.
                try await system.store.run(
                    """
                    CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS
                    $$ BEGIN PERFORM pg_sleep(3); RETURN NULL; END $$
                    """)
                try await system.store.run(
                    """
                    CREATE CONSTRAINT TRIGGER slowly AFTER INSERT ON quarantine DEFERRABLE INITIALLY DEFERRED
                    FOR EACH ROW EXECUTE FUNCTION slowly()
                    """)
                let script = TestServers.root.appending(path: "Tests/EndToEnd/Outside/publish.py").path
                let sent = try await system.run("/usr/bin/python3", [script, "unroutable"])
                try #require(sent.status == 0, "\(sent.errors)")
                try await eventually("a commit is under way") {
                    try await system.number(
                        """
                        SELECT count(*) FROM pg_stat_activity
                         WHERE datname = current_database() AND query LIKE '%COMMIT%' AND state = 'active'
                           AND pid <> pg_backend_pid()
                        """) >= 1
                }
                try await kill(registry)
                // The server ends the commit that it began, although the client has gone.
                try await eventually("it is committed") {
                    try await system.number("SELECT count(*) FROM quarantine") >= 1
                }
                try await system.store.run("DROP TRIGGER slowly ON quarantine")
                try await services.start("sensor-registry")
                // Four fitted nowhere; three were refused by the registry and the logs-ingester.
                try await eventually("all are there") {
                    try await system.number("SELECT count(*) FROM quarantine WHERE source <> 'measurements.0'") >= 7
                }
                try await giveOutside(system, "a.b", "last", milliseconds: 60_000)
                try await eventually("the queues are empty") {
                    try await system.number("SELECT count(*) FROM quarantine WHERE routing_key LIKE '%a.b.commands%'")
                        == 1
                }
                let doubled = try await system.store.fetch(
                    """
                    SELECT routing_key FROM quarantine
                     GROUP BY routing_key, source, received_at, hash HAVING count(*) > 1
                    """)
                #expect(try doubled.map { try $0.text("routing_key") } == [])
            }
        }
    }
}
