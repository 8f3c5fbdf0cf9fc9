import Model
import Postgres
import Store
import TestSupport
import Testing
import Time

extension Integration {
    /// What the registry and the logs-ingester write, in whatever order it comes.
    @Suite struct Registering {
        private let time = Timestamp(unixMilliseconds: 1_763_728_440_000)

        private func heard<Content>(_ content: Content, after seconds: Int64 = 0) throws -> Received<Content> {
            Received(serial: try serial("a"), received: time.advanced(bySeconds: seconds), content: content)
        }

        private func announcement(
            boot: Int64 = 1, connection: Int64 = 1, _ state: Announcement.State = .awake, hertz: Double? = 1000,
            channels: [String] = [], after seconds: Int64 = 0
        ) throws -> RegistryMessage {
            .announcement(
                try heard(
                    Announcement(
                        boot: boot, connection: connection, kind: "climate", firmware: "1.2", state: state,
                        rate: hertz.flatMap { SampleRate(hertz: $0) }, nextSequence: 7, framesDropped: 2,
                        channels: channels.enumerated().map {
                            Announcement.Channel(
                                number: Int16($0.offset), name: $0.element, quantity: "temperature", unit: "°C")
                        }, at: nil), after: seconds))
        }

        private func ack(
            _ outcome: Ack.Outcome, of id: String = "c1", reason: String = "", after seconds: Int64 = 0
        ) throws -> RegistryMessage {
            .ack(try heard(Ack(id: id, outcome: outcome, reason: reason, at: nil), after: seconds))
        }

        private func command(_ id: String = "c1", _ arguments: [String: Command.Value] = [:]) throws -> RegistryMessage
        {
            .command(
                try heard(
                    Command(
                        id: id, name: "sleep", arguments: arguments, issued: time,
                        expires: time.advanced(bySeconds: 60), issuer: "me")))
        }

        private func sensor(_ system: TestSystem) async throws -> Row {
            try await system.store.fetchOne("SELECT * FROM sensor WHERE serial = 'a'")
        }

        private func channels(_ system: TestSystem) async throws -> [String] {
            try await system.store.fetch("SELECT name FROM channel ORDER BY channel").map { try $0.text("name") }
        }

        private func migrated(_ body: (TestSystem) async throws -> Void) async throws {
            try await TestSystem.with { system in
                try await Migrations.apply(to: system.store)
                try await body(system)
            }
        }

        /// An alarm that is being written holds the key of its sensor. What changes the sensor must not wait for that, or
        /// the two wait for each other as soon as the alarm's transaction comes to a second sensor.
        @Test func nothingOfASensorWaitsForItsAlarm() async throws {
            try await migrated { system in
                try await system.store.run("INSERT INTO sensor (serial) VALUES ('a'), ('b')")
                try await system.store.run("INSERT INTO target (name, description) VALUES ('pump', '')")
                let alarms = try system.anotherStore("alarms")
                func raise(_ serial: String) async throws {
                    try await alarms.run(
                        """
                        INSERT INTO alarm (alarm_id, sensor_id, channel, rule, raised_at, value, limit_value, text)
                        SELECT serial, sensor_id, 0, 'limit:x:high', now(), 1, 1, '' FROM sensor WHERE serial = \(serial)
                        """)
                }
                try await alarms.run("BEGIN")
                try await raise("b")
                // Each of these would wait for the alarm, and give up after 10 s.
                let both = try ["a", "b"].map { name in
                    guard case .announcement(var heard) = try announcement() else { throw TestServers.Failure("") }
                    heard.serial = try serial(name)
                    return RegistryMessage.announcement(heard)
                }
                try await system.store.record(both)
                #expect(try await system.store.changeDesired(of: ["a", "b"]) { _ in #"{"note": "x"}"# }.count == 2)
                #expect(try await system.store.changeTags(of: ["a", "b"]) { _ in #"{"hall": "1"}"# }.count == 2)
                #expect(try await system.store.assign(["a", "b"], toTarget: "pump") == ["a", "b"])
                #expect(try await system.store.queueDeltas() == 2, "what is locked would be passed over")
                let b = try #require(try await system.store.sensorID(of: try serial("b")))
                #expect(try await system.store.channelNumbers(sensor: b, names: ["x"]) == ["x": 0])
                guard case .announcement(var will) = try announcement(.lost) else { return }
                will.serial = try serial("b")
                try await system.store.record([.announcement(will)])
                try await system.store.run("UPDATE sensor SET lost_at = lost_at - INTERVAL '1 hour'")
                #expect(try await system.store.judgePresence(listeningSeconds: 3600) == 2)
                try await raise("a")
                try await alarms.run("COMMIT")
                #expect(try await system.number("SELECT count(*) FROM alarm") == 2)
                await alarms.close()
            }
        }

        @Test func anAnnouncementMakesTheTwin() async throws {
            try await migrated { system in
                try await system.store.record([try announcement(channels: ["x", "y"])])
                var row = try await sensor(system)
                #expect(try row.text("kind") == "climate" && row.text("firmware") == "1.2")
                #expect(try row.text("state") == "awake" && row.text("presence") == "online")
                #expect(try row.integer("boot_id") == 1 && row.integer("connection") == 1)
                #expect(try row.integer("next_sequence") == 7 && row.integer("frames_dropped") == 2)
                #expect(try row.text("reported") == #"{"rate_hz": 1000.0}"# && row.integer("reported_version") == 1)
                #expect(try await channels(system) == ["x", "y"])

                // The same again is no new version, another rate is one; last_seen never goes back.
                try await system.store.record([try announcement(after: 10), try announcement(after: 5)])
                #expect(try await sensor(system).integer("reported_version") == 1)
                let seen = try await system.number("SELECT extract(epoch FROM last_seen)::bigint FROM sensor")
                #expect(seen == time.unixMicroseconds / 1_000_000 + 10)
                try await system.store.record([try announcement(hertz: 0.5), try announcement(hertz: nil)])
                row = try await sensor(system)
                #expect(try row.text("reported") == #"{"rate_hz": 0.5}"# && row.integer("reported_version") == 2)

                // One of an older boot or connection changes nothing.
                try await system.store.record([
                    try announcement(boot: 5, connection: 3, .asleep), try announcement(boot: 4, connection: 9),
                    try announcement(boot: 5, connection: 2),
                ])
                row = try await sensor(system)
                #expect(try row.text("state") == "asleep")
                #expect(try row.integer("boot_id") == 5 && row.integer("connection") == 3)
            }
        }

        /// A will older than the newest announcement is ignored.
        @Test func aLastWillCountsOnlyForItsOwnConnection() async throws {
            try await migrated { system in
                func presence(after messages: RegistryMessage...) async throws -> String {
                    try await system.store.record(messages)
                    return try await sensor(system).text("presence")
                }
                #expect(try await presence(after: announcement(boot: 2, connection: 2)) == "online")
                #expect(try await presence(after: announcement(boot: 2, connection: 1, .lost)) == "online")
                #expect(try await presence(after: announcement(boot: 1, connection: 9, .lost)) == "online")
                #expect(try await presence(after: announcement(boot: 2, connection: 2, .lost)) == "lost")
                #expect(try await sensor(system).text("state") == "awake", "a will does not know what the sensor does")
                #expect(try await presence(after: announcement(boot: 2, connection: 3)) == "online")
                #expect(try await presence(after: announcement(boot: 2, connection: 2, .lost)) == "online")

                #expect(try await presence(after: announcement(boot: 2, connection: 3, .stopped)) == "offline")
                _ = try await presence(after: announcement(boot: 2, connection: 3, .lost))
                #expect(try await sensor(system).text("state") == "stopped")
                // The next start.
                #expect(try await presence(after: announcement(boot: 3)) == "online")
                #expect(try await sensor(system).text("state") == "awake")
            }
        }

        @Test func aWillOfAStoppedSensorLeavesItAsItIs() async throws {
            try await migrated { system in
                try await system.store.record([try announcement(boot: 2, connection: 3, .stopped)])
                let before = try await sensor(system)
                try await system.store.record([try announcement(boot: 2, connection: 4, .lost)])
                let after = try await sensor(system)
                for column in ["state", "presence", "boot_id", "connection"] {
                    #expect(try after.text("\(column)") == before.text("\(column)"), "\(column)")
                }
            }
        }

        /// One bad announcement stops nobody, its own sensor included.
        @Test func channelNamesThatClashAreToldApart() async throws {
            // Before; announced; then.
            let cases: [(before: [String], announced: [String], then: [String])] = [
                ([], ["x", "x", "x"], ["x", "x#1", "x#2"]), ([], ["", ""], ["#0", "#1"]),
                ([], ["x", "x", "x#1"], ["x", "x#1#1", "x#1"]), ([], ["x#2", "x", "x"], ["x#2", "x", "x#2#1"]),
                (["x", "y"], ["y", "x"], ["y#0", "x#1"]), (["x", "y"], ["x", "y"], ["x", "y"]),
                (["x", "y", "z"], ["x", "y"], ["x", "y", "z"]), (["x"], ["y", "x"], ["y", "x#1"]),
            ]
            try await migrated { system in
                for (before, announced, then) in cases {
                    try await system.store.run("DELETE FROM channel")
                    try await system.store.record([try announcement(channels: before)])
                    try await system.store.record([try announcement(channels: announced)])
                    #expect(try await channels(system) == then, "\(announced) after \(before)")
                    // What made way is in nobody's way any more.
                    for _ in 1...2 { try await system.store.record([try announcement(channels: announced)]) }
                    if Set(announced).count == announced.count, !announced.contains("") {
                        #expect(try await channels(system).prefix(announced.count).elementsEqual(announced))
                    }
                }
            }
        }

        @Test func aCommandLivesItsLife() async throws {
            try await migrated { system in
                func state(
                    _ id: String = "c1", after messages: RegistryMessage...
                ) async throws -> String {
                    try await system.store.record(messages)
                    return try await system.store.fetchOne("SELECT state FROM command WHERE command_id = \(id)")
                        .text("state")
                }
                try await system.store.record([try announcement()])
                #expect(try await state(after: command()) == "queued")
                #expect(try await state(after: command(), ack(.succeeded, of: "c2")) == "queued", "of another command")
                #expect(try await state(after: ack(.received, after: 1)) == "delivered")
                #expect(try await state(after: ack(.succeeded, after: 2)) == "succeeded")
                // Whatever comes late.
                #expect(try await state(after: ack(.received, after: 3)) == "succeeded")
                #expect(try await state(after: ack(.failed, reason: "no", after: 4)) == "succeeded")
                #expect(try await state(after: command()) == "succeeded")
                let row = try await system.store.fetchOne("SELECT * FROM command WHERE name <> ''")
                #expect(try row.text("reason") == "" && row.text("issuer") == "me" && row.text("name") == "sleep")
                let times = try await system.store.fetchOne(
                    """
                    SELECT extract(epoch FROM delivered_at - issued_at)::int AS d,
                           extract(epoch FROM finished_at - issued_at)::int AS f,
                           extract(epoch FROM expires_at - issued_at)::int AS e FROM command WHERE command_id = 'c1'
                    """)
                #expect(try ["d", "f", "e"].map { try times.integer($0) } == [1, 2, 60])

                #expect(try await state("c3", after: command("c3"), ack(.succeeded, of: "c3")) == "succeeded")
                #expect(
                    try await state("c4", after: command("c4"), ack(.rejected, of: "c4", reason: "busy")) == "rejected")
                #expect(
                    try await state("c5", after: command("c5"), ack(.rejected, of: "c5", reason: Ack.expired))
                        == "expired")
                #expect(try await state("c6", after: command("c6"), ack(.failed, of: "c6", reason: "x")) == "failed")
                try await system.store.run("UPDATE command SET state = 'timed_out' WHERE command_id = 'c6'")
                #expect(try await state("c6", after: ack(.succeeded, of: "c6")) == "succeeded")
            }
        }

        /// Command and answer come from different publishers: the order of the two is anybody's guess.
        @Test func anAnswerMayBeReadBeforeItsCommand() async throws {
            try await migrated { system in
                try await system.store.record([try ack(.received, after: 1), try ack(.succeeded, after: 2)])
                #expect(try await system.number("SELECT count(*) FROM command WHERE state = 'succeeded'") == 1)
                let arguments: [String: Command.Value] = ["hertz": .number(5)]
                try await system.store.record([try command("c1", arguments), try ack(.received, after: 3)])
                try await system.store.record([try command("c1", ["hertz": .number(6)])])
                let row = try await system.store.fetchOne("SELECT * FROM command")
                #expect(try row.text("state") == "succeeded" && row.text("name") == "sleep")
                #expect(try row.text("issuer") == "me" && row.text("serial") == "a")
                #expect(try row.text("arguments") == #"{"hertz": 5.0}"#)
                #expect(try row.optionalText("delivered_at") != nil && row.optionalText("finished_at") != nil)
                #expect(try row.optionalText("expires_at") != nil)
                #expect(try await system.number("SELECT count(*) FROM command") == 1)
            }
        }

        /// The answer to a command comes from its sensor, from nobody else, sooner or later.
        @Test(arguments: [true, false])
        func nobodyAnswersForAnother(_ isEarly: Bool) async throws {
            try await migrated { system in
                let answer = Ack(id: "c1", outcome: .succeeded, at: nil)
                let forged = RegistryMessage.ack(Received(serial: try serial("b"), received: time, content: answer))
                try await system.store.record(isEarly ? [forged, try command()] : [try command(), forged])
                let row = try await system.store.fetchOne("SELECT * FROM command")
                #expect(try row.text("state") == "queued" && row.text("serial") == "a")
                #expect(try row.optionalText("finished_at") == nil)
                try await system.store.record([try ack(.received)])
                #expect(try await system.number("SELECT count(*) FROM command WHERE state = 'delivered'") == 1)
            }
        }

        @Test func argumentsBecomeJSON() async throws {
            try await migrated { system in
                try await system.store.record([
                    try command(
                        "c1",
                        [
                            "hertz": .number(0.1), "big": .number(1e300), "none": .number(.nan), "on": .flag(true),
                            "text": .text("a\"b\\c\n\0§"), "k\"'ey": .text(""),
                        ]), try command("c2"),
                ])
                let row = try await system.store.fetchOne(
                    """
                    SELECT arguments->>'hertz' AS hertz, (arguments->>'big')::float8 = 1e300 AS big,
                           arguments->'none' = 'null' AS none, arguments->'on' = 'true' AS on,
                           arguments->>'text' AS text, arguments->>'k"''ey' AS key FROM command WHERE command_id = 'c1'
                    """)
                #expect(try row.text("hertz") == "0.1" && row.flag("big") && row.flag("none") && row.flag("on"))
                #expect(try row.text("text") == "a\"b\\c  §" && row.text("key").isEmpty)
                #expect(
                    try await system.number(
                        "SELECT count(*) FROM command WHERE command_id = 'c2' AND arguments = '{}'") == 1)
            }
        }

        @Test func anAlarmMayBeClearedBeforeItIsRaised() async throws {
            try await migrated { system in
                func alarm(_ id: String, _ value: Double, at seconds: Int64) throws -> Received<Alarm> {
                    try heard(
                        Alarm(
                            id: id, rule: "limit:x:high", channel: 3, value: value, limit: 5,
                            at: time.advanced(bySeconds: seconds), position: nil, text: "too \(value)"))
                }
                try await system.store.record(alarms: [(.clear, try alarm("A", 4, at: 9))])
                #expect(
                    try await system.number(
                        "SELECT count(*) FROM alarm WHERE raised_at IS NULL AND cleared_at IS NOT NULL") == 1)
                try await system.store.record(alarms: [(.trigger, try alarm("A", 6, at: 1))])
                // The same again, with other numbers: the first word holds.
                try await system.store.record(alarms: [
                    (.trigger, try alarm("A", 66, at: 2)), (.clear, try alarm("A", 44, at: 99)),
                    (.trigger, try alarm("B", 7, at: 20)),
                ])
                let rows = try await system.store.fetch(
                    """
                    SELECT alarm_id, value, clear_value, limit_value, text, channel, rule,
                           extract(epoch FROM cleared_at - raised_at)::int AS lasted FROM alarm ORDER BY alarm_id
                    """
                )
                try #require(rows.count == 2)
                #expect(try rows[0].double("value") == 6 && rows[0].double("clear_value") == 4)
                #expect(try rows[0].double("limit_value") == 5 && rows[0].integer("lasted") == 8)
                #expect(try rows[0].text("text") == "too 6.0" && rows[0].integer("channel") == 3)
                #expect(try rows[1].text("alarm_id") == "B" && rows[1].double("value") == 7)
                #expect(try rows[1].optionalText("lasted") == nil)
                let active = try await system.store.alarms(AlarmFilter(activeOnly: true, serials: ["a"]))
                #expect(active.map(\.id) == ["B"])
            }
        }

        /// A logs-ingester that is killed between its commit and the acknowledgement gets the same lines again.
        @Test func logLinesThatComeAgainAreStoredOnce() async throws {
            try await migrated { system in
                func line(_ text: String, after seconds: Int64 = 0, again: Bool = false) throws -> Received<LogLine> {
                    var heard = try heard(
                        LogLine(at: nil, level: .info, text: text, boot: 8), after: seconds)
                    heard.isRedelivered = again
                    return heard
                }
                func count() async throws -> Int64 { try await system.number("SELECT count(*) FROM sensor_log") }
                let rule = ClockRule()
                // The same twice at once, and later: three lines.
                try await system.store.record(
                    logs: [try line("x\0"), try line("x\0"), try line("x\0", after: 1), try line("y")], clockRule: rule)
                #expect(try await count() == 4)
                try await system.store.record(
                    logs: [
                        try line("x\0", again: true), try line("x\0", again: true), try line("y", again: true),
                        try line("z", again: true), try line("x\0", after: 1, again: true),
                    ], clockRule: rule)
                #expect(try await count() == 5, "z was not stored before")
                try await system.store.record(
                    logs: try (1...3).map { _ in try line("x\0", again: true) }, clockRule: rule)
                #expect(try await count() == 6, "one more of those than are there")
                try await system.store.record(logs: [try line("y")], clockRule: rule)
                #expect(try await count() == 7)
            }
        }

        @Test func logLinesKeepTheirTimeIfItCanBeTrusted() async throws {
            try await migrated { system in
                func line(_ at: Timestamp?, _ level: LogLine.Level, _ text: String) throws -> Received<LogLine> {
                    try heard(LogLine(at: at, level: level, text: text, boot: 8))
                }
                try await system.store.record(
                    logs: [
                        try line(time.advanced(bySeconds: -5), .error, "ok \0 {\"a\",\\}"),
                        try line(Timestamp(unixNanoseconds: 0), .debug, "1970"),
                        try line(time.advanced(bySeconds: 86_400), .info, "tomorrow"),
                        try line(nil, .warning, "no clock"),
                    ], clockRule: ClockRule())
                try await system.store.record(logs: [], clockRule: ClockRule())
                let rows = try await system.store.fetch(
                    """
                    SELECT level, text, l.boot_id, extract(epoch FROM received_at - "time")::int AS ago
                      FROM sensor_log l JOIN sensor USING (sensor_id) WHERE serial = 'a' ORDER BY level
                    """
                )
                #expect(try rows.map { try $0.integer("level") } == [1, 2, 3, 4])
                #expect(try rows.map { try $0.integer("ago") } == [0, 0, 0, 5])
                #expect(
                    try rows.map { try $0.text("text") } == ["1970", "tomorrow", "no clock", "ok \u{FFFD} {\"a\",\\}"])
                #expect(try rows.allSatisfy { try $0.integer("boot_id") == 8 })
            }
        }
    }
}
