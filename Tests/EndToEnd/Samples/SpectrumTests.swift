import Foundation
import Postgres
import Store
import TestSupport
import Testing

extension EndToEnd {
    /// `iotctl spectrum` as a process, with a terminal and without one.
    @Suite struct Spectra {
        private func lines(_ text: String) -> [String] {
            text.replacing("\r\n", with: "\n").replacing(/\u{1B}\[[0-9;?]*[a-zA-Z]/, with: "").split(separator: "\n")
                .map { String($0) }
        }

        /// Ten seconds of 1 kHz that end a minute ago: a mean of 4, a sine of 2 at 100.3 Hz and one of 0.2 at 301 Hz.
        private func fill(_ system: TestSystem) async throws {
            try await system.store.run(
                """
                WITH s AS (INSERT INTO sensor (serial) VALUES ('lab-1'), ('lab-2') RETURNING sensor_id, serial),
                     c AS (INSERT INTO channel (sensor_id, channel, name, unit) SELECT sensor_id, 0, 'x', 'm/s²' FROM s)
                INSERT INTO measurement ("time", time_ns, received_at, sensor_id, channel, boot_id, sequence, sample_rate_hz, n,
                                         clock, samples)
                SELECT date_trunc('minute', now()) - INTERVAL '70 s' + f * INTERVAL '500 ms', 0, now(), sensor_id, 0, 1, f, 1000, 500,
                       0, (SELECT array_agg((4 + 2 * sin(2 * pi() * 100.3 * (f * 500 + k) / 1000)
                                              + 0.2 * sin(2 * pi() * 301 * (f * 500 + k) / 1000))::real ORDER BY k)
                             FROM generate_series(0, 499) k)
                  FROM s, generate_series(0, 19) f WHERE serial = 'lab-1'
                """)
        }

        @Test func frequenciesAreFound() async throws {
            try await TestSystem.with { system in
                _ = try await Migrations.apply(to: system.store)
                try await fill(system)
                let result = try await system.run("iotctl", ["spectrum", "lab-1", "-o", "json", "--peaks", "2"])
                #expect(result.status == 0 && result.errors.isEmpty, "\(result.errors)")
                let report = try #require(
                    try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
                let peaks = try #require(report["peaks"] as? [[String: Double]])
                let figures = peaks.map { [$0["frequency_hz"] ?? 0, $0["amplitude"] ?? 0] }
                for (figure, wanted) in zip(figures, [[100.3, 2], [301, 0.2]]) {
                    #expect(abs(figure[0] - wanted[0]) < 0.01 && abs(figure[1] / wanted[1] - 1) < 0.01, "\(figures)")
                }
                #expect(peaks.count == 2 && (report["amplitudes"] as? [Double])?.count == 2049)
                #expect(report["resolution_hz"] as? Double == 1000.0 / 4096 && report["unit"] as? String == "m/s²")
                #expect(abs(((report["amplitudes"] as? [Double])?[0] ?? 0) - 4) < 0.01)

                // Without a terminal no plot.
                let plain = try await system.run("iotctl", ["spectrum", "lab-1", "--channel", "x", "-n", "1024"])
                #expect(plain.status == 0 && !plain.output.contains("█") && !plain.output.contains("\u{1B}"))
                #expect(plain.output.hasPrefix("lab-1 x: 1024 samples at 1000 Hz, a line each 0.976562 Hz, |mean| "))
                #expect(plain.output.contains("100.3") && plain.output.contains("-20.0"))
                let script = TestServers.root.appending(path: "Tests/EndToEnd/Outside/terminal.py").path
                for words in [[], ["--linear"]] {
                    let terminal = try await system.run(
                        "/usr/bin/python3",
                        [script, "80", "24", "[]", Program.built("iotctl").path, "spectrum", "lab-1"] + words,
                        changing: ["TERM": "xterm"])
                    let shown = lines(terminal.output)
                    #expect(terminal.status == 0 && shown.allSatisfy { $0.count <= 80 }, "\(terminal.output)")
                    #expect(
                        shown.contains { $0.contains("█") } && shown.contains { $0.hasSuffix("500 Hz") }, "\(shown)")
                    #expect(shown.contains { $0.contains("-40 dB") } == words.isEmpty)
                    #expect(shown.first?.hasPrefix("lab-1 x: 4096 samples at 1000 Hz, a line each ") == true)
                }
            }
        }

        @Test func whatCannotBeIsSaid() async throws {
            try await TestSystem.with { system in
                _ = try await Migrations.apply(to: system.store)
                try await fill(system)
                for (words, status, text) in [
                    (["lab-3"], 2, "no sensor lab-3; did you mean"), (["lab-1", "--channel", "y"], 2, "no channel y"),
                    (["lab-2"], 2, "no 4096 consecutive finite samples of x"),
                    (["lab-1", "-n", "16384"], 2, "fewer with -n"), (["lab-1", "--at", "1h"], 2, "another --at"),
                    (["lab-1", "-n", "1000"], 64, "power of two"), (["lab-1", "--peaks", "0"], 64, "--peaks"),
                ] as [([String], Int32, String)] {
                    let result = try await system.run("iotctl", ["spectrum"] + words)
                    #expect(result.status == status && result.output.isEmpty, "\(words): \(result.errors)")
                    #expect(result.errors.contains(text), "\(words): \(result.errors)")
                }
                let away = try await system.run(
                    "iotctl", ["spectrum", "lab-1"], changing: ["DATABASE_URL": "postgresql://a:b@127.0.0.1:1/x"])
                #expect(away.status == 69 && away.output.isEmpty)
            }
        }
    }
}
