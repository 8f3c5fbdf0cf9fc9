import Foundation
import Model
import Postgres
import Rules
import Store
import TestSupport
import Testing
import Time

extension Integration {
    /// Rules in the database, and the revisions that are made of them.
    @Suite struct StoredRules {
        private func rule(_ name: String, above: Double = 5, _ selector: RuleSelector = RuleSelector()) -> Rule {
            Rule(name: name, selector: selector, condition: .threshold(Condition.Threshold(above: above)))
        }

        @Test func rulesAreStoredAndEveryVersionIsKept() async throws {
            try await TestSystem.with { system in
                let store = system.store
                try await Migrations.apply(to: store)
                let first = try await store.apply(rules: [rule("a"), rule("b")], issuer: "me")
                #expect(first.map(\.change) == [.added, .added] && first.map(\.version) == [1, 1])
                let dry = try await store.apply(rules: [rule("a", above: 6)], isDry: true, issuer: "me")
                #expect(dry.map(\.change) == [.changed])
                let second = try await store.apply(rules: [rule("a", above: 6), rule("b")], issuer: "you")
                #expect(second.map(\.change) == [.changed, .unchanged] && second.map(\.version) == [2, 1])
                #expect(second[0].before == rule("a"))
                let rules = try await store.rules()
                #expect(rules.map(\.rule) == [rule("a", above: 6), rule("b")])
                #expect(rules.map(\.changedBy) == ["you", "me"] && rules.map(\.activeAlarms) == [0, 0])

                #expect(try await store.removeRules(["a", "z"], issuer: "her") == ["a"])
                #expect(try await store.rules().map(\.rule.name) == ["b"])
                let again = try await store.apply(rules: [rule("a")], issuer: "me")
                #expect(again.map(\.version) == [4], "numbers are never used again")
                let history = try await store.ruleHistory(of: "a", countMax: 10)
                #expect(history.map(\.version) == [4, 3, 2, 1])
                #expect(history.map(\.rule) == [rule("a"), nil, rule("a", above: 6), rule("a")])
                #expect(history.map(\.changedBy) == ["me", "her", "you", "me"])
            }
        }

        @Test func selectorsAreResolved() async throws {
            try await TestSystem.with { system in
                let store = system.store
                try await Migrations.apply(to: store)
                try await store.run(
                    """
                    WITH t AS (INSERT INTO target (name) VALUES ('press') RETURNING target_id)
                    INSERT INTO sensor (serial, kind, tags, target_id)
                    VALUES ('a-1', 'vibration', '{"hall": 3}', (SELECT target_id FROM t)),
                           ('a-2', 'vibration', '{"hall": 4}', NULL), ('b-1', 'climate', '{}', NULL)
                    """)
                try await store.run(
                    """
                    INSERT INTO channel (sensor_id, channel, name, unit)
                    SELECT sensor_id, c.number, c.name, 'g' FROM sensor, (VALUES (0, 'x'), (1, 'y')) AS c(number, name)
                    """)
                try await store.apply(
                    rules: [
                        rule("everywhere"),
                        rule("hall", RuleSelector(tags: ["hall": "3"], channels: ["y"])),
                        rule("names", RuleSelector(sensors: ["a-?", "b-2"], kind: "vibration", target: "press")),
                        Rule(
                            name: "named", selector: RuleSelector(sensors: ["b-1"]),
                            condition: .threshold(Condition.Threshold(above: 1, channel: "z"))),
                    ], issuer: "me")
                let resolved = try #require(try await store.resolveRules())
                #expect(resolved.isNew && resolved.unreadable.isEmpty && resolved.revision.number == 1)
                #expect(try await store.newestRuleRevision() == 1)
                let read = try #require(try await store.ruleRevision(1))
                #expect(read == resolved.revision, "what is read is what was made")
                // Rules are in the order of their names: everywhere, hall, named, names.
                func rules(of serial: String) -> [String: [String]] {
                    guard let sensor = read.sensors.first(where: { $0.serial == serial }) else { return [:] }
                    return Dictionary(
                        uniqueKeysWithValues: sensor.rules.map { selection in
                            (read.rules[selection.rule].name, selection.channels.map { sensor.channels[$0].name })
                        })
                }
                #expect(rules(of: "a-1") == ["everywhere": ["x", "y"], "hall": ["y"], "names": ["x", "y"]])
                #expect(rules(of: "a-2") == ["everywhere": ["x", "y"]])
                #expect(rules(of: "b-1")["named"] == ["x", "y", "z"], "a channel that is not known yet")
                #expect(read.sensors.first { $0.serial == "a-1" }?.target == "press")
                #expect(read.sensors.first { $0.serial == "a-1" }?.channels.first?.number == 0)
            }
        }

        /// What makes a new revision, and what does not.
        @Test func onlyWhatMattersMakesARevision() async throws {
            try await TestSystem.with { system in
                let store = system.store
                try await Migrations.apply(to: store)
                try await store.run("INSERT INTO sensor (serial) VALUES ('a')")
                try await store.run(
                    "INSERT INTO channel (sensor_id, channel, name) SELECT sensor_id, 0, 'x' FROM sensor")
                try await store.apply(rules: [rule("r", RuleSelector(tags: ["hall": "3"]))], issuer: "me")
                let first = try #require(try await store.resolveRules())
                #expect(first.revision.sensors.isEmpty)
                #expect(try await store.resolveRules() == nil, "nothing has changed")
                try await store.run("UPDATE sensor SET last_seen = now(), reported = '{\"a\": 1}'")
                #expect(try await store.resolveRules() == nil, "that does not matter to a rule")

                try await store.run("UPDATE sensor SET tags = '{\"hall\": 3}'")
                let second = try #require(try await store.resolveRules())
                #expect(second.revision.number == 2 && second.revision.sensors.map(\.serial) == ["a"])
                try await store.run("UPDATE sensor SET tags = '{\"hall\": 3, \"row\": 1}'")
                let same = try #require(try await store.resolveRules())
                #expect(!same.isNew && same.revision == second.revision, "the same sensors are selected")

                try await store.run(
                    """
                    UPDATE sensor SET desired = '{"limits": {"x": {"high": 7}, "y": {"low": 1}}}', desired_changed_at = now()
                    """)
                let limited = try #require(try await store.resolveRules())
                #expect(limited.revision.sensors[0].limits == [RuleRevision.Limits(channel: 0, high: 7)])
                // A limit that was set before its channel exists.
                try await store.run(
                    "INSERT INTO channel (sensor_id, channel, name) SELECT sensor_id, 1, 'y' FROM sensor")
                let both = try #require(try await store.resolveRules())
                #expect(both.revision.sensors[0].limits.count == 2)

                _ = try await store.deleteSensors(["a"], withHistory: false, issuer: "me")
                let deleted = try #require(try await store.resolveRules())
                #expect(deleted.revision.sensors.isEmpty && deleted.revision.deleted == ["a"])
                let count = try await store.fetchOne("SELECT count(*) AS n FROM rule_revision")
                #expect(try count.integer("n", as: Int.self) == 5)
            }
        }

        @Test func aRuleThatCannotBeReadHoldsUpNoOther() async throws {
            try await TestSystem.with { system in
                let store = system.store
                try await Migrations.apply(to: store)
                try await store.apply(rules: [rule("good")], issuer: "me")
                try await store.run(
                    """
                    INSERT INTO alarm_rule (name, version, body, changed_by)
                    VALUES ('newer', 1, '{"name": "newer", "when": {"telepathy": {}}}', 'a later release')
                    """)
                let resolved = try #require(try await store.resolveRules())
                #expect(resolved.revision.rules.map(\.name) == ["good"])
                #expect(resolved.unreadable == ["rule newer cannot be read by this release"])
            }
        }
    }
}
