import Foundation
import TestSupport
import Testing

@testable import iotctl

/// Every error is one line on stderr that begins with the program's name, and never the usage.
@Suite struct ErrorLineTests {
    private static let programs = [
        "iotctl", "sensor-simulator", "sensor-registry", "logs-ingester", "measurements-ingester",
    ]

    @Test(arguments: programs)
    func aWrongOptionIsOneLine(_ program: String) async throws {
        let result = try await Program.run(Program.built(program).path, ["--nonsense"])
        #expect(result.status == 64 && result.output.isEmpty)
        #expect(result.errors == "\(program): unknown option '--nonsense'; see \(program) --help\n")
    }

    @Test(arguments: [
        (["sleep"], "iotctl: which sensors? give "),
        (["change-frequency", "lab-1", "-5"], "iotctl: not a sample rate: -5; "),
        (["change-frequency", "lab-1", "fast"], "iotctl: not a sample rate: fast; "),
        (["change-frequency"], "iotctl: missing: the sample rate; "),
        (
            ["describe", "lab-1"],
            "iotctl: unknown command: iotctl describe lab-1; did you mean iotctl describe sensor lab-1?"
        ),
        (
            ["get", "lab-1", "-o", "json"],
            "iotctl: unknown command: iotctl get lab-1; did you mean iotctl get sensors lab-1 -o json?"
        ),
        (["watch", "lab-1"], "iotctl: unknown command: iotctl watch lab-1; did you mean iotctl watch sensors lab-1?"),
        (["wait", "lab-1"], "iotctl: unknown command: iotctl wait lab-1; did you mean iotctl wait sensor lab-1?"),
        (["slep", "lab-1"], "iotctl: unknown command: slep; did you mean sleep?"),
        (["frobnicate"], "iotctl: unknown command: frobnicate; see iotctl --help"),
        (["export", "lab-1", "--from", "soon"], "iotctl: the value 'soon' is invalid for '--from <time>'"),
        (["audit", "--since", "2199-01-01"], "iotctl: --since is not in the past: 2199"),
        (["get", "sensors", "--context"], "iotctl: "), (["wait", "sensor", "lab-1", "--for", "x"], "iotctl: "),
        (["bench", "--sensors", "0"], "iotctl: --sensors must be 1 to 10000; see iotctl bench --help"),
    ])
    func aMistakeIsOneLine(_ words: [String], _ beginning: String) async throws {
        let result = try await Program.run(Program.built("iotctl").path, words)
        #expect(result.status == 64 && result.output.isEmpty, "\(result.errors)")
        #expect(result.errors.hasPrefix(beginning), "\(result.errors)")
        #expect(result.errors.split(separator: "\n").count == 1 && !result.errors.contains("Usage"), "\(result.errors)")
    }

    /// One start of a program whose output could not be written.
    private struct Run: Decodable {
        var kind: String
        var words: [String]
        var status: Int32
        var errors: String
    }

    /// `-w` hands its words to `iotctl watch`, which asks the database first; no server listens here.
    @Test(arguments: ["sensors", "alarms", "commands"])
    func watchingAListReachesTheDatabase(_ list: String) async throws {
        let environment = ProcessInfo.processInfo.environment.merging([
            "DATABASE_URL": "postgresql://iot@127.0.0.1:1/iot", "AMQP_URL": "amqp://127.0.0.1:1",
        ]) { $1 }
        let result = try await Program.run(
            Program.built("iotctl").path, ["get", list, "lab-1", "-w"], environment: environment)
        #expect(result.status == 69 && result.errors.hasPrefix("iotctl: "), "\(result.errors)")
    }

    /// Python starts the program with a stdout that cannot be written, and with the usual SIGPIPE.
    private static let script = """
        import json, os, subprocess, sys
        gone, closed = os.pipe()
        os.close(gone)
        outputs = {"full": os.open("/dev/full", os.O_WRONLY), "closed": closed}
        runs = []
        for kind, words in json.load(sys.stdin):
            done = subprocess.run([sys.argv[1], *words], stdout=outputs[kind], stderr=subprocess.PIPE, text=True)
            runs.append({"kind": kind, "words": words, "status": done.returncode, "errors": done.stderr})
        print(json.dumps(runs))
        """

    @Test func anOutputThatCannotBeWrittenIsOneLine() async throws {
        let calls = [
            ("full", "--help"), ("full", "get --help"), ("full", "get"), ("full", "--version"),
            ("full", "completion bash"), ("full", "context ls"), ("full", "context ls -o json"),
            ("full", "context show -o yaml"), ("closed", "get --help"), ("closed", "context ls"),
            ("closed", "context show -o yaml"),
        ]
        let input = calls.map { kind, words in
            "[\"\(kind)\", [\(words.split(separator: " ").map { "\"\($0)\"" }.joined(separator: ", "))]]"
        }
        try await ContextProgramTests.Home.with { home in
            try home.addLab()
            let result = try await home.run(
                "/usr/bin/python3", ["-c", Self.script, Program.built("iotctl").path],
                input: "[\(input.joined(separator: ", "))]")
            let runs = try JSONDecoder().decode([Run].self, from: Data(result.output.utf8))
            #expect(runs.count == calls.count)
            for run in runs {
                let reason = run.kind == "full" ? "No space left on device" : "Broken pipe"
                #expect(run.status == 1, "\(run)")
                #expect(run.errors.hasPrefix("iotctl: cannot write to standard output: \(reason); "), "\(run)")
                #expect(run.errors.split(separator: "\n").count == 1, "\(run)")
            }
        }
    }
}
