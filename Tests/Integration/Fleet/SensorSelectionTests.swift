import Model
import Postgres
import Store
import TestSupport
import Testing

extension Integration {
    /// Which sensors a selector finds.
    @Suite struct Selecting {
        private func expect(_ system: TestSystem, _ selector: String, _ serials: String) async throws {
            let found = try await system.store.serials(matching: try SensorSelector(selector))
            #expect(found == serials.split(separator: " ").map { String($0) }, "\(selector)")
        }

        @Test func conditionsFindWhatTheySay() async throws {
            try await TestSystem.with { system in
                try await Migrations.apply(to: system.store)
                try await system.store.run("INSERT INTO target (name) VALUES ('press 1')")
                try await system.store.run(
                    """
                    INSERT INTO sensor (serial, kind, firmware, state, presence, tags, target_id) VALUES
                      ('a_1', 'vibration', '1.2', 'awake', 'online', '{"hall": "3", "line": {"no": 2}}', 1),
                      ('a_2', 'vibration', '1.3', 'asleep', 'online', '{"hall": 3, "line": null}', NULL),
                      ('ab1', 'climate', '1.2', 'awake', 'offline', '{"hall": "4", "it''s": true}', 1),
                      ('new', '', '', 'unknown', 'unknown', '{}', NULL)
                    """)
                #expect(try await system.store.serials(matching: .all) == ["a_1", "a_2", "ab1", "new"])
                try await expect(system, "kind=vibration", "a_1 a_2")
                try await expect(system, "kind!=vibration", "ab1 new")
                try await expect(system, "kind", "a_1 a_2 ab1")
                try await expect(system, "!kind", "new")
                try await expect(system, "firmware=1.2,kind=climate", "ab1")
                try await expect(system, "state=unknown", "new")
                try await expect(system, "state!=asleep", "a_1 ab1 new")
                try await expect(system, "presence", "a_1 a_2 ab1")
                try await expect(system, "!presence", "new")
                try await expect(system, "target=press 1", "a_1 ab1")
                try await expect(system, "target!=press 1", "a_2 new")
                try await expect(system, "!target", "a_2 new")
                // A tag's number and its text are the same to people.
                try await expect(system, "hall=3", "a_1 a_2")
                try await expect(system, "hall!=3", "ab1 new")
                try await expect(system, "hall,hall!=3", "ab1")
                try await expect(system, "line", "a_1")
                try await expect(system, "line.no=2", "a_1")
                try await expect(system, "!line.no", "a_2 ab1 new")
                try await expect(system, "serial=a_*", "a_1 a_2")
                try await expect(system, "serial=*1", "a_1 ab1")
                try await expect(system, "serial=a?1", "a_1 ab1")
                try await expect(system, "serial!=a*", "new")
                try await expect(system, "serial=new", "new")
                try await expect(system, "serial=*,kind=gps", "")
            }
        }

        /// Serial numbers and globs of a command line, each with its sensors.
        @Test func wordsFindTheirSensors() async throws {
            try await TestSystem.with { system in
                try await Migrations.apply(to: system.store)
                try await system.store.run("INSERT INTO sensor (serial) VALUES ('a_1'), ('a_2'), ('ab1'), ('new')")
                func found(_ words: String...) async throws -> [[String]] {
                    try await system.store.serials(matching: words.map { SerialPattern($0) })
                }
                #expect(
                    try await found("ab1", "a_*", "gone", "*") == [
                        ["ab1"], ["a_1", "a_2"], [], ["a_1", "a_2", "ab1", "new"],
                    ])
                #expect(try await found("a?1", "???", "?") == [["a_1", "ab1"], ["a_1", "a_2", "ab1", "new"], []])
                // The characters that LIKE would take for its own are themselves.
                #expect(try await found("a%*", "a\\*", "%", "_", "'; --*") == [[], [], [], [], []])
                #expect(try await found() == [])
            }
        }
    }
}
