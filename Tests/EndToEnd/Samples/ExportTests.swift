import Foundation
import Postgres
import Store
import TestSupport
import Testing

extension EndToEnd {
    /// `iotctl export` and `iotctl import` as processes: what goes out comes back, once.
    @Suite struct Exporting {
        private func path(_ system: TestSystem, _ name: String) -> String { system.folder.appending(path: name).path }

        private func export(_ system: TestSystem, _ words: [String]) async throws -> Program.Outcome {
            let result = try await system.run("iotctl", ["export"] + words)
            #expect(result.status == 0 && result.output.isEmpty, "\(words): \(result.errors)")
            return result
        }

        private func load(_ system: TestSystem, _ words: [String]) async throws -> [String: Any] {
            let result = try await system.run("iotctl", ["import", "-o", "json"] + words)
            #expect(result.status == 0, "\(words): \(result.errors)")
            return try #require(try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
        }

        private func bytes(_ system: TestSystem, _ name: String) throws -> Data {
            try Data(contentsOf: URL(filePath: path(system, name)))
        }

        /// A file with another serial, which must be as long.
        private func renamed(_ data: Data, _ from: String, _ to: String) throws -> Data {
            var data = data
            let range = try #require(data.range(of: Data("sensor=\(from)".utf8)))
            data.replaceSubrange(range, with: Data("sensor=\(to)".utf8))
            return data
        }

        /// Rows of a sensor's channel that another one has not, whatever start they are of.
        private func missing(_ system: TestSystem, _ left: String, _ right: String, _ channel: String) async throws
            -> Int64
        {
            func rows(_ serial: String) -> SQL {
                """
                SELECT "time", time_ns, c.name, sample_rate_hz, n, min, max, mean, rms, finite, array_send(samples) AS s,
                       counts, count_scale, count_offset, float8send(mean) AS m, m.clock, device_time_ns
                  FROM measurement m JOIN sensor USING (sensor_id) JOIN channel c USING (sensor_id, channel)
                 WHERE serial = \(serial) AND c.name = \(channel)
                """
            }
            return try await system.number("SELECT count(*) FROM (\(rows(left)) EXCEPT ALL \(rows(right))) d")
        }

        private func simulate(_ system: TestSystem, _ words: [String]) async throws {
            let report = try SimulatorReport(try await system.run("sensor-simulator", ["--for", "3s"] + words))
            try #require(report.confirmedFrames > 0)
            let frames = report.sensors.reduce(0) { $0 + $1.confirmedFrames }
            let serials = report.sensors.map(\.serial)
            try await eventually("\(frames) frames are stored") {
                try await system.number(
                    """
                    SELECT sum(frames) FROM sensor_boot JOIN sensor USING (sensor_id)
                     WHERE serial = ANY (\(serials)::text[])
                    """) == frames
            }
            try await eventually("its channels have names") {
                try await system.number(
                    """
                    SELECT count(*) FROM channel JOIN sensor USING (sensor_id)
                     WHERE serial = ANY (\(serials)::text[])
                    """) > 0
            }
        }

        /// Floats, counts and single values; a rate that is none of WAV's; NaN, infinities and the like; gaps; history.
        @Test func whatGoesOutComesBack() async throws {
            try await Services.with(replicas: 1) { services in
                let system = services.system
                try await simulate(system, ["--kind", "vibration:1000x1", "--serial-prefix", "f"])
                try await simulate(system, ["--kind", "vibration:1000x1", "--serial-prefix", "c", "--counts"])
                try await simulate(system, ["--kind", "climate:20x1", "--serial-prefix", "v"])
                // A month ago, with a gap, at 7.3 Hz.
                try await system.store.run(
                    """
                    INSERT INTO measurement ("time", time_ns, received_at, sensor_id, channel, boot_id, sequence,
                        sample_rate_hz, n, min, max, mean, rms, clock, samples, finite)
                    SELECT date_trunc('minute', now()) - k * INTERVAL '40 s' - INTERVAL '30 days', 123, now(), sensor_id, 0, 5, 3 - k,
                           7.3, 6, -1e-45::real, 1, 1 / 3.0::float8, sqrt(1 / 3.0::float8), 0,
                           '{NaN,Infinity,-Infinity,-0,-1e-45,1}', 3
                      FROM sensor CROSS JOIN generate_series(0, 3) k WHERE serial = 'f-0001'
                    """)
                for (serial, channel) in [("f", "x"), ("c", "y"), ("v", "temperature")] {
                    for format in ["csv", "wav"] {
                        let whole = ["\(serial)-0001", "--channel", channel, "--from"]
                        let from = format == "wav" && serial == "f" ? "1h" : "40d"  // of one rate
                        let first = try await export(system, whole + [from, path(system, "1.\(format)")])
                        let copy = "\(serial)-\(format == "csv" ? "csv1" : "wav1")"
                        let words = [path(system, "1.\(format)"), "--sensor", copy]
                        let before = try await load(system, words + ["--dry-run"])
                        #expect(before["stored"] as? Int == 0 && before["duplicates"] as? Int == 0)
                        let made = try await system.number("SELECT count(*) FROM sensor WHERE serial = \(copy)")
                        #expect(made == 0, "a dry run makes nothing")
                        let loaded = try await load(system, words)
                        #expect(first.errors.contains("\(loaded["samples"] ?? "") samples of \(channel)"))
                        #expect(
                            loaded["stored"] as? Int == loaded["samples"] as? Int && loaded["duplicates"] as? Int == 0)
                        #expect((loaded["gaps"] as? Int ?? 0 > 2) == (from == "40d" && serial == "f"), "\(loaded)")
                        let again = [copy, "--channel", channel, "--from", "40d", path(system, "2.\(format)")]
                        _ = try await export(system, again)
                        let (one, two) = (try bytes(system, "1.\(format)"), try bytes(system, "2.\(format)"))
                        #expect(try renamed(one, "\(serial)-0001", copy) == two, "\(serial) \(format)")
                        // Once: the same file, and the same samples in the other format or under another name.
                        let twice = try await load(system, [path(system, "2.\(format)")])
                        #expect(
                            twice["stored"] as? Int == 0 && twice["duplicates"] as? Int == loaded["samples"] as? Int)
                        let after = try await load(system, words + ["--dry-run"])
                        #expect(
                            after["stored"] as? Int == 0 && after["duplicates"] as? Int == loaded["samples"] as? Int)
                        #expect(
                            try await system.number(
                                "SELECT sum(n) FROM measurement JOIN sensor USING (sensor_id) WHERE serial = \(copy)")
                                == (loaded["samples"] as? Int).map(Int64.init))
                        if from == "40d" {
                            #expect(try await missing(system, "\(serial)-0001", copy, channel) == 0)
                            #expect(try await missing(system, copy, "\(serial)-0001", channel) == 0)
                        }
                        // What rollups must not miss.
                        #expect(
                            try await system.number(
                                """
                                SELECT sum(n) FROM (SELECT sensor_id, n FROM rollup_late UNION ALL
                                                    SELECT sensor_id, n FROM measurement_1m) r
                                  JOIN sensor USING (sensor_id) WHERE serial = \(copy)
                                """) == (loaded["samples"] as? Int).map(Int64.init))
                    }
                }
                // Into the sensor that has them.
                let rows = try await system.number("SELECT count(*) FROM measurement")
                for file in ["1.csv", "1.wav"] {
                    for dry in [[], ["--dry-run"]] {
                        let back = try await load(system, [path(system, file)] + dry)
                        #expect(back["stored"] as? Int == 0 && back["duplicates"] as? Int == back["samples"] as? Int)
                    }
                }
                #expect(try await system.number("SELECT count(*) FROM measurement") == rows)
                let beside = try await load(system, [path(system, "1.csv"), "--overlap"])
                #expect(beside["stored"] as? Int == beside["samples"] as? Int)
                try await expectPartsAndPipes(system)
                try await expectClearFaults(system)
            }
        }

        private func expectPartsAndPipes(_ system: TestSystem) async throws {
            // Borders within rows: two parts are the whole.
            let middle = try await system.store.fetchOne(
                """
                SELECT to_char(min("time") + INTERVAL '1.2345 s', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS t FROM measurement m
                  JOIN sensor USING (sensor_id) WHERE serial = 'f-0001' AND m.boot_id > 5
                """
            ).text("t")
            _ = try await export(
                system, ["f-0001", "--channel", "x", "--from", "1h", "--to", middle, path(system, "a.wav")])
            _ = try await export(system, ["f-0001", "--channel", "x", "--from", middle, path(system, "b.wav")])
            for part in ["a.wav", "b.wav"] { _ = try await load(system, [path(system, part), "--sensor", "parts"]) }
            // A part, whose borders lie within rows, is a part of what is there; what another channel has is not.
            let part = try await load(system, [path(system, "b.wav")])
            #expect(part["stored"] as? Int == 0 && part["duplicates"] as? Int == part["samples"] as? Int)
            let others = try await system.run("iotctl", ["import", path(system, "b.wav"), "--channel", "y"])
            #expect(others.status == 1 && others.errors.contains("has other samples") && others.output.isEmpty)
            func samples(_ serial: String) -> SQL {
                "SELECT unix_ns, value FROM samples(\(serial), 'x', now() - INTERVAL '1 hour', now())"
            }
            let (whole, parts) = (samples("f-0001"), samples("parts"))
            #expect(try await system.number("SELECT count(*) FROM (\(whole) EXCEPT ALL \(parts)) d") == 0)
            #expect(try await system.number("SELECT count(*) FROM (\(parts) EXCEPT ALL \(whole)) d") == 0)
            #expect(try await system.number("SELECT count(*) FROM (\(parts)) d") > 2000)

            let pipe = try await system.run("iotctl", ["export", "v-0001", "--channel", "temperature", "--from", "1h"])
            #expect(pipe.status == 0 && pipe.output.hasPrefix("# iotctl export 1\n# sensor=v-0001\n"))
            #expect(pipe.output.contains("\nunix_ns,time,value,count\n") && pipe.output.contains("\n# end samples="))
            #expect(pipe.errors.hasPrefix("iotctl: ") && pipe.errors.split(separator: "\n").count == 1)

            // A recording of somebody else's has no time.
            let foreign = "/usr/share/sounds/alsa/Front_Center.wav"
            let unsaid = try await system.run("iotctl", ["import", foreign])
            #expect(unsaid.status == 1 && unsaid.errors.contains("--start"), "\(unsaid.errors)")
            let words = [foreign, "--sensor", "mic", "--channel", "sound", "--start", "2d"]
            let recording = try await load(system, words)
            #expect(
                recording["stored"] as? Int ?? 0 > 48_000 && recording["stored"] as? Int == recording["samples"] as? Int
            )
            #expect(
                try await system.number(
                    "SELECT count(*) FROM measurement JOIN sensor USING (sensor_id) WHERE serial = 'mic' AND sample_rate_hz = 48000 AND clock = 0"
                ) > 10)
            // A recording is no sign of life, also one of a minute ago.
            let young = try await load(system, [foreign, "--sensor", "mic-2", "--channel", "sound", "--start", "1m"])
            #expect(young["stored"] as? Int == recording["stored"] as? Int)
            _ = try await system.store.judgePresence(listeningSeconds: 1000)
            #expect(
                try await system.number(
                    """
                    SELECT count(*) FROM latest JOIN sensor USING (sensor_id) WHERE serial IN ('mic', 'mic-2')
                       AND received_at IS NULL AND clock_offset_s IS NULL AND presence = 'unknown' AND last_seen IS NULL
                    """) == 2)
        }

        private func expectClearFaults(_ system: TestSystem) async throws {
            func fault(_ words: [String], _ status: Int32, _ text: String) async throws {
                let result = try await system.run("iotctl", words)
                #expect(result.status == status && result.output.isEmpty, "\(words): \(result.status) \(result.errors)")
                #expect(result.errors.contains(text), "\(words): \(result.errors)")
                if status != 64 { #expect(result.errors.split(separator: "\n").count == 1, "\(result.errors)") }
            }
            let file = path(system, "none.csv")
            try await fault(["export", "f-0002", "--from", "1h", file], 2, "no sensor f-0002; did you mean")
            try await fault(
                ["export", "v-0001", "--channel", "temperatur", "--from", "1h", file], 2, "did you mean temperature?")
            try await fault(["export", "f-0001", "--from", "1h", file], 64, "give --channel: x, y, z")
            try await fault(
                ["export", "f-0001", "--channel", "x", "--from", "90d", "--to", "80d", file], 2,
                "f-0001 has no samples of x")
            try await fault(["export", "f-0001", "--channel", "x", "--from", "1h", "none.ogg"], 64, ".csv")
            try await fault(["export", "f-0001", "--channel", "x", "--from", "1h", "-o", "wav"], 64, "needs a name")
            try await fault(
                ["export", "f-0001", "--channel", "x", "--from", "1h", "/nowhere/x.csv"], 1,
                "/nowhere/x.csv can't be written")
            // Two rates in one WAV.
            try await fault(
                ["export", "f-0001", "--channel", "x", "--from", "40d", path(system, "none.wav")], 1,
                "rate changes from 7.3 Hz to 1000.0 Hz")
            let left = try FileManager.default.contentsOfDirectory(atPath: system.folder.path)
            #expect(!left.contains { $0.hasPrefix("none") || $0.hasSuffix(".part") }, "\(left)")

            let before = try await system.number("SELECT count(*) FROM measurement")
            for (name, text) in [("a.wav", "the WAV file"), ("2.csv", "the CSV ends")] {
                let cut = try bytes(system, name).dropLast(40)
                try cut.write(to: URL(filePath: path(system, "cut")))
                try await fault(["import", path(system, "cut"), "--sensor", "cut"], 1, text)
            }
            try Data("hello\n".utf8).write(to: URL(filePath: path(system, "hello.wav")))
            try await fault(["import", path(system, "hello.wav")], 1, "neither WAV nor CSV of iotctl export")
            try await fault(["import", path(system, "missing.wav")], 1, "can't be read")
            try await fault(["import", system.folder.path], 1, "can't be read")
            try await fault(
                ["import", path(system, "1.csv"), "--sensor", "a.b"], 64, "not a serial number: --sensor a.b")
            #expect(try await system.number("SELECT count(*) FROM measurement") == before)
            #expect(try await system.number("SELECT count(*) FROM sensor WHERE serial = 'cut'") == 0)
        }
    }
}
