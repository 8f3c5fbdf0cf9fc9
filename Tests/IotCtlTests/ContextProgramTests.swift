import Foundation
import TestSupport
import Testing

/// The built iotctl without any server: contexts in their file, completions, mistyped words.
@Suite struct ContextProgramTests {
    /// A home of the test's own, gone when the test ends.
    struct Home {
        let folder: URL
        var config: URL { folder.appending(path: ".config/iotctl/contexts.yaml") }

        static func with(_ body: (Home) async throws -> Void) async throws {
            let folder = FileManager.default.temporaryDirectory.appending(path: "iotctl-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: folder) }
            try await body(Home(folder: folder))
        }

        func iotctl(
            _ words: String..., changing: [String: String] = [:], input: String? = nil
        ) async throws -> Program.Result {
            try await run(Program.built("iotctl").path, words, changing: changing, input: input)
        }

        func run(
            _ path: String, _ words: [String], changing: [String: String] = [:], input: String? = nil
        ) async throws -> Program.Result {
            let bin = Program.built("iotctl").deletingLastPathComponent().path
            let environment = ["HOME": folder.path, "PATH": "\(bin):/usr/bin:/bin", "LANG": "C.UTF-8"]
            return try await Program.run(
                path, words, environment: environment.merging(changing) { _, new in new }, input: input)
        }

        func addLab() async throws {
            let lines =
                "AMQP_URL=amqp://a:topsecret@127.0.0.1:1/%2f\nDATABASE_URL=postgresql://a:topsecret@127.0.0.1:1/lab\n"
            let added = try await iotctl("context", "add", "lab", "--file", "-", input: lines)
            #expect(added.status == 0 && added.output.isEmpty && added.errors.isEmpty, "\(added.errors)")
        }

        func mode(_ url: URL) throws -> Int {
            let attributes = try FileManager.default.attributesOfItem(atPath: url.path)
            return try #require(attributes[.posixPermissions] as? Int)
        }
    }

    @Test func aContextIsKeptForItsOwnerAlone() async throws {
        try await Home.with { home in
            try await home.addLab()
            #expect(try home.mode(home.config) == 0o600)
            let beside = try FileManager.default.contentsOfDirectory(
                atPath: home.config.deletingLastPathComponent().path)
            #expect(beside == ["contexts.yaml"])
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
            try await home.addLab()
            for mode in [0o640, 0o604, 0o620] {
                try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: home.config.path)
                for words in [["context", "ls"], ["get", "sensors"], ["context", "use", "lab"]] {
                    let result = try await home.run(Program.built("iotctl").path, words)
                    #expect(result.status == 1 && result.output.isEmpty)
                    #expect(result.errors.contains("fix: chmod 600 '\(home.config.path)'"))
                    #expect(!result.errors.contains("topsecret"))
                }
                #expect(try home.mode(home.config) == mode)
            }
        }
    }

    @Test func theContextReachesEveryCommandAndTheEnvironmentWins() async throws {
        try await Home.with { home in
            try await home.addLab()
            #expect(try await home.iotctl("context", "use", "--none").status == 0)
            let chosen: [([String], [String: String])] = [
                (["get", "sensors", "--context", "lab"], [:]), (["--context=lab", "get", "sensors"], [:]),
                (["get", "sensors"], ["IOTCTL_CONTEXT": "lab"]),
            ]
            for (words, environment) in chosen {
                let result = try await home.run(Program.built("iotctl").path, words, changing: environment)
                #expect(result.status == 69 && result.output.isEmpty)
                #expect(result.errors.contains("127.0.0.1") && result.errors.contains("lab"), "\(result.errors)")
                #expect(!result.errors.contains("topsecret"))
            }
            let mine = try await home.iotctl(
                "get", "sensors", "--context", "lab", changing: ["DATABASE_URL": "postgresql://b@127.0.0.1:2/mine"])
            #expect(mine.status == 69 && mine.errors.contains("/mine") && !mine.errors.contains("/lab"))
            let unknown = try await home.iotctl("get", "sensors", "--context", "lap")
            #expect(unknown.status == 2 && unknown.errors == "iotctl: no context lap; did you mean lab?\n")
        }
    }

    @Test func contextsComeFromTheEnvironmentAndGo() async throws {
        try await Home.with { home in
            let file = home.folder.appending(path: "elsewhere/c.yaml")
            let variables = ["IOTCTL_CONFIG": file.path, "AMQP_URL": "amqp://a:b@h:1/%2f"]
            #expect(try await home.iotctl("context", "add", "here", "--from-env", changing: variables).status == 0)
            #expect(try home.mode(file) == 0o600)
            #expect(try await home.iotctl("context", "rm", "here", "gone", changing: variables).status == 2)
            #expect(try await home.iotctl("context", "rm", "here", changing: variables).status == 0)
            let left = try await home.iotctl("context", "ls", "-o", "json", changing: variables)
            #expect(left.output == "[]\n")
            for words in [["here"], ["a b", "--from-env"], ["here", "--from-env", "--file", "f"]] {
                let result = try await home.run(Program.built("iotctl").path, ["context", "add"] + words)
                #expect(result.status == 64)
            }
            let wrong = try await home.iotctl(
                "context", "add", "x", "--file", "-", input: "AMQP_URL=http://a:topsecret@h")
            #expect(wrong.status == 64 && wrong.errors.contains("AMQP_URL") && !wrong.errors.contains("topsecret"))
        }
    }

    /// Two at once take turns: none of what they add is lost.
    @Test func manyAtOnceLoseNothing() async throws {
        try await Home.with { home in
            try await withThrowingTaskGroup(of: Int32.self) { group in
                for number in 0..<8 {
                    group.addTask {
                        try await home.iotctl("context", "add", "c\(number)", "--file", "-", input: "MQTT_URL=mqtt://h")
                            .status
                    }
                }
                for try await status in group { #expect(status == 0) }
            }
            let list = try await home.iotctl("context", "ls", "-o", "yaml")
            for number in 0..<8 { #expect(list.output.contains("c\(number)")) }
        }
    }

    @Test(arguments: [
        (["get", "sensors", "--outptu", "json"], "--output"), (["sleep", "lab-1", "--timout", "5s"], "--timeout"),
        (["get", "sensors", "-o", "jsn"], "did you mean json?"),
        (["get", "sensors", "-o", "x"], "table, wide, json, yaml"),
        (["docter"], "doctor"), (["context", "sow"], "show"),
    ])
    func whatWasMeantIsProposed(_ words: [String], _ proposal: String) async throws {
        try await Home.with { home in
            let result = try await home.run(Program.built("iotctl").path, words)
            #expect(result.status == 64 && result.output.isEmpty)
            #expect(result.errors.contains(proposal), "\(result.errors)")
        }
    }

    // MARK: completions

    /// What bash proposes for the last of these words.
    private func bash(_ home: Home, _ words: [String], changing: [String: String] = [:]) async throws -> [String] {
        let list = words.map { "'\($0)'" }.joined(separator: " ")
        let script = """
            source <(iotctl completion bash) || exit 9
            COMP_WORDS=(\(list)); COMP_CWORD=\(words.count - 1); COMP_LINE="${COMP_WORDS[*]}"
            COMP_POINT=${#COMP_LINE}; COMP_TYPE=9; COMP_KEY=9
            function=$(complete -p iotctl | sed 's/.*-F \\([^ ]*\\).*/\\1/')
            "$function" iotctl "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
            printf '%s\\n' "${COMPREPLY[@]}"
            """
        let result = try await home.run("/usr/bin/bash", ["-O", "extglob", "-c", script], changing: changing)
        #expect(result.status == 0 && result.errors.isEmpty, "\(result.errors)")
        return result.output.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
    }

    @Test func bashCompletesContextsAndFormatsAndCommands() async throws {
        try await Home.with { home in
            try await home.addLab()
            #expect(try await bash(home, ["iotctl", "context", "use", "l"]) == ["lab"])
            #expect(try await bash(home, ["iotctl", "get", "sensors", "-o", "j"]) == ["json"])
            #expect(try await bash(home, ["iotctl", "get", "sensors", "--context", ""]) == ["lab"])
            #expect(try await bash(home, ["iotctl", "doc"]) == ["doctor"])
        }
    }

    /// Without a database there are no names, soon, and no complaint.
    @Test func noDatabaseNoNames() async throws {
        try await Home.with { home in
            let url = ["DATABASE_URL": "postgresql://a@127.0.0.1:1/iot"]
            let names = try await bash(home, ["iotctl", "describe", "sensor", "l"], changing: url)
            #expect(names == [])
        }
    }

    @Test func fishAndZshTakeTheirScripts() async throws {
        try await Home.with { home in
            try await home.addLab()
            if FileManager.default.isExecutableFile(atPath: "/usr/bin/fish") {
                // What it proposes can't be asked: fish looks at the command line of an interactive shell only.
                let script = "iotctl completion fish | source; complete -c iotctl"
                let result = try await home.run("/usr/bin/fish", ["-c", script])
                #expect(result.status == 0 && result.output.contains("iotctl"), "\(result)")
            }
            if FileManager.default.isExecutableFile(atPath: "/usr/bin/zsh") {
                let script = """
                    iotctl completion zsh > $HOME/_iotctl && zsh -n $HOME/_iotctl && fpath=($HOME $fpath)
                    autoload -Uz compinit && compinit -u -D && print $_comps[iotctl]
                    """
                let result = try await home.run("/usr/bin/zsh", ["-fc", script])
                #expect(result.status == 0 && result.output == "_iotctl\n", "\(result)")
            }
        }
    }
}
