import Foundation
import Postgres
import Store
import TestSupport
import Testing

extension EndToEnd {
    /// What iotctl shows of what is in the database: with and without a terminal, with broker or database away.
    @Suite struct Reading {
        private static let nowhere = [
            "AMQP_URL": "amqp://iot:topsecret@127.0.0.1:1/",
            "DATABASE_URL": "postgresql://iot:topsecret@127.0.0.1:1/iot",
        ]
        private static let broker = ["AMQP_URL": "amqp://iot:topsecret@127.0.0.1:1/"]

        /// A database with two sensors on a machine, commands, an alarm and a log; nothing runs.
        private func withFleet(_ body: (TestSystem) async throws -> Void) async throws {
            try await TestSystem.with { system in
                try await Migrations.apply(to: system.store)
                _ = try await system.store.fixPartitions(["measurements.0", "measurements.1"])
                for statement in Self.fleet { try await system.store.run(statement) }
                try await body(system)
            }
        }

        private static let fleet: [SQL] = [
            "INSERT INTO target (name, description) VALUES ('press-4', 'hall 3, by the east gate'), ('idle', '')",
            """
            INSERT INTO sensor (serial, kind, state, presence, target_id, last_seen, reported, desired)
            SELECT s, 'vibration', CASE s WHEN 'lab-1' THEN 'awake' ELSE 'asleep' END,
                   CASE s WHEN 'lab-1' THEN 'online' ELSE 'offline' END, t.target_id, now() - INTERVAL '5 s',
                   '{"rate_hz": 1000}', '{"rate_hz": 1000}'
              FROM unnest(ARRAY['lab-1', 'lab-2']) s, target t WHERE t.name = 'press-4'
            """,
            "INSERT INTO channel SELECT sensor_id, 0, 'temperature', 'temperature', '°C' FROM sensor",
            """
            INSERT INTO latest ("time", received_at, value, min, max, rms, sample_rate_hz, sensor_id, channel)
            SELECT now(), now(), 21.5, 20, 22, 21.1, 1000, sensor_id, 0 FROM sensor WHERE serial = 'lab-1'
            """,
            """
            INSERT INTO command (command_id, serial, name, arguments, issuer, state, reason, issued_at, expires_at,
                                 delivered_at, finished_at, sends)
            VALUES ('6fa459ea-ee8a-3ca4-894e-db77e160355e', 'lab-1', 'change_sample_frequency', '{"hertz": 2000}', 'me',
                    'succeeded', '', now() - INTERVAL '60 s', now() + INTERVAL '1 h', now() - INTERVAL '59.5 s',
                    now() - INTERVAL '58 s', 1),
                   ('6fa459ea-0000-3ca4-894e-db77e160355e', 'lab-2', 'sleep', '{}', 'me', 'queued', '',
                    now() - INTERVAL '30 s', now() + INTERVAL '1 h', NULL, NULL, 0),
                   ('7fa459ea-ee8a-3ca4-894e-db77e160355e', 'lab-2', 'change_sample_frequency', '{}', 'me', 'rejected',
                    'too fast: this sensor does at most 1600 Hz, and 1,000,000 Hz were asked of it',
                    now() - INTERVAL '3 h', NULL, now() - INTERVAL '3 h', now() - INTERVAL '3 h', 0)
            """,
            """
            INSERT INTO alarm (alarm_id, sensor_id, channel, rule, raised_at, value, limit_value, text)
            SELECT 'a1', sensor_id, 0, 'limit:temperature:high', now(), 31.25, 30, 'hot' FROM sensor
             WHERE serial = 'lab-1'
            """,
            """
            INSERT INTO sensor_log ("time", received_at, boot_id, sensor_id, level, text)
            SELECT now() - make_interval(mins => 130 - 10 * n), now(), 1, sensor_id, 1 + n % 4, 'line ' || n
              FROM sensor, generate_series(1, 12) n WHERE serial = 'lab-1'
            """,
            """
            UPDATE ingest_partition SET owner = 'measurements-ingester-7d9f8b6c5-x2x4z', epoch = 3,
                   committed_offset = 1234567, committed_at = now(), lease_until = now() + INTERVAL '1 h'
             WHERE stream = 'measurements.0'
            """,
        ]

        private func json(_ text: String) throws -> [[String: Any]] {
            let any = try JSONSerialization.jsonObject(with: Data(text.utf8))
            return try #require(any as? [[String: Any]] ?? (any as? [String: Any]).map { [$0] })
        }

        private func number(_ any: Any?) -> Double? { any as? Double ?? (any as? Int).map { Double($0) } }

        /// On a terminal, of 80 x 24 by default.
        private func onTerminal(
            _ system: TestSystem, columns: Int = 80, rows: Int = 24, steps: String = "[]", _ arguments: String...,
            changing: [String: String] = [:]
        ) async throws -> Program.Outcome {
            let script = TestServers.root.appending(path: "Tests/EndToEnd/Outside/terminal.py").path
            return try await system.run(
                "/usr/bin/python3",
                [script, "\(columns)", "\(rows)", steps, Program.built("iotctl").path] + arguments,
                changing: changing.merging(["TERM": "xterm", "NO_COLOR": ""]) { old, _ in old },
                deadline: .seconds(120))
        }

        private func lines(_ text: String) -> [String] {
            text.replacing("\r\n", with: "\n").replacing(/\u{1B}\[[0-9;?]*[a-zA-Z]/, with: "").split(separator: "\n")
                .map { String($0) }
        }

        /// A full disk behind stdout is one line and exit code 1 in every verb.
        @Test func aFullOutputIsOneLine() async throws {
            try await withFleet { system in
                for words in [
                    ["get", "sensors"], ["get", "alarms", "-o", "json"], ["get", "commands", "-o", "wide"],
                    ["get", "targets", "-o", "yaml"], ["get", "partitions", "--look", "0s"], ["get", "policies"],
                    ["describe", "sensor", "lab-1"], ["describe", "target", "press-4", "-o", "json"],
                    ["describe", "command", "7fa459ea"], ["logs", "lab-1"], ["audit", "-o", "json"],
                    ["report", "storage"], ["quarantine", "ls"], ["top", "-n", "1"], ["doctor"],
                    ["wait", "sensor", "lab-1", "--for", "state=awake"], ["wait", "command", "7fa459ea"],
                    ["tag", "lab-1", "hall=3"], ["set", "lab-1", "rate=5", "--dry-run"], ["target", "add", "press-5"],
                    ["sleep", "lab-1", "--dry-run"], ["target", "assign", "idle", "lab-1"],
                ] {
                    let result = try await system.run(
                        "/bin/sh", ["-c", "\"$0\" \"$@\" > /dev/full", Program.built("iotctl").path] + words)
                    let lines = result.complaints.filter { !$0.contains("dry run") }
                    #expect(result.status == 1, "\(words): \(result.errors)")
                    #expect(
                        lines.contains(
                            "iotctl: cannot write to standard output: No space left on device; free some space"),
                        "\(words): \(result.errors)")
                    #expect(!result.errors.contains("Error Domain") && !result.errors.contains("Usage"), "\(words)")
                }
            }
        }

        @Test func everyListFitsEightyColumns() async throws {
            try await withFleet { system in
                for what in ["sensors", "alarms", "commands", "targets", "partitions"] {
                    let arguments = ["get", what] + (what == "partitions" ? ["--look", "0s"] : [])
                    let shown = try await system.run(
                        Program.built("iotctl").path, arguments, changing: Self.broker)
                    #expect(shown.status == 0 && !shown.output.contains("\u{1B}"), "\(what): \(shown.errors)")
                    let script = TestServers.root.appending(path: "Tests/EndToEnd/Outside/terminal.py").path
                    let terminal = try await system.run(
                        "/usr/bin/python3", [script, "80", "24", "[]", Program.built("iotctl").path] + arguments,
                        changing: Self.broker.merging(["TERM": "xterm"]) { old, _ in old })
                    #expect(terminal.status == 0, "\(what): \(terminal.errors)")
                    #expect(lines(terminal.output).allSatisfy { $0.count <= 80 }, "\(what): \(terminal.output)")
                    #expect(lines(terminal.output).count >= 2, "\(what)")
                    let wide = try await system.run("iotctl", arguments + ["-o", "wide"], changing: Self.broker)
                    #expect(wide.status == 0)
                    let listed = try await system.run("iotctl", arguments + ["-o", "json"])
                    #expect(try json(listed.output).count >= 1)
                }
                // What a terminal cuts a pipe gets in full.
                let full = try await system.run("iotctl", ["get", "commands"])
                #expect(full.output.contains("1,000,000 Hz were asked of it"))
                let cut = try await onTerminal(system, "get", "commands")
                #expect(cut.output.contains("…") && !cut.output.contains("asked of it"))
                #expect(cut.output.contains("\u{1B}[31mrejected"), "\(cut.output)")
            }
        }

        @Test func commandsAreListedAndDescribed() async throws {
            try await withFleet { system in
                let open = try await system.run(
                    "iotctl", ["get", "commands", "lab-2", "--state", "queued,delivered", "-o", "json"])
                let found = try json(open.output)
                #expect(found.count == 1 && found[0]["command"] as? String == "sleep", "\(open.output)")
                #expect(found[0].keys.contains("send_at") && found[0]["sends"] as? Int == 0)
                #expect(
                    try json(try await system.run("iotctl", ["get", "commands", "--since", "1h", "-o", "json"]).output)
                        .count == 2)
                let limited = try await system.run("iotctl", ["get", "commands", "--limit", "1"])
                #expect(limited.status == 0 && limited.errors.contains("--limit"))
                let mistyped = try await system.run("iotctl", ["get", "commands", "--state", "qeued"])
                #expect(mistyped.status == 64 && mistyped.errors.contains("did you mean queued"))
                let unknown = try await system.run("iotctl", ["get", "commands", "lab-11"])
                #expect(unknown.status == 2 && unknown.errors.contains("did you mean lab-1"))

                let one = try await system.run("iotctl", ["describe", "command", "6fa459ea-ee"])
                #expect(one.status == 0, "\(one.errors)")
                for part in ["hertz=2000", "succeeded", "500ms", "issued", "delivered", "expiry"] {
                    #expect(one.output.contains(part), "\(part): \(one.output)")
                }
                let several = try await system.run("iotctl", ["describe", "command", "6fa"])
                #expect(several.status == 64 && several.output.isEmpty)
                #expect(several.errors.contains("6fa459ea-ee8a") && several.errors.contains("6fa459ea-0000"))
                #expect(try await system.run("iotctl", ["describe", "command", "abc"]).status == 2)
                let detail = try json(
                    try await system.run("iotctl", ["describe", "command", "6fa459ea-ee", "-o", "json"]).output)[0]
                #expect(number(detail["finished_after_s"]) == 2 && number(detail["delivered_after_s"]) == 0.5)
            }
        }

        @Test func commandsAreCancelledUnlessTheyHaveEnded() async throws {
            try await withFleet { system in
                let unknown = try await system.run("iotctl", ["command", "cancel", "6fa459ea-0", "nothing"])
                #expect(unknown.status == 2 && unknown.errors.contains("nothing"))
                #expect(try await system.number("SELECT count(*) FROM command WHERE state = 'cancelled'") == 0)
                let cancelled = try await system.run("iotctl", ["command", "cancel", "6fa459ea-0", "-o", "json"])
                #expect(cancelled.status == 0)
                #expect(cancelled.errors.contains("may still run a copy"), "\(cancelled.errors)")
                #expect(try json(cancelled.output)[0]["cancelled"] as? Bool == true)
                let row = try await system.store.fetchOne("SELECT * FROM command WHERE state = 'cancelled'")
                #expect(try row.text("serial") == "lab-2" && row.optionalText("finished_at") != nil)
                #expect(try row.optionalText("send_at") == nil)
                let again = try await system.run("iotctl", ["command", "cancel", "6fa459ea-0", "7fa4"])
                #expect(again.status == 1 && again.errors.contains("cancelled") && again.errors.contains("rejected"))
                #expect(!again.errors.contains("may still be run"))
            }
        }

        @Test func machinesAndPartitionsAreShown() async throws {
            try await withFleet { system in
                let targets = try json(try await system.run("iotctl", ["get", "targets", "-o", "json"]).output)
                #expect(targets.map { $0["name"] as? String } == ["idle", "press-4"])
                #expect(targets.map { $0["sensors"] as? Int } == [0, 2] && targets[1]["active_alarms"] as? Int == 1)
                let target = try await system.run("iotctl", ["describe", "target", "press-4"])
                #expect(target.status == 0, "\(target.errors)")
                for part in ["2, 1 awake, 1 online", "lab-2", "temperature", "21.5", "31.25"] {
                    #expect(target.output.contains(part), "\(part): \(target.output)")
                }
                let detail = try json(
                    try await system.run("iotctl", ["describe", "target", "press-4", "-o", "json"]).output)[0]
                #expect((detail["members"] as? [[String: Any]])?.count == 2)
                let unknown = try await system.run("iotctl", ["describe", "target", "pres-4"])
                #expect(unknown.status == 2 && unknown.errors.contains("did you mean press-4"))
                let idle = try await system.run("iotctl", ["describe", "target", "idle"])
                #expect(idle.status == 0 && idle.output.contains("Sensors: none"))

                let partitions = try await system.run(
                    "iotctl", ["get", "partitions", "--look", "0s", "-o", "json"], changing: Self.broker)
                #expect(partitions.status == 0 && partitions.errors.contains("lag is not known"))
                let both = try json(partitions.output)
                #expect(both.map { $0["committed_offset"] as? Int } == [1_234_567, nil] && both[0]["lag"] is NSNull)
            }
        }

        @Test func logsAreShownOldestFirst() async throws {
            try await withFleet { system in
                let all = try await system.run("iotctl", ["logs", "lab-1"], changing: Self.broker)
                #expect(all.status == 0 && all.errors.isEmpty, "\(all.errors)")
                let texts = lines(all.output).compactMap { $0.split(separator: " ").last.flatMap { Int($0) } }
                #expect(texts == Array(1...12))
                #expect(all.output.contains("  warning  line 2\n"))
                let grave = try await system.run(
                    "iotctl", ["logs", "lab-1", "--level", "warning", "--since", "65m", "-o", "json"])
                #expect(try json(grave.output).map { $0["text"] as? String } == ["line 7", "line 10", "line 11"])
                let few = try await system.run("iotctl", ["logs", "lab-1", "--limit", "2"])
                #expect(
                    lines(few.output).count == 2 && few.output.contains("line 12") && few.errors.contains("--limit"))
                let none = try await system.run("iotctl", ["logs", "lab-2", "-o", "json"])
                #expect(none.status == 0 && none.output == "[]\n")
                #expect(try await system.run("iotctl", ["logs", "lab-3"]).status == 2)
                #expect(try await system.run("iotctl", ["logs", "lab-1", "--level", "warnin"]).status == 64)
            }
        }

        @Test func waitingEndsWhenItIsSoOrTimeIsUp() async throws {
            try await withFleet { system in
                let met = try await system.run(
                    "iotctl", ["wait", "sensor", "lab-1", "--for", "state=awake", "--for", "drift=none", "-o", "json"])
                #expect(met.status == 0, "\(met.errors)")
                #expect(try json(met.output)[0]["met"] as? Bool == true)
                let late = try await system.run(
                    "iotctl",
                    ["wait", "sensor", "lab-1", "lab-2", "--for", "presence=online", "--timeout", "300ms"])
                #expect(late.status == 3 && late.errors.contains("1 of 2"), "\(late.errors)")
                #expect(late.output.contains("presence=online (offline)"))
                let sleeping = try system.start(
                    "iotctl", ["wait", "sensor", "lab-2", "--for", "reported.rate_hz=500", "--timeout", "60s"])
                let ending = try system.start("iotctl", ["wait", "command", "6fa459ea-0", "--timeout", "60s"])
                try await system.store.run("UPDATE sensor SET reported = '{\"rate_hz\": 500.0}'")
                #expect(try await sleeping.end(within: .seconds(60)).status == 0)
                try await system.store.run("UPDATE command SET state = 'expired' WHERE state = 'queued'")
                #expect(try await ending.end(within: .seconds(60)).status == 0)
                // It ended otherwise than waited for.
                let codes = [("7fa", "succeeded", 4), ("6fa459ea-0", "succeeded", 5), ("6fa459ea-e", "delivered", 0)]
                for (id, goal, code) in codes {
                    let result = try await system.run("iotctl", ["wait", "command", id, "--for", goal])
                    #expect(result.status == Int32(code), "\(id) \(goal): \(result.errors)")
                }
                #expect(
                    try await system.run("iotctl", ["wait", "sensor", "lab-9", "--for", "state=awake"]).status == 2)
                #expect(
                    try await system.run("iotctl", ["wait", "sensor", "lab-1", "--for", "state=awak"]).status == 64)
                #expect(try await system.run("iotctl", ["wait", "command", "nothing"]).status == 2)
            }
        }

        @Test func emptyIsNoError() async throws {
            try await TestSystem.with { system in
                try await Migrations.apply(to: system.store)
                for what in ["sensors", "alarms", "commands", "targets", "partitions"] {
                    let shown = try await system.run("iotctl", ["get", what, "-o", "json"])
                    #expect(shown.status == 0 && shown.output == "[]\n", "\(what): \(shown.output)\(shown.errors)")
                    let terminal = try await onTerminal(system, "get", what)
                    #expect(terminal.status == 0 && lines(terminal.output).count == 1, "\(what): \(terminal.output)")
                }
                let top = try await system.run("iotctl", ["top", "--interval", "100ms"])
                #expect(top.status == 0 && top.output.contains("0 sensors"), "\(top.errors)")
            }
        }

        /// Without the broker what is in the database is shown all the same; without the database nothing is.
        @Test func whoIsAwayIsSaid() async throws {
            try await withFleet { system in
                for arguments in [["watch", "sensors"], ["watch", "commands", "lab-1"], ["logs", "lab-1", "-f"]] {
                    let result = try await system.run("iotctl", arguments, changing: Self.broker)
                    #expect(result.status == 69 && result.output.isEmpty, "\(arguments): \(result.output)")
                    #expect(!result.errors.contains("topsecret") && result.errors.contains("broker"))
                }
                let commands = [
                    ["get", "commands"], ["get", "targets"], ["get", "partitions"], ["describe", "command", "6"],
                    ["describe", "target", "x"], ["command", "cancel", "6"], ["logs", "lab-1"], ["top"],
                    ["wait", "sensor", "lab-1", "--for", "state=awake"], ["wait", "command", "6"],
                    ["watch", "sensors", "lab-1"], ["tail", "lab-1"],
                ]
                for arguments in commands {
                    let result = try await system.run("iotctl", arguments, changing: Self.nowhere)
                    #expect(result.status == 69 && result.output.isEmpty, "\(arguments): \(result.output)")
                    #expect(!result.errors.contains("topsecret") && result.errors.contains("database"))
                }
                let top = try await system.run(
                    "iotctl", ["top", "--interval", "100ms", "-o", "json"], changing: Self.broker)
                #expect(top.status == 0, "\(top.errors)")
                let trouble = try json(top.output)[0]["trouble"] as? String
                #expect(trouble?.contains("broker") == true)
            }
        }

        @Test func topFillsTheScreenAndGivesItBack() async throws {
            try await withFleet { system in
                let steps = #"[["SENSOR", "resize:40:10"], ["frames", "q"]]"#
                let quit = try await onTerminal(
                    system, steps: steps, "top", "--interval", "200ms", changing: Self.broker)
                #expect(quit.status == 0, "\(quit.errors)")
                #expect(quit.errors.contains(#"{"restored": true, "steps": true}"#), "\(quit.errors)")
                #expect(quit.output.contains("\u{1B}[?1049h") && quit.output.hasSuffix("\u{1B}[?1049l"))
                let interrupted = try await onTerminal(
                    system, steps: #"[["SENSOR", "\u0003"]]"#, "top", changing: Self.broker)
                #expect(interrupted.status == 0, "\(interrupted.errors)")
                #expect(interrupted.errors.contains(#"{"restored": true, "steps": true}"#), "\(interrupted.errors)")
                #expect(interrupted.output.hasSuffix("\u{1B}[?1049l"))
                let counted = try await onTerminal(
                    system, "top", "--interval", "100ms", "-n", "2", changing: Self.broker)
                #expect(counted.status == 0 && counted.errors.contains(#""restored": true"#), "\(counted.errors)")
                // No terminal: plain.
                let plain = try await system.run("iotctl", ["top", "--interval", "100ms", "-n", "2", "-o", "json"])
                #expect(plain.status == 0 && lines(plain.output).count == 2, "\(plain.errors)")
                let text = try await system.run("iotctl", ["top", "--interval", "100ms"])
                #expect(text.output.contains("2 sensors   alarms 1 active") && !text.output.contains("\u{1B}"))
            }
        }

        /// The whole screen is used and nothing is cut off, whatever its size; keys scroll, filter and end it.
        @Test(arguments: [(60, 20), (200, 50)])
        func topFitsAndObeysKeys(_ columns: Int, _ rows: Int) async throws {
            try await withFleet { system in
                try await system.store.run(
                    "INSERT INTO sensor (serial) SELECT 'gateway-' || n FROM generate_series(1, 100) n")
                let steps = #"""
                    [["of 102", "\u001b[F"], ["-102 of 102", "\u001b[5~"], ["of 102", "/"], ["Enter keep", "lab-2\r"],
                     ["1-1 of 1 ", "q"]]
                    """#
                let shown = try await onTerminal(
                    system, columns: columns, rows: rows, steps: steps, "top", "--interval", "200ms",
                    changing: Self.broker)
                #expect(shown.status == 0, "\(shown.errors)")
                #expect(shown.errors.contains(#"{"restored": true, "steps": true}"#), "\(shown.errors)\(shown.output)")
                let screens = shown.output.components(separatedBy: "\u{1B}[H").dropFirst()
                    .map { $0.components(separatedBy: "\u{1B}[J")[0] }
                for screen in screens {
                    // The terminal puts a carriage return before each line feed.
                    let lines = String(decoding: screen.utf8.filter { $0 != UInt8(ascii: "\r") }, as: UTF8.self)
                        .replacing(/\u{1B}\[[0-9;?]*[a-zA-Z]/, with: "").components(separatedBy: "\n")
                    #expect(lines.count == rows && lines.allSatisfy { $0.count <= columns }, "\(lines)")
                    #expect(lines.contains { $0.hasPrefix("STREAM") && $0.hasSuffix("LAG") }, "\(lines)")
                    #expect(lines.contains { $0.hasPrefix("SENSOR") && $0.hasSuffix("ALARMS") }, "\(lines)")
                }
                let last = try #require(screens.last)
                #expect(last.contains("lab-2") && !last.contains("lab-1") && !last.contains("gateway"), "\(last)")
            }
        }

        /// The paragraphs of a help fit a terminal of 80 columns, and are not wrapped twice.
        @Test func helpIsWrappedOnce() async throws {
            try await TestSystem.with { system in
                let help = try await onTerminal(system, columns: 80, "top", "--help")
                #expect(help.status == 0 && help.output.contains("OVERVIEW: "), "\(help.errors)")
                #expect(lines(help.output).allSatisfy { $0.count <= 80 }, "\(help.output)")
                let version = try await system.run("iotctl", ["--version"])
                #expect(version.status == 0 && version.output.hasPrefix("iotctl "))
            }
        }
    }
}
