import Foundation
import Postgres
import Store
import TestSupport
import Testing

extension EndToEnd {
    /// The grammar that all lists share: globs, selectors, formats, names.
    @Suite struct Lists {
        private func withSensors(
            _ count: Int, _ body: (TestSystem) async throws -> Void
        ) async throws {
            try await TestSystem.with { system in
                try await Migrations.apply(to: system.store)
                _ = try await system.store.fixPartitions(["measurements.0"])
                try await add(1...count, to: system)
                try await body(system)
            }
        }

        /// Sensors with three channels, a value of each, a place, an alarm, a command and a line of a log.
        private func add(_ numbers: ClosedRange<Int>, to system: TestSystem) async throws {
            let statements: [SQL] = [
                """
                INSERT INTO target (name) VALUES ('press-1') ON CONFLICT DO NOTHING
                """,
                """
                INSERT INTO sensor (serial, kind, state, presence, tags, target_id, last_seen, reported)
                SELECT 'lab-' || n, 'vibration', 'awake', 'online', jsonb_build_object('hall', (n % 2)::text), 1,
                    now() - INTERVAL '7 s', '{"rate_hz": 1000, "location": {"name": "Hall 3"}}'
                FROM generate_series(\(numbers.lowerBound)::int, \(numbers.upperBound)::int) n
                """,
                """
                INSERT INTO channel SELECT sensor_id, c, (ARRAY['x', 'y', 'z'])[c + 1], 'acceleration', 'm/s²'
                FROM sensor, generate_series(0, 2) c ON CONFLICT DO NOTHING
                """,
                """
                INSERT INTO latest ("time", received_at, value, sample_rate_hz, sensor_id, channel)
                SELECT now(), now(), 3.971234 + channel, 1000, sensor_id, channel FROM channel ON CONFLICT DO NOTHING
                """,
                """
                INSERT INTO location ("time", sensor_id, latitude, longitude, altitude)
                SELECT now(), sensor_id, 52.5, 13.25, 34 FROM sensor
                """,
                """
                INSERT INTO alarm (alarm_id, sensor_id, channel, rule, raised_at, cleared_at)
                SELECT 'a-' || serial, sensor_id, 0, 'limit:x:high', now(), CASE WHEN sensor_id > 1 THEN now() END
                FROM sensor ON CONFLICT DO NOTHING
                """,
                """
                INSERT INTO command (command_id, serial, name, arguments, issuer, state, issued_at)
                SELECT 'c-' || serial, serial, 'sleep', '{}', 'me', 'queued', now() FROM sensor ON CONFLICT DO NOTHING
                """,
                """
                INSERT INTO sensor_log ("time", received_at, boot_id, sensor_id, level, text)
                SELECT now(), now(), 1, sensor_id, 2, 'line' FROM sensor
                """,
            ]
            for statement in statements { try await system.store.run(statement) }
        }

        private func lines(_ result: Program.Outcome) -> [String] {
            result.output.split(separator: "\n").map { String($0) }
        }

        @Test func sensorsShowValuesAndPlaces() async throws {
            try await withSensors(2) { system in
                let list = try await system.run("iotctl", ["get", "sensors"])
                #expect(list.status == 0, "\(list.errors)")
                let titles = ["SERIAL", "KIND", "STATE", "PRESENCE", "RATE", "SEEN", "VALUE", "PLACE"]
                #expect(lines(list).first?.split(separator: " ").map { String($0) } == titles)
                #expect(lines(list).count == 3)
                #expect(
                    lines(list).dropFirst().allSatisfy { $0.hasSuffix("  x 3.971 m/s² +2  Hall 3") }, "\(list.output)")
                let wide = try await system.run("iotctl", ["get", "sensors", "-o", "wide"])
                #expect(
                    wide.output.contains("  x 3.97123 m/s², y 4.97123 m/s², z 5.97123 m/s²  Hall 3 "), "\(wide.output)")
                #expect(wide.output.contains("  52.50000, 13.25000, 34 m  "))
                let bare = try await system.run("iotctl", ["get", "sensors", "--no-headers"])
                #expect(lines(bare).count == 2 && !bare.output.contains("SERIAL"))
            }
        }

        @Test func globsAndSelectorsMeanTheSameEverywhere() async throws {
            try await withSensors(12) { system in
                func names(_ words: String...) async throws -> [String] {
                    let result = try await system.run("iotctl", words + ["-o", "name"])
                    #expect(result.status == 0 && result.errors.isEmpty, "\(words): \(result.errors)")
                    return lines(result).sorted()
                }
                let two = ["lab-10", "lab-11", "lab-12", "lab-2"]
                #expect(try await names("get", "sensors", "lab-1?", "lab-2") == two)
                #expect(try await names("get", "alarms", "lab-1?", "lab-2") == two.map { "a-\($0)" })
                #expect(try await names("get", "commands", "lab-1?", "lab-2") == two.map { "c-\($0)" })
                let odd = ["lab-1", "lab-11", "lab-3", "lab-5", "lab-7", "lab-9"]
                #expect(try await names("get", "sensors", "-l", "hall=1") == odd)
                #expect(try await names("get", "alarms", "-l", "hall=1") == odd.map { "a-\($0)" })
                #expect(try await names("get", "commands", "-l", "hall=1") == odd.map { "c-\($0)" })
                #expect(try await names("get", "alarms", "lab-*", "--active") == ["a-lab-1"])
                #expect(try await names("get", "alarms", "lab-1", "lab-2", "--cleared") == ["a-lab-2"])
                #expect(try await names("get", "targets") == ["press-1"])
                let logs = try await system.run("iotctl", ["logs", "lab-1?"])
                #expect(lines(logs).count == 3 && lines(logs).allSatisfy { $0.hasPrefix("lab-1") }, "\(logs.output)")

                // What a glob does not match is one line, and nothing else happens.
                let commands = [
                    ["get", "sensors"], ["get", "alarms"], ["get", "commands"], ["logs"], ["audit"], ["sleep"],
                    ["set", "rate=5"], ["tag", "a=b"], ["target", "unassign"],
                    ["wait", "sensor", "--for", "state=awake"],
                    ["watch", "sensors"], ["watch", "commands"],
                ]
                for command in commands {
                    let none = try await system.run("iotctl", command + ["press-*"])
                    #expect(none.status == 2 && none.output.isEmpty, "\(command): \(none.status) \(none.output)")
                    #expect(none.complaints == ["iotctl: no sensor matches press-*"], "\(command): \(none.errors)")
                }
                // A glob asks as -l does, and acts on all that it matches.
                let unconfirmed = try await system.run("iotctl", ["tag", "lab-1?", "line=2"])
                #expect(unconfirmed.status == 64 && unconfirmed.errors.contains("add --yes"), "\(unconfirmed.errors)")
                let tagged = try await system.run("iotctl", ["tag", "lab-1?", "line=2", "--yes"])
                #expect(tagged.status == 0 && lines(tagged).count == 4, "\(tagged.errors)")
                #expect(try await names("get", "sensors", "-l", "line=2") == ["lab-10", "lab-11", "lab-12"])
                let several = try await system.run("iotctl", ["spectrum", "lab-1?"])
                #expect(several.status == 64 && several.errors.contains("matches 3 sensors"), "\(several.errors)")
            }
        }

        /// What every list shows in a terminal: lines that fit, with what identifies a row and the value with its unit. What
        /// the lists leave out in a narrow terminal, they show in a wide one.
        @Test func theImportantColumnsFitTheTerminal() async throws {
            try await withSensors(12) { system in
                try await system.store.run(
                    """
                    UPDATE command SET name = 'change_sample_frequency', state = 'rejected',
                           reason = 'too fast: at most 1600 Hz, and 1,000,000 Hz were asked of it'
                    """)
                try await system.store.run(
                    """
                    INSERT INTO quarantine (reason, routing_key, serial, payload, source, length, hash)
                    SELECT 'undecodable', 'x', serial, '\\x00', 'measurements.0', 1, sensor_id FROM sensor
                    """)
                func shown(_ columns: Int, _ words: String...) async throws -> [String] {
                    let script = TestServers.root.appending(path: "Tests/EndToEnd/Outside/terminal.py").path
                    let result = try await system.run(
                        "/usr/bin/python3",
                        [script, "\(columns)", "24", "[]", Program.built("iotctl").path] + words,
                        changing: ["TERM": "dumb"])
                    let lines = result.output.replacing("\r\n", with: "\n").split(separator: "\n").map { String($0) }
                    #expect(result.status == 0 && lines.count > 1, "\(words): \(result.output)")
                    #expect(lines.allSatisfy { $0.count <= columns }, "\(words) in \(columns): \(result.output)")
                    return lines
                }
                for columns in [60, 80, 120] {
                    let sensors = try await shown(columns, "get", "sensors")
                    #expect(sensors.count == 13 && sensors.dropFirst().allSatisfy { $0.contains("  x 3.971 m/s² +2") })
                    #expect(sensors[0].contains("PLACE") == (columns > 60) && sensors[0].contains("PRESENCE"))
                    let commands = try await shown(columns, "get", "commands")
                    #expect(
                        commands.contains {
                            $0.hasPrefix("c-lab-12  lab-12  change_samp") && $0.contains("  rejected  ")
                        })
                    #expect(commands[0].contains("AGE") == (columns > 60) && commands[1].contains("too fas"))
                    let targets = try await shown(columns, "describe", "target", "press-1")
                    #expect(targets.contains { $0.contains("lab-12") && $0.contains("3.97") && $0.contains("m/s²") })
                    let one = try await shown(columns, "describe", "sensor", "lab-12")
                    #expect(one.contains { $0.contains(" 3.97123 ") && $0.contains("m/s²") })
                    #expect(try await shown(columns, "quarantine", "ls").contains { $0.contains("undecodable") })
                    for list in ["targets", "partitions", "policies"] { _ = try await shown(columns, "get", list) }
                    _ = try await shown(columns, "report", "storage")
                    _ = try await shown(columns, "audit")
                }
            }
        }

        /// The number of statements does not grow with the number of sensors.
        @Test func listsTakeTheSameStatementsForAnyNumberOfSensors() async throws {
            try await withSensors(3) { system in
                var url = try #require(URLComponents(string: system.environment["DATABASE_URL"] ?? ""))
                let proxy = try DatabaseProxy(to: UInt16(url.port ?? 5432))
                defer { proxy.close() }
                url.port = Int(proxy.port)
                let address = url.string ?? ""
                let commands = [
                    ["get", "sensors"], ["get", "sensors", "-o", "json"], ["get", "sensors", "lab-*", "-o", "wide"],
                    ["get", "sensors", "-l", "kind=vibration"], ["get", "commands"], ["get", "commands", "lab-*"],
                    ["get", "alarms"], ["get", "alarms", "-l", "kind=vibration"], ["get", "targets"],
                    ["get", "policies"], ["describe", "sensor", "lab-1"], ["describe", "target", "press-1"],
                    ["logs", "lab-*"], ["audit", "lab-*"], ["quarantine", "ls"],
                ]
                func count() async throws -> [Int] {
                    var counts: [Int] = []
                    for command in commands {
                        let before = proxy.statements
                        let result = try await system.run("iotctl", command, changing: ["DATABASE_URL": address])
                        #expect(result.status == 0, "\(command): \(result.errors)")
                        counts.append(proxy.statements - before)
                    }
                    return counts
                }
                let few = try await count()
                try await add(4...50, to: system)
                #expect(try await count() == few)
                #expect(few.allSatisfy { $0 > 0 })
            }
        }
    }
}
