import Model
import Postgres
import Service
import Store
import TestSupport
import Testing
import Time

extension Integration {
    /// Commands that are sent again, deltas of twins, presence: what the registry concludes from its tables.
    @Suite struct Commanding {
        private func migrated(_ body: (TestSystem) async throws -> Void) async throws {
            try await TestSystem.with { system in
                try await Migrations.apply(to: system.store)
                try await body(system)
            }
        }

        private func announcement(
            _ name: String = "a", boot: Int64 = 1, connection: Int64 = 1, state: Announcement.State = .awake,
            hertz: Double = 1000, properties: [String: Command.Value] = [:], ago: Int64 = 0
        ) throws -> RegistryMessage {
            .announcement(
                Received(
                    serial: try serial(name), received: .now.advanced(bySeconds: -ago),
                    content: Announcement(
                        boot: boot, connection: connection, kind: "climate", firmware: "1", state: state,
                        rate: SampleRate(hertz: hertz), nextSequence: 0, framesDropped: 0, channels: [], at: nil,
                        properties: properties)))
        }

        private func command(
            _ id: String, for name: String = "a", valid seconds: Int64 = 60,
            _ arguments: [String: Command.Value] = [:]
        ) throws -> RegistryMessage {
            .command(
                Received(
                    serial: try serial(name), received: .now,
                    content: Command(
                        id: id, name: "sleep", arguments: arguments, issued: .now,
                        expires: .now.advanced(bySeconds: seconds), issuer: "me")))
        }

        private func ack(_ id: String, _ outcome: Ack.Outcome, from name: String = "a") throws -> RegistryMessage {
            .ack(Received(serial: try serial(name), received: .now, content: Ack(id: id, outcome: outcome, at: nil)))
        }

        /// What would be sent when its pause has passed.
        private func due(_ system: TestSystem) async throws -> [CommandToSend] {
            try await system.store.run("UPDATE command SET send_at = now() WHERE send_at IS NOT NULL")
            return try await system.store.takeCommandsToSend(atMost: 100).commands.sorted {
                $0.command.id < $1.command.id
            }
        }

        /// eclipse-hono/hono#17, thingsboard/thingsboard#11642: what is still valid is sent to a sensor that returns, what
        /// has expired, ended or was taken back never is.
        @Test func whatIsStillValidIsSentToASensorThatReturns() async throws {
            try await migrated { system in
                let arguments: [String: Command.Value] = [
                    "hertz": .number(0.1), "name": .text("a, b \"c\" \\ é"), "empty": .text(""), "on": .flag(true),
                ]
                try await system.store.record([try announcement(), try announcement("b")])
                try await system.store.record([
                    try command("valid", arguments),
                    try command("expired", valid: -1), try command("ended"), try ack("ended", .succeeded),
                    try command("begun"), try ack("begun", .received), try command("cancelled"),
                    try command("other", for: "b"),
                ])
                try await system.store.run("UPDATE command SET state = 'cancelled' WHERE command_id = 'cancelled'")
                #expect(try await due(system).isEmpty, "the sensor is there")
                try await system.store.record([try announcement()])
                #expect(try await due(system).isEmpty, "the same connection")

                try await system.store.record([try announcement(connection: 2)])
                #expect(
                    try await system.number("SELECT count(*) FROM command WHERE send_at > now()") == 2,
                    "what the broker kept for it comes first")
                let sent = try await due(system)
                #expect(sent.map(\.command.id) == ["begun", "valid"])
                #expect(sent.last?.command.arguments == arguments && sent.last?.serial.text == "a")
                #expect(sent.last?.command.issuer == "me" && sent.last?.command.name == "sleep")

                // Taken is taken, but not for ever: whoever took it may have died.
                #expect(try await system.store.takeCommandsToSend(atMost: 100).commands.isEmpty)
                #expect(try await due(system).count == 2)
                try await system.store.sent(["begun", "valid"], taken: .now)
                #expect(try await due(system).isEmpty)
                // An answer ends the waiting too.
                try await system.store.record([try announcement(boot: 2), try ack("valid", .succeeded)])
                #expect(try await due(system).map(\.command.id) == ["begun"])
                #expect(try await system.number("SELECT sends FROM command WHERE command_id = 'valid'") == 1)
            }
        }

        /// A command that the registry cannot read, and one that no broker takes, hold up no other command.
        @Test(
            arguments: [
                #"SET arguments = '{"hall": {"name": "3"}}'"#, "SET arguments = '[1]'", "SET arguments = '7'",
                "SET serial = 'a.b'",
            ])
        func aCommandThatCannotBeDecodedFails(change: String) async throws {
            try await migrated { system in
                let store = system.store
                try await store.record([try announcement()])
                try await store.record([try command("c1"), try command("c2"), try command("c3")])
                try await store.transaction { session in
                    try session.execute("UPDATE command \(change) WHERE command_id = 'c2'")
                }
                try await store.run("UPDATE command SET send_at = now()")
                let taken = try await store.takeCommandsToSend(atMost: 100)
                #expect(taken.commands.map(\.command.id).sorted() == ["c1", "c3"])
                #expect(taken.failed.map(\.id) == ["c2"])
                let failed = try await store.fetchOne(
                    "SELECT state, reason, finished_at, send_at IS NULL AS rests FROM command WHERE command_id = 'c2'")
                #expect(try failed.text("state") == "failed" && failed.flag("rests"))
                #expect(try failed.text("reason").hasPrefix("its row cannot be decoded: column "))
                #expect(try failed.text("reason") == taken.failed.first?.reason)
                #expect(try failed.optionalText("finished_at") != nil)
            }
        }

        /// Nor does it keep the commands beside it from expiring.
        @Test func anExpiredCommandThatCannotBeDecodedFails() async throws {
            try await migrated { system in
                let store = system.store
                try await store.record([try announcement()])
                try await store.record([try command("c1", valid: -100), try command("c2", valid: -100)])
                try await store.run("UPDATE command SET serial = 'a.b' WHERE command_id = 'c2'")
                #expect(try await store.expireCommands() == 2)
                #expect(try await system.number("SELECT count(*) FROM command WHERE state = 'expired'") == 1)
                #expect(
                    try await system.number(
                        "SELECT count(*) FROM command WHERE state = 'failed' AND reason LIKE '%a.b%'")
                        == 1)
            }
        }

        /// What the broker did not confirm is due again at once, and no such attempt counts.
        @Test func whatWasNotConfirmedIsDueAgainAtOnce() async throws {
            try await migrated { system in
                try await system.store.record([try announcement()])
                try await system.store.record([try command("c1"), try command("c2"), try command("c3")])
                try await system.store.run("UPDATE command SET send_at = now()")
                for _ in 1...3 {
                    let taken = try await system.store.takeCommandsToSend(atMost: 100).commands
                    #expect(taken.map(\.command.id).sorted() == ["c1", "c2", "c3"])
                    #expect(
                        try await system.store.takeCommandsToSend(atMost: 100).commands.isEmpty, "they are reserved")
                    try await system.store.giveBack(taken.map(\.command.id))
                }
                #expect(
                    try await system.number("SELECT count(*) FROM command WHERE sends > 0 OR sent_at IS NOT NULL") == 0)

                // One is confirmed, one was cancelled and one answered meanwhile: nothing of them is sent again.
                let taken = try await system.store.takeCommandsToSend(atMost: 100).commands
                _ = try await system.store.cancelCommands(["c2"], reason: "a test")
                try await system.store.record([try ack("c3", .succeeded)])
                try await system.store.sent(["c1"], taken: try #require(taken.first).taken)
                try await system.store.giveBack(["c1", "c2", "c3"])
                #expect(try await due(system).isEmpty)
                #expect(
                    try await system.number(
                        "SELECT count(*) FROM command WHERE sends = 1 AND sent_at <= now() AND command_id = 'c1'") == 1)
                #expect(try await system.number("SELECT count(*) FROM command WHERE sends = 0") == 2)
            }
        }

        /// A registry that died with commands in hand keeps them from nobody for longer than the reservation.
        @Test func aReservationEndsByItself() async throws {
            try await migrated { system in
                try await system.store.record([try announcement(), try command("c1")])
                try await system.store.run("UPDATE command SET send_at = now()")
                #expect(try await system.store.takeCommandsToSend(atMost: 1).commands.count == 1)
                #expect(
                    try await system.number(
                        "SELECT count(*) FROM command WHERE send_at BETWEEN now() AND now() + INTERVAL '5 s'") == 1)
                try await eventually("it is due again", within: .seconds(20)) {
                    try await system.store.takeCommandsToSend(atMost: 1).commands.count == 1
                }
            }
        }

        @Test func commandsThatNobodyAnswersEnd() async throws {
            try await migrated { system in
                try await system.store.record([
                    try announcement(), try command("c1", valid: -4), try command("c2", valid: -6),
                    try command("c3", valid: -50), try ack("c3", .received), try command("c4", valid: 60),
                ])
                try await system.store.run(
                    """
                    INSERT INTO command (command_id, serial, name, state, issued_at, expires_at, delivered_at)
                    VALUES ('c5', 'a', 'sleep', 'delivered', now() - INTERVAL '1 hour', now() - INTERVAL '2 min',
                            now() - INTERVAL '61 s')
                    """)
                #expect(try await system.store.expireCommands() == 2)
                #expect(try await system.store.expireCommands() == 0)
                let rows = try await system.store.fetch("SELECT state, finished_at FROM command ORDER BY command_id")
                #expect(
                    try rows.map { try $0.text("state") } == ["queued", "expired", "delivered", "queued", "timed_out"])
                #expect(
                    try rows.map { try $0.optionalText("finished_at") != nil } == [false, true, false, false, true])
            }
        }

        /// eclipse-ditto/ditto#125: what is wanted and not there is asked for at once, once for each version and boot.
        @Test func aTwinsDeltaBecomesCommands() async throws {
            try await migrated { system in
                func want(_ json: String) async throws {
                    _ = try await system.store.changeDesired(of: ["a"]) { _ in json }
                }
                try await system.store.record([try announcement()])
                #expect(try await system.store.queueDeltas() == 0)
                try await want(
                    #"{"rate_hz": 500, "location": {"name": "Hall 3", "floor": 2}, "on": true, "limits": {"x": {"high": 1}}}"#
                )
                #expect(try await system.store.queueDeltas() == 1)
                #expect(try await system.store.queueDeltas() == 0)
                var sent = try await due(system).map(\.command)
                #expect(sent.map(\.name).sorted() == ["change_sample_frequency", "set"])
                #expect(sent.first { $0.name == "change_sample_frequency" }?.arguments == ["hertz": .number(500)])
                #expect(
                    sent.first { $0.name == "set" }?.arguments
                        == ["location.name": .text("Hall 3"), "location.floor": .number(2), "on": .flag(true)])
                #expect(sent.allSatisfy { $0.issuer == "twin" && $0.id.utf8.count <= 64 })
                try await system.store.sent(sent.map(\.id), taken: .now)
                for id in sent.map(\.id) { try await system.store.record([try ack(id, .succeeded)]) }

                // It reports what it took: no drift. After a restart it has forgotten, and is asked again.
                let has: [String: Command.Value] = [
                    "location.name": .text("Hall 3"), "location.floor": .number(2), "on": .flag(true),
                ]
                try await system.store.record([try announcement(hertz: 500, properties: has)])
                #expect(
                    try await system.number("SELECT count(*) FROM sensor, twin_drift(desired, reported)") == 0)
                try await system.store.record([try announcement(connection: 2, hertz: 500, properties: has)])
                #expect(try await due(system).isEmpty)
                try await system.store.record([try announcement(boot: 2, hertz: 500, properties: ["on": .flag(false)])])
                sent = try await due(system).map(\.command)
                #expect(sent.map(\.name) == ["set"] && sent.first?.arguments == has)
                try await system.store.sent(sent.map(\.id), taken: .now)
                // A second connection of that boot asks nothing new: the first is still open, and sent again.
                try await system.store.record([try announcement(boot: 2, connection: 2, hertz: 500)])
                #expect(try await due(system).map(\.command.id) == sent.map(\.id))

                // Limits are the ingesters' business.
                try await system.store.run("DELETE FROM command")
                try await want(#"{"limits": {"x": {"high": 2}}}"#)
                #expect(try await system.store.queueDeltas() == 1)
                #expect(try await due(system).isEmpty)
            }
        }

        @Test func whatIsWantedOfAnAbsentSensorWaitsForIt() async throws {
            try await migrated { system in
                try await system.store.record([try announcement(), try announcement(state: .stopped)])
                _ = try await system.store.changeDesired(of: ["a"]) { _ in #"{"note": "x"}"# }
                #expect(try await system.store.queueDeltas() == 0)
                #expect(try await system.number("SELECT count(*) FROM command") == 0)
                try await system.store.record([try announcement(boot: 2)])
                #expect(try await due(system).map(\.command.arguments) == [["note": .text("x")]])
            }
        }

        @Test func reportedPropertiesNest() async throws {
            try await migrated { system in
                let odd: [String: Command.Value] = [
                    "a": .number(1), "a.b": .text("x"), "c.d.e": .flag(false), "": .text(""),
                ]
                try await system.store.record([try announcement(properties: odd)])
                let reported = try await system.store.fetchOne("SELECT reported FROM sensor").text("reported")
                #expect(
                    reported == #"{"": "", "a": 1.0, "c": {"d": {"e": false}}, "a.b": "x", "rate_hz": 1000.0}"#)
            }
        }

        private func presences(_ system: TestSystem) async throws -> [Presence.Word: Int64] {
            try await system.store.presenceCounts().mapValues { $0.sensors }
        }

        /// eclipse-hono/hono#3655: many that are lost at once are all lost, and all back when they are back.
        @Test func aThousandAreLostAtOnceAndReturn() async throws {
            try await migrated { system in
                let names = (0..<1000).map { "s\($0)" }
                try await system.store.record(try names.map { try announcement($0) })
                #expect(try await presences(system) == [.online: 1000])
                try await system.store.record(try names.map { try announcement($0, state: .lost) })
                #expect(try await presences(system) == [.lost: 1000])
                #expect(try await system.store.judgePresence(listeningSeconds: 1000) == 0)
                // Half of them return in time.
                try await system.store.record(try names.prefix(500).map { try announcement($0, connection: 2) })
                try await system.store.run("UPDATE sensor SET lost_at = lost_at - INTERVAL '1 minute'")
                #expect(
                    try await system.store.judgePresence(listeningSeconds: 59) == 0, "nobody listened for long enough")
                #expect(try await system.store.judgePresence(listeningSeconds: 1000) == 500)
                #expect(try await presences(system) == [.online: 500, .offline: 500])
                try await system.store.record(try names.suffix(500).map { try announcement($0, boot: 2) })
                #expect(try await presences(system) == [.online: 1000])
            }
        }

        @Test func presenceFollowsSilenceAndData() async throws {
            try await migrated { system in
                try await system.store.record([
                    try announcement("silent", ago: 61), try announcement("heard", ago: 5),
                    try announcement("data", ago: 61),
                ])
                try await system.store.run(
                    """
                    INSERT INTO sensor (serial) VALUES ('json');
                    """)
                try await system.store.run(
                    """
                    INSERT INTO latest ("time", received_at, value, sample_rate_hz, sensor_id, channel)
                    SELECT now(), now() - INTERVAL '9 s', 1, 0, sensor_id, 0 FROM sensor WHERE serial IN ('data', 'json')
                    """)
                #expect(try await system.store.judgePresence(listeningSeconds: 1000) == 2)
                let rows = try await system.store.fetch("SELECT serial, presence FROM sensor ORDER BY serial")
                #expect(try rows.map { try $0.text("presence") } == ["online", "online", "online", "offline"])
                #expect(try rows.map { try $0.text("serial") } == ["data", "heard", "json", "silent"])
            }
        }

        /// One Last Will of a gateway marks all its sensors.
        @Test func aGatewaysWillSpeaksForItsSensors() async throws {
            try await migrated { system in
                let names = ["g_1", "g_1--a", "g_1--b", "g_1-c", "gx1--a"]
                try await system.store.record(try names.map { try announcement($0) })
                try await system.store.record([try announcement("g_1", state: .lost)])
                let rows = try await system.store.fetch(
                    "SELECT serial FROM sensor WHERE presence = 'lost' ORDER BY serial"
                )
                #expect(try rows.map { try $0.text("serial") } == ["g_1", "g_1--a", "g_1--b"])
            }
        }
    }
}
