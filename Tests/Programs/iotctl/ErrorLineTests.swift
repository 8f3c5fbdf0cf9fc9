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

    /// Python starts the program with a stdout that cannot be written, and with the usual SIGPIPE.
    private static let script = """
        import os, subprocess, sys
        if sys.argv[1] == "full":
            out = os.open("/dev/full", os.O_WRONLY)
        else:
            gone, out = os.pipe()
            os.close(gone)
        sys.exit(subprocess.call(sys.argv[2:], stdout=out))
        """

    @Test(arguments: ["full", "closed"])
    func anOutputThatCannotBeWrittenIsOneLine(_ kind: String) async throws {
        let reason = kind == "full" ? "No space left on device" : "Broken pipe"
        try await ContextProgramTests.Home.with { home in
            try home.addLab()
            for words in [
                ["--help"], ["get", "--help"], ["get"], ["--version"], ["completion", "bash"], ["context", "ls"],
                ["context", "ls", "-o", "json"], ["context", "show", "-o", "yaml"],
            ] {
                let program = Program.built("iotctl").path
                let result = try await home.run("/usr/bin/python3", ["-c", Self.script, kind, program] + words)
                #expect(result.status == 1, "\(words)")
                #expect(result.errors.hasPrefix("iotctl: cannot write to standard output: \(reason); "), "\(words)")
                #expect(result.errors.split(separator: "\n").count == 1, "\(words): \(result.errors)")
            }
        }
    }
}
