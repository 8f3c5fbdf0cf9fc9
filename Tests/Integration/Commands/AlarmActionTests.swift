import Model
import Postgres
import Rules
import Store
import TestSupport
import Testing
import Time

extension Integration {
    /// Commands that follow from alarms.
    @Suite struct CommandsOfRules {
        private func apply(_ system: TestSystem, more: [RuleAction] = []) async throws {
            let rate = Command.Name.changeSampleFrequency
            let rule = Rule(
                name: "hot", condition: .threshold(Condition.Threshold(above: 1)),
                actions: [
                    .command(RuleAction.Command(name: rate, arguments: ["hertz": "1000"])),
                    .command(RuleAction.Command(name: "shutter", arguments: ["state": "open", "fast": "true"])),
                    .command(RuleAction.Command(name: rate, arguments: ["hertz": "1"], moment: .clear)),
                ] + more)
            _ = try await system.store.apply(rules: [rule], issuer: "test")
        }

        private func alarm(
            _ id: String, of name: String = "a", rule: String = "hot", at time: Timestamp = .now
        ) throws -> Received<Alarm> {
            Received(
                serial: try serial(name), received: .now,
                content: Alarm(
                    id: id, rule: rule, channel: 0, value: 1, limit: 0, at: time, position: nil, text: "it is hot"))
        }

        private func commands(_ system: TestSystem) async throws -> [String] {
            try await system.store.fetch(
                """
                SELECT concat_ws(' ', serial, name, arguments::text, issuer, state,
                                 round(extract(epoch FROM expires_at - issued_at))) AS c
                  FROM command ORDER BY serial, command_id
                """
            ).map { try $0.text("c") }
        }

        @Test func eachBeginningAndEndOfAnAlarmGivesItsCommandsOnce() async throws {
            try await TestSystem.with { system in
                try await Migrations.apply(to: system.store)
                let store = system.store
                try await apply(system)
                let trigger = try alarm("one")
                try await store.record(alarms: [(.trigger, trigger), (.trigger, try alarm("two", rule: "cold"))])
                let begun = [
                    #"a change_sample_frequency {"hertz": 1000.0} rule:hot queued 60"#,
                    #"a shutter {"fast": true, "state": "open"} rule:hot queued 60"#,
                ]
                #expect(try await commands(system) == begun)
                // The same again, in a later batch and within one; the rule has got another action meanwhile.
                try await apply(system, more: [.command(RuleAction.Command(name: "sleep"))])
                try await store.record(alarms: [(.trigger, trigger), (.trigger, trigger)])
                #expect(try await commands(system) == begun)

                let taken = try await store.takeCommandsToSend(atMost: 10)
                #expect(
                    taken.failed.isEmpty
                        && taken.commands.map(\.command.name).sorted() == [
                            "change_sample_frequency", "shutter",
                        ])
                let shutter = try #require(taken.commands.first { $0.command.name == "shutter" }?.command)
                #expect(shutter.arguments == ["state": .text("open"), "fast": .flag(true)])
                #expect(shutter.id.utf8.count <= 64 && shutter.issuer == "rule:hot")
                try await store.record([
                    .ack(
                        Received(
                            serial: try serial("a"), received: .now,
                            content: Ack(id: shutter.id, outcome: .succeeded, at: nil)))
                ])
                #expect(try await system.number("SELECT count(*) FROM command WHERE state = 'succeeded'") == 1)

                try await store.record(alarms: [(.clear, try alarm("one"))])
                #expect(
                    try await commands(system).contains(#"a change_sample_frequency {"hertz": 1.0} rule:hot queued 60"#)
                )
                #expect(try await commands(system).count == 3)
            }
        }

        /// Nothing is commanded for what happened long ago: the command has expired when it is written.
        @Test func anAlarmOfOldSamplesCommandsNothing() async throws {
            try await TestSystem.with { system in
                try await Migrations.apply(to: system.store)
                try await apply(system)
                let old = try alarm("old", at: Timestamp.now.advanced(bySeconds: -300))
                try await system.store.record(alarms: [(.trigger, old)])
                #expect(try await system.store.takeCommandsToSend(atMost: 10).commands.isEmpty)
                #expect(try await system.store.expireCommands() == 2)
                #expect(try await system.number("SELECT count(*) FROM command WHERE state = 'expired'") == 2)
            }
        }

        /// A rule that a later release wrote holds up no alarm.
        @Test func aRuleThatCannotBeReadCommandsNothing() async throws {
            try await TestSystem.with { system in
                try await Migrations.apply(to: system.store)
                try await apply(system)
                try await system.store.run(
                    "UPDATE alarm_rule SET body = jsonb_set(body, '{when}', '{\"telepathy\": {}}')")
                try await system.store.record(alarms: [(.trigger, try alarm("one"))])
                #expect(try await system.number("SELECT count(*) FROM alarm") == 1)
                #expect(try await commands(system).isEmpty)
            }
        }

        @Test func aDeletedSensorIsCommandedNothing() async throws {
            try await TestSystem.with { system in
                try await Migrations.apply(to: system.store)
                let store = system.store
                try await apply(system)
                _ = try await store.sensorIDs(for: [serial("a"), serial("b")])
                _ = try await store.deleteSensors(["a"], withHistory: false, issuer: "test")
                _ = try await store.renameSensor(serial("b"), to: serial("c"), issuer: "test")
                try await store.record(
                    alarms: [(.trigger, try alarm("one")), (.trigger, try alarm("two", of: "b"))])
                #expect(
                    try await system.store.fetch("SELECT DISTINCT serial FROM command").map { try $0.text("serial") }
                        == ["c"], "the sensor has got another name")
            }
        }
    }
}
