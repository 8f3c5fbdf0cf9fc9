import Foundation
import Model
import Simulation
import Testing

@testable import Simulator

@Suite struct SensorPlanTests {
    private func plan(
        count: Int? = nil, kinds: [String] = [], recordings: [String] = [], prefix: String = "p", counts: Bool = false
    ) -> SensorPlan {
        SensorPlan(
            count: count, kinds: kinds, recordings: recordings, recordingHertz: 100, prefix: prefix,
            sendsCounts: counts,
            samplesPerFrameMax: nil, frameMilliseconds: 100, seed: 1)
    }

    /// Kind and rate of each sensor, "vibration 5000.0".
    private func sensors(_ plan: SensorPlan) throws -> [String] {
        try plan.configurations().map { "\($0.source.name) \($0.rate?.hertz ?? 0)" }
    }

    private func fault(_ plan: SensorPlan) -> String? {
        do {
            _ = try plan.configurations()
            return nil
        } catch {
            return "\(error)"
        }
    }

    @Test func byDefaultTenSensorsOfAllKinds() throws {
        let configurations = try plan().configurations()
        #expect(configurations.map(\.serial.text) == (1...10).map { $0 < 10 ? "p-000\($0)" : "p-00\($0)" })
        #expect(
            configurations.prefix(5).map(\.source.name) == ["vibration", "climate", "odometer", "gps", "vibration"])
        #expect(Set(configurations.map(\.seed)).count == 10)
        #expect(configurations.allSatisfy { $0.rate == nil })
    }

    @Test(
        arguments: [
            (["vibration:1000"], nil, ["vibration 1000.0"]),
            (["vibration:1000", "gps"], nil, ["vibration 1000.0", "gps 0.0"]),
            (["vibration"], 10, Array(repeating: "vibration 0.0", count: 10)),
            (["vibration:5000x2"], nil, ["vibration 5000.0", "vibration 5000.0"]),
            (["climatex1", "gps:0.5x1"], nil, ["climate 0.0", "gps 0.5"]),
            (["climate", "gps:2"], 3, ["climate 0.0", "gps 2.0", "climate 0.0"]),
            (["climatex2", "gps"], nil, ["climate 0.0", "climate 0.0", "gps 0.0"]),
            (["gps", "climatex2"], 4, ["climate 0.0", "climate 0.0", "gps 0.0", "gps 0.0"]),
            (["vibration:1e3x1"], nil, ["vibration 1000.0"]),
            (["climatex2"], 2, ["climate 0.0", "climate 0.0"]),
        ] as [([String], Int?, [String])])
    func kindsRatesAndCounts(kinds: [String], count: Int?, sensors expected: [String]) throws {
        #expect(try sensors(plan(count: count, kinds: kinds)) == expected)
    }

    @Test(arguments: [
        "", "pump", "Vibration", "vibration:", "vibration:x2", "vibration:0", "vibration:-1", "vibration:nan",
        "vibration:inf", "vibration:1e10", "vibration:5000x", "vibrationx0", "vibrationx-1", "vibrationx100001",
        "vibrationx1.5", "vibrationy", "vibration 5000", "vibration:5000x2x3", "gps:1,2",
    ])
    func wrongKindsAreNamed(kind: String) {
        #expect(
            fault(plan(kinds: ["climate", kind]))
                == "--kind \(kind): not KIND[:HERTZ][xCOUNT] with KIND one of vibration, climate, odometer, gps")
    }

    @Test(
        arguments: [
            (["climatex2"], 5, "--sensors 5 contradicts --kind, whose counts add up to 2"),
            (["climatex2", "gpsx1"], 2, "--sensors 2 contradicts --kind, whose counts add up to 3"),
            (["climatex2", "gps"], 2, "--sensors 2 contradicts --kind, which asks for at least 3"),
            (["climate", "gps"], 1, "--sensors 1 contradicts --kind, which asks for at least 2"),
        ])
    func aNumberThatContradictsTheKindsIsRefused(kinds: [String], count: Int, line: String) {
        #expect(fault(plan(count: count, kinds: kinds)) == line)
    }

    @Test(arguments: ["a.b", "ä", "a/b", String(repeating: "p", count: 60)])
    func aWrongPrefixIsNamed(prefix: String) {
        #expect(
            fault(plan(count: 1, prefix: prefix))
                == "--serial-prefix \(prefix): \(prefix)-0001 is not a serial number (1–64 of A–Z a–z 0–9 _ -)")
    }

    @Test func theHostNameMakesAPrefix() throws {
        #expect(fault(plan(count: 1, prefix: SensorPlan.hostPrefix)) == nil)
    }

    @Test func countsAreAnEncoding() throws {
        #expect(try plan(count: 1).configurations().map(\.encoding) == [.floats])
        #expect(try plan(count: 1, counts: true).configurations().map(\.encoding) == [.counts])
    }

    /// Runs `body` with a folder of CSV recordings of those paths, which is removed in any case.
    private func withRecordings(_ paths: [String], _ body: ([String]) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "plan-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let files = paths.map { folder.appending(path: $0) }
        for file in files {
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data("value\n1\n2\n3\n".utf8).write(to: file)
        }
        try body(files.map(\.path))
    }

    @Test func recordingsAreSensorsOfTheirOwn() throws {
        try withRecordings(["engine 1.csv"]) { paths in
            #expect(try plan(recordings: paths).configurations().map(\.serial.text) == ["p-engine-1"])
            let both = try plan(count: 1, recordings: paths).configurations()
            #expect(
                both.map(\.serial.text) == ["p-0001", "p-engine-1"]
                    && both.map(\.source.name) == ["vibration", "recording"])
        }
    }

    /// Two sensors of one serial would disconnect each other again and again.
    @Test func noTwoSensorsHaveOneSerial() throws {
        try withRecordings(["a/x.csv", "b/x.csv", "0001.csv", "x y.csv", "x-y.csv"]) { paths in
            let serials = try plan(count: 2, recordings: paths).configurations().map(\.serial)
            #expect(serials.count == 7 && Set(serials).count == 7, "\(serials)")
        }
    }

    @Test func aRecordingThatCannotBeReadIsNamed() throws {
        #expect(fault(plan(recordings: ["/nowhere/x.csv"])) == "--replay /nowhere/x.csv: can't be read")
        try withRecordings(["x.csv"]) { paths in
            try Data("value\nbad\n".utf8).write(to: URL(fileURLWithPath: paths[0]))
            #expect(fault(plan(recordings: paths))?.hasPrefix("--replay \(paths[0]): ") == true)
        }
    }
}
