import ArgumentParser
import Foundation
import Service
import TestSupport
import Testing

@testable import iotctl

/// Contexts in their file, completions and mistyped words, without any server. The built iotctl is started only for its
/// streams, its exit codes and its environment: a start takes long on a busy machine.
@Suite struct ContextProgramTests {
    /// A home of the test's own, removed when the test ends.
    struct Home {
        let folder: URL
        var config: URL { folder.appending(path: ".config/iotctl/contexts.yaml") }
        var file: ContextFile { ContextFile(environment: ["HOME": folder.path]) }

        static func with(_ body: (Home) async throws -> Void) async throws {
            let folder = FileManager.default.temporaryDirectory.appending(path: "iotctl-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: folder) }
            try await body(Home(folder: folder))
        }

        /// Runs the built iotctl.
        func iotctl(
            _ words: String..., changing: [String: String] = [:], input: String? = nil
        ) async throws -> Program.Outcome {
            try await run(Program.built("iotctl").path, words, changing: changing, input: input)
        }

        func run(
            _ path: String, _ words: [String], changing: [String: String] = [:], input: String? = nil
        ) async throws -> Program.Outcome {
            let bin = Program.built("iotctl").deletingLastPathComponent().path
            let environment = ["HOME": folder.path, "PATH": "\(bin):/usr/bin:/bin", "LANG": "C.UTF-8"]
            return try await Program.run(
                path, words, environment: environment.merging(changing) { _, new in new }, input: input)
        }

        static let lab = [
            "AMQP_URL": "amqp://a:topsecret@127.0.0.1:1/%2f",
            "DATABASE_URL": "postgresql://a:topsecret@127.0.0.1:1/lab",
        ]

        /// Adds the context lab, which is not the current one.
        func addLab() throws { try file.change { $0.contexts["lab"] = Self.lab } }

        func mode(_ url: URL) throws -> Int {
            let attributes = try FileManager.default.attributesOfItem(atPath: url.path)
            return try #require(attributes[.posixPermissions] as? Int)
        }
    }

    // MARK: the file

    @Test func aContextIsKeptForItsOwnerAlone() async throws {
        try await Home.with { home in
            let lines = Home.lab.map { "\($0.key)=\($0.value)\n" }.joined()
            let added = try await home.iotctl("context", "add", "lab", "--file", "-", input: lines)
            #expect(added.status == 0 && added.output.isEmpty && added.errors.isEmpty, "\(added.errors)")
            #expect(try home.mode(home.config) == 0o600)
            let beside = try FileManager.default.contentsOfDirectory(
                atPath: home.config.deletingLastPathComponent().path)
            #expect(beside == ["contexts.yaml"])
            let contexts = try home.file.read()
            #expect(contexts.contexts == ["lab": Home.lab] && contexts.current == "lab")
            let list = try await home.iotctl("context", "ls", "-o", "json")
            #expect(list.output.contains(#""name": "lab""#) && list.output.contains(#""current": true"#))
            #expect(list.output.contains("amqp://a:***@127.0.0.1:1/%2f"))
            let show = try await home.iotctl("context", "show")
            #expect(show.output.contains("context lab") && show.output.contains("not set"))
            for result in [list, show] { #expect(!result.output.contains("topsecret") && result.status == 0) }
            #expect(
                try await home.iotctl("context", "add", "lab", "--file", "-", input: "AMQP_URL=amqp://h").status == 1)
        }
    }

    @Test func aFileThatOthersMayReadIsRefused() async throws {
        try await Home.with { home in
            try home.addLab()
            for mode in [0o640, 0o604, 0o620] {
                try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: home.config.path)
                let uses: [() throws -> Void] = [
                    { _ = try home.file.read() }, { try home.file.change { $0.current = "lab" } },
                ]
                for use in uses {
                    let failure = try #require(throws: Failure.self) { try use() }
                    #expect(failure.status == ExitStatus.failed && failure.lines.count == 2)
                    #expect(failure.lines.last == "fix: chmod 600 '\(home.config.path)'")
                    #expect(!failure.lines.joined().contains("topsecret"))
                }
                #expect(try home.mode(home.config) == mode)
            }
            let refused = try await home.iotctl("get", "sensors")
            #expect(refused.status == 1 && refused.output.isEmpty)
            #expect(refused.errors.contains("fix: chmod 600") && !refused.errors.contains("topsecret"))
        }
    }

    /// Several processes take turns: none of the contexts that they add is lost. A lock belongs to an open file, so that
    /// threads exclude each other like processes.
    @Test func manyAtOnceLoseNothing() async throws {
        try await Home.with { home in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<8 {
                    group.addTask { try home.file.change { $0.contexts["c\(number)"] = ["MQTT_URL": "mqtt://h"] } }
                }
                try await group.waitForAll()
            }
            #expect(try home.file.read().names == (0..<8).map { "c\($0)" })
        }
    }

    // MARK: the choice

    @Test func theContextReachesEveryCommandAndTheFlagWins() async throws {
        try await Home.with { home in
            try home.addLab()
            let mine = ["DATABASE_URL": "postgresql://b@127.0.0.1:2/mine"]
            let named = try await home.iotctl("get", "sensors", "--context", "lab", changing: mine)
            #expect(named.status == 69 && named.output.isEmpty && !named.errors.contains("topsecret"))
            #expect(named.errors.contains("127.0.0.1:1/lab") && !named.errors.contains("/mine"), "\(named.errors)")
            // A context in use does not win over the environment, and iotctl says so.
            let variable = ["IOTCTL_CONTEXT": "lab"]
            let used = try await home.iotctl("get", "sensors", changing: variable.merging(mine) { $1 })
            #expect(used.status == 69 && used.errors.contains("/mine"))
            #expect(used.errors.contains("context lab is in use, but DATABASE_URL comes from the environment"))
            #expect(used.errors.split(separator: "\n").count == 2 && !used.errors.contains("topsecret"))
            // A command that changes something names the servers, without the password.
            let acting = try await home.iotctl("tag", "a", "hall=3", changing: variable)
            #expect(acting.status == 69 && !acting.errors.contains("topsecret"))
            #expect(
                acting.errors.hasPrefix(
                    "iotctl: acting on 127.0.0.1:1/%2f, 127.0.0.1:1/lab (context lab)\n"), "\(acting.errors)")
            let dry = try await home.iotctl("tag", "a", "hall=3", "--context=lab", "--dry-run")
            #expect(dry.status == 69 && !dry.errors.contains("acting on"))
            let unknown = try await home.iotctl("--context", "lap", "get", "sensors")
            #expect(unknown.status == 2 && unknown.errors == "iotctl: no context lap; did you mean lab?\n")
        }
    }

    @Test func contextsComeFromTheEnvironmentAndGo() async throws {
        try await Home.with { home in
            let file = home.folder.appending(path: "elsewhere/c.yaml")
            let variables = ["IOTCTL_CONFIG": file.path, "AMQP_URL": "amqp://a:b@h:1/%2f"]
            #expect(try await home.iotctl("context", "add", "here", "--from-env", changing: variables).status == 0)
            #expect(try home.mode(file) == 0o600)
            let contexts = ContextFile(environment: variables)
            #expect(try contexts.read().contexts == ["here": ["AMQP_URL": "amqp://a:b@h:1/%2f"]])
            // All or none.
            #expect(try await home.iotctl("context", "rm", "here", "gone", changing: variables).status == 2)
            #expect(try contexts.read().names == ["here"])
            #expect(try await home.iotctl("context", "rm", "here", changing: variables).status == 0)
            #expect(try contexts.read() == Contexts())
            let wrong = try await home.iotctl(
                "context", "add", "x", "--file", "-", input: "AMQP_URL=http://a:topsecret@h")
            #expect(wrong.status == 64 && wrong.errors.contains("AMQP_URL") && !wrong.errors.contains("topsecret"))
        }
    }

    @Test(arguments: [["here"], ["a b", "--from-env"], ["here", "--from-env", "--file", "f"]])
    func wrongUsageIsRefused(_ words: [String]) async throws {
        let error = try #require(throws: (any Error).self) { try ContextAdd.parse(words) }
        #expect(ContextAdd.exitCode(for: error) == ExitStatus.usage)
    }

    // MARK: mistyped words

    @Test(arguments: [
        (["get", "sensors", "--outptu", "json"], "--output"), (["sleep", "lab-1", "--timout", "5s"], "--timeout"),
        (["get", "sensors", "-o", "jsn"], "did you mean json?"),
        (["get", "sensors", "-o", "x"], "table, wide, name, json, yaml"),
        (["docter"], "doctor"), (["context", "sow"], "show"),
    ])
    func whatWasMeantIsProposed(_ words: [String], _ proposal: String) async throws {
        if let complaint = IotCtl.complaint(of: words, IotCtl.configuration) {
            #expect(complaint.contains(proposal), "\(complaint)")
            return
        }
        let error = try await #require(throws: (any Error).self) { _ = try await IotCtl.asyncParseAsRoot(words) }
        #expect(IotCtl.exitCode(for: error) == ExitStatus.usage)
        #expect(IotCtl.fullMessage(for: error).contains(proposal), "\(IotCtl.fullMessage(for: error))")
    }

    @Test(arguments: [(["docter"], "did you mean doctor?"), (["get", "sensors", "-o", "jsn"], "did you mean json?")])
    func mistypedWordsEndTheProgram(_ words: [String], _ proposal: String) async throws {
        try await Home.with { home in
            let result = try await home.run(Program.built("iotctl").path, words)
            #expect(result.status == 64 && result.output.isEmpty)
            #expect(result.errors.contains(proposal), "\(result.errors)")
        }
    }

    // MARK: completions

    /// What bash proposes for the last word of each of these command lines.
    private func bash(_ home: Home, _ lines: [[String]]) async throws -> [[String]] {
        let cases = lines.map { words in
            """
            COMP_WORDS=(\(words.map { "'\($0)'" }.joined(separator: " "))); COMP_CWORD=\(words.count - 1)
            COMP_LINE="${COMP_WORDS[*]}"; COMP_POINT=${#COMP_LINE}; COMP_TYPE=9; COMP_KEY=9; COMPREPLY=()
            "$function" iotctl "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
            echo "${COMPREPLY[*]}"
            """
        }
        let script = """
            source <(iotctl completion bash) || exit 9
            function=$(complete -p iotctl | sed 's/.*-F \\([^ ]*\\).*/\\1/')
            \(cases.joined(separator: "\n"))
            """
        let result = try await home.run(
            "/usr/bin/bash", ["-O", "extglob", "-c", script],
            changing: ["DATABASE_URL": "postgresql://a@127.0.0.1:1/iot"])
        #expect(result.status == 0 && result.errors.isEmpty, "\(result.errors)")
        return result.output.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
            .map { $0.split(separator: " ").map(String.init) }
    }

    /// Without a database there are no names of sensors, within a second, and no complaint.
    @Test func bashCompletesContextsAndFormatsAndCommands() async throws {
        try await Home.with { home in
            try home.addLab()
            let proposals = try await bash(
                home,
                [
                    ["iotctl", "context", "use", "l"], ["iotctl", "get", "sensors", "-o", "j"],
                    ["iotctl", "get", "sensors", "--context", ""], ["iotctl", "doc"],
                    ["iotctl", "describe", "sensor", "l"],
                ])
            #expect(proposals == [["lab"], ["json"], ["lab"], ["doctor"], []])
        }
    }

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/fish"), "fish is not installed"))
    func fishTakesItsScript() async throws {
        try await Home.with { home in
            try Data(IotCtl.completionScript(for: .fish).utf8).write(to: home.folder.appending(path: "iotctl.fish"))
            // What it proposes can't be asked: fish looks at the command line of an interactive shell only.
            let script = "source $HOME/iotctl.fish; complete -c iotctl"
            let result = try await home.run("/usr/bin/fish", ["-c", script])
            #expect(result.status == 0 && result.output.contains("iotctl"), "\(result)")
        }
    }

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/zsh"), "zsh is not installed"))
    func zshTakesItsScript() async throws {
        try await Home.with { home in
            try Data(IotCtl.completionScript(for: .zsh).utf8).write(to: home.folder.appending(path: "_iotctl"))
            let script = """
                zsh -n $HOME/_iotctl && fpath=($HOME $fpath)
                autoload -Uz compinit && compinit -u -D && print $_comps[iotctl]
                """
            let result = try await home.run("/usr/bin/zsh", ["-fc", script])
            #expect(result.status == 0 && result.output == "_iotctl\n", "\(result)")
        }
    }
}
