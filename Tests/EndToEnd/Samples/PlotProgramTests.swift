import Foundation
import Postgres
import Store
import TestSupport
import Testing

extension EndToEnd {
    /// `iotctl plot` as a process, with a terminal and without one.
    @Suite struct Plots {
        private struct Plot: Decodable {
            struct Point: Decodable {
                var time: String
                var n: Int
                var min: Double?
                var mean: Double?
                var max: Double?
            }

            struct Gap: Decodable {
                var from: String
                var to: String
            }

            var channel: String
            var unit: String
            var source: String
            var points: [Point]
            var gaps: [Gap]
        }

        private static let from = "2026-01-05T09:00:00Z"
        private static let to = "2026-01-05T09:10:00Z"

        /// Two channels: x of 100 Hz in frames of a second without the fourth minute, y of one value each 20 s.
        private func fill(_ system: TestSystem) async throws {
            for sql: SQL in [
                """
                WITH s AS (INSERT INTO sensor (serial) VALUES ('lab-0001'), ('lab-0002') RETURNING sensor_id)
                INSERT INTO channel (sensor_id, channel, name, unit)
                SELECT sensor_id, c, (ARRAY['x', 'y'])[c + 1], (ARRAY['m/s²', '°C'])[c + 1] FROM s, generate_series(0, 1) c
                """,
                """
                INSERT INTO measurement ("time", time_ns, received_at, sensor_id, channel, boot_id, sequence, sample_rate_hz, n,
                                         clock, min, max, mean, rms, finite, samples)
                SELECT timestamptz '2026-01-05 09:00:00 UTC' + f * INTERVAL '1 s', 0, now(), sensor_id, 0, 1, f, 100, 100, 0,
                       f, f + 99, f + 49.5, f, 100, (SELECT array_agg((f + k)::real ORDER BY k) FROM generate_series(0, 99) k)
                  FROM sensor, generate_series(0, 599) f WHERE serial = 'lab-0001' AND f NOT BETWEEN 180 AND 239
                """,
                """
                INSERT INTO measurement ("time", time_ns, received_at, sensor_id, channel, sample_rate_hz, n, clock, mean, min, max,
                                         rms, finite)
                SELECT timestamptz '2026-01-05 09:00:00 UTC' + f * INTERVAL '20 s', 0, now(), sensor_id, 1, 0, 1, 0, v, v, v, v, 1
                  FROM sensor, generate_series(0, 29) f, LATERAL (SELECT 20 + f::float8 / 10 AS v) w WHERE serial = 'lab-0001'
                """,
            ] { try await system.store.run(sql) }
        }

        private func plot(_ system: TestSystem, _ words: [String]) async throws -> Program.Outcome {
            try await system.run("iotctl", ["plot", "lab-0001", "--from", Self.from, "--to", Self.to] + words)
        }

        @Test func plottedNumbersAreThoseOfTheSamples() async throws {
            try await TestSystem.with { system in
                _ = try await Migrations.apply(to: system.store)
                try await fill(system)
                let result = try await plot(system, ["-o", "json"])
                #expect(result.status == 0 && result.errors.isEmpty, "\(result.errors)")
                let plots = try JSONDecoder().decode([Plot].self, from: Data(result.output.utf8))
                try #require(plots.map(\.channel) == ["x", "y"] && plots.map(\.unit) == ["m/s²", "°C"])
                #expect(plots.map(\.source) == ["buckets", "samples"])
                for plot in plots {
                    let samples = try await system.store.fetchOne(
                        """
                        SELECT count(*) AS n, min(value), max(value), avg(value) AS mean
                          FROM samples('lab-0001', \(plot.channel), \(Self.from), \(Self.to))
                        """)
                    #expect(try plot.points.reduce(0) { $0 + $1.n } == samples.integer("n", as: Int.self))
                    #expect(try plot.points.compactMap(\.min).min() == samples.double("min"))
                    #expect(try plot.points.compactMap(\.max).max() == samples.double("max"))
                }
                #expect(plots[1].points.compactMap(\.mean) == (0..<30).map { 20 + Double($0) / 10 })
                #expect(plots[0].gaps.map(\.to) == ["2026-01-05T09:04:00.000000000Z"] && plots[1].gaps.isEmpty)

                let table = try await plot(system, ["-o", "csv", "--channel", "y"])
                let lines = table.output.split(separator: "\n")
                #expect(table.status == 0 && lines.count == 31 && lines[0] == "channel,time,n,min,mean,max,rms")
                #expect(lines[1] == "y,2026-01-05T09:00:00.000000000Z,1,20.0,20.0,20.0,20.0")
                let yaml = try await plot(system, ["-o", "yaml", "--channel", "1", "--channel", "y"])
                #expect(yaml.status == 0 && yaml.output.components(separatedBy: "channel: y").count == 2)
            }
        }

        @Test func isReadableWithoutColourAndInANarrowTerminal() async throws {
            try await TestSystem.with { system in
                _ = try await Migrations.apply(to: system.store)
                try await fill(system)
                let plain = try await plot(system, [])
                let lines = plain.output.split(separator: "\n").map { String($0) }
                #expect(plain.status == 0 && !plain.output.contains("\u{1B}") && lines.allSatisfy { $0.count <= 80 })
                #expect(lines.first == "lab-0001: 10m from 2026-01-05T09:00:00Z")
                #expect(
                    lines.contains("x in m/s²: 0 to 698") && lines.contains("y in °C: 20 to 22.9"), "\(plain.output)")
                #expect(lines.contains { $0.hasPrefix("54000 samples in ") && $0.contains(" buckets, 1 gap, ") })
                #expect(lines.contains("30 samples, no gaps") && lines.contains { $0.contains("09:05") })
                let narrow = try await plot(system, ["--channel", "x", "--width", "40", "--height", "5"])
                let rows = narrow.output.split(separator: "\n").map { String($0) }
                #expect(rows.count == 10 && rows.allSatisfy { $0.count <= 40 }, "\(narrow.output)")

                let script = TestServers.root.appending(path: "Tests/EndToEnd/Outside/terminal.py").path
                let words = [Program.built("iotctl").path, "plot", "lab-0001", "--from", Self.from, "--to", Self.to]
                for (columns, environment) in [("40", ["TERM": "xterm"]), ("90", ["TERM": "xterm", "NO_COLOR": "1"])] {
                    let terminal = try await system.run(
                        "/usr/bin/python3", [script, columns, "24", "[]"] + words, changing: environment)
                    let text = terminal.output.replacing("\r\n", with: "\n")
                    if environment["NO_COLOR"] != nil { #expect(!text.contains("\u{1B}[33m"), "\(text)") }
                    let shown = text.replacing(/\u{1B}\[[0-9;?]*[a-zA-Z]/, with: "").split(separator: "\n")
                    #expect(terminal.status == 0 && shown.allSatisfy { $0.count <= Int(columns) ?? 0 }, "\(text)")
                    #expect(shown.contains { $0.contains("⣿") || $0.contains("⡇") } && shown.count <= 24, "\(text)")
                }
            }
        }

        @Test func whatCannotBeIsSaidInOneLine() async throws {
            try await TestSystem.with { system in
                _ = try await Migrations.apply(to: system.store)
                try await fill(system)
                for (words, status, text) in [
                    (["lab-0003", "--from", "1h"], 2, "no sensor lab-0003; did you mean"),
                    (["lab-0001", "--channel", "z", "--from", "1h"], 2, "no channel z"),
                    (
                        ["lab-0001", "--from", "1h", "--to", "30m"], 2,
                        "lab-0001 has no data of x, y from 20"
                    ),
                    (["lab-0001", "--channel", "x", "--from", "1h"], 2, "; the newest is of 2026-01-05T09:09:59Z"),
                    (["lab-0002", "--from", "1h"], 2, "nor at any other time"),
                    (["lab-0001", "--from", "1h", "--to", "2h"], 64, "--to is not after --from"),
                    (["lab-0001", "--from", "1h", "--width", "10"], 64, "--width must be 20 to 500"),
                    (["lab-0001", "--from", "1h", "--height", "1"], 64, "--height must be 2 to 200"),
                    (["lab-0001"], 64, "--from"), (["lab-0001", "--from", "1h", "-o", "xml"], 64, "xml"),
                ] as [([String], Int32, String)] {
                    let result = try await system.run("iotctl", ["plot"] + words)
                    #expect(result.status == status && result.output.isEmpty, "\(words): \(result.errors)")
                    #expect(result.errors.contains(text), "\(words): \(result.errors)")
                    if status == 2 { #expect(result.errors.split(separator: "\n").count == 1, "\(result.errors)") }
                }
            }
        }
    }
}
