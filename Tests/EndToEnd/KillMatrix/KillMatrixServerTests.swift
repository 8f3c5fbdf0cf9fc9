import Foundation
import Postgres
import TestSupport
import Testing

extension EndToEnd.KillMatrix {
    /// The servers themselves die, come back, or come back older.
    @Suite struct Servers {
        @Test func serversDieAndComeBack() async throws {
            try await Arena.with { arena in
                try await meet("database SIGKILL", &arena) { arena in
                    await arena.system.store.close()
                    try await TestServers.control("restart", "database", "--kill")
                }
                try await meet("broker SIGKILL", &arena) { arena in
                    try await placement(arena) { try await TestServers.control("restart", "broker", "--kill") }
                }
                try await meet("broker restarted", &arena) { arena in
                    try await placement(arena) { try await TestServers.control("restart", "broker") }
                }
                try await meet("all connections closed by the broker", &arena) { arena in
                    for _ in 1...2 {
                        try await TestServers.management("DELETE", "/api/connections/username/iot")
                        let before = try await arena.committed(nil)
                        try await eventually("frames flow again") { try await arena.committed(nil) > before + 20 }
                    }
                }
                try await meet("older database", &arena) { arena in try await older(&arena) }
                try await arena.expectAllOnce()
            }
        }

        /// One case: load over MQTT and AMQP, the fault, more load, and the comparison.
        private func meet(
            _ name: String, _ arena: inout Arena, _ fault: (inout Arena) async throws -> Void
        ) async throws {
            let passed = await matrixCase(name) {
                try await arena.balanced(within: .seconds(30))
                let prefix = name.replacing(" ", with: "-")
                let mqtt = try await arena.simulate("\(prefix)-m")
                let amqp = try await arena.simulate("\(prefix)-a", transport: "amqp")
                let begin = ContinuousClock.now
                do {
                    try await fault(&arena)
                    for kind in ["m", "a"] {
                        let before = try await arena.frames("\(prefix)-\(kind)")
                        try await eventually("frames of \(prefix)-\(kind) flow again") {
                            try await arena.frames("\(prefix)-\(kind)") > before + 100
                        }
                    }
                } catch {
                    for simulator in [mqtt, amqp] {
                        simulator.signal(SIGKILL)
                        print("---- simulator\n\(simulator.errors.suffix(3000))")
                    }
                    throw error
                }
                let took = begin.duration(to: .now)
                let mqttReturns = try await mqtt.metric("iot_simulator_returned_total")
                let amqpReturns = try await amqp.metric("iot_simulator_returned_total")
                try await arena.expectOnce("\(prefix)-m", mqtt)
                try await arena.expectOnce("\(prefix)-a", amqp)
                return "flows again after \(took.inSeconds), "
                    + "sent again \(Int(mqttReturns)) MQTT, \(Int(amqpReturns)) AMQP"
            }
            if !passed {
                print(arena.logs)
                try await arena.recover(["i1", "i2"])
            }
        }

        /// The same sensor's frames go to the same stream before and after `restart`.
        private func placement(_ arena: Arena, _ restart: () async throws -> Void) async throws {
            let count: SQL = "SELECT count(*) FROM quarantine"
            let before = try await arena.system.number(count)
            try await arena.publish("junk")
            try await restart()
            // What was published last may have to wait for its stream.
            try await eventually("the broker takes messages") {
                try await arena.publish("junk")
                return true
            }
            try await eventually("all are in quarantine") { try await arena.system.number(count) >= before + 200 }
            let moved = try await arena.system.number(
                """
                SELECT count(*) FROM (SELECT routing_key FROM quarantine GROUP BY routing_key
                                      HAVING count(DISTINCT source) > 1) moved
                """)
            try demand(moved == 0, "\(moved) of 100 keys go to another stream")
        }

        /// The database falls back to an older state; the streams still hold all that came since.
        private func older(_ arena: inout Arena) async throws {
            let data = TestServers.root.appending(path: ".build/servers/\(TestServers.instance ?? "")/database/data")
            let copy = arena.system.folder.appending(path: "data")
            try await arena.withoutDatabase {
                try await TestServers.run("/bin/cp", "-a", data.path, copy.path)
            }
            let before = try await arena.committed(nil)
            try await eventually("more is stored") { try await arena.committed(nil) > before + 200 }
            let newer = try await arena.committed(nil)
            try await arena.withoutDatabase {
                try await TestServers.run("/bin/rm", "-r", data.path)
                try await TestServers.run("/bin/cp", "-a", copy.path, data.path)
                try await TestServers.run("/bin/rm", "-r", copy.path)
            }
            try await eventually("what was stored before is stored again") {
                try await arena.committed(nil) >= newer
            }
        }
    }
}

extension Arena {
    /// Runs `body` while the replicas and the database are stopped.
    fileprivate mutating func withoutDatabase(_ body: () async throws -> Void) async throws {
        for replica in ["i1", "i2"] { _ = try await stop(replica) }
        await system.store.close()
        try await TestServers.control("stop", "database")
        try await body()
        try await TestServers.control("start", "database")
        for replica in ["i1", "i2"] { try await start(replica) }
    }
}
