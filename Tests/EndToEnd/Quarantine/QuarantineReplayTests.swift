import Foundation
import Postgres
import TestSupport
import Testing

extension EndToEnd {
    /// `iotctl quarantine` as a process: stdout, stderr and exit codes apart.
    @Suite struct Quarantined {
        private func json(_ result: Program.Outcome) throws -> Any {
            try JSONSerialization.jsonObject(with: Data(result.output.utf8))
        }

        private func list(_ result: Program.Outcome) throws -> [[String: Any]] {
            try #require(try json(result) as? [[String: Any]])
        }

        private func rubbish(_ system: TestSystem) async throws {
            let script = TestServers.root.appending(path: "Tests/EndToEnd/Outside/publish.py").path
            for what in ["rubbish", "unroutable"] {
                let sent = try await system.run("/usr/bin/python3", [script, what], deadline: .seconds(120))
                #expect(sent.status == 0, "\(sent.errors)")
            }
            try await eventually("all of it is in quarantine") {
                try await system.number("SELECT count(*) FROM quarantine") == 16
            }
        }

        @Test func isListedShownReplayedAndDropped() async throws {
            try await Services.with(replicas: 1) { services in
                let system = services.system
                let empty = try await system.run("iotctl", ["quarantine", "ls"])
                #expect(empty.status == 0 && empty.output.split(separator: "\n").count == 1)
                try await rubbish(system)

                let table = try await system.run("iotctl", ["quarantine", "ls"])
                #expect(table.status == 0 && table.errors.isEmpty, "\(table.errors)")
                let lines = table.output.split(separator: "\n")
                #expect(lines.count == 17 && lines.allSatisfy { $0.count <= 80 }, "\(table.output)")
                let newer = try list(
                    try await system.run("iotctl", ["quarantine", "ls", "--reason", "newer_schema", "-o", "json"]))
                #expect(newer.count == 1 && newer[0]["sensor"] as? String == "bad1")
                #expect(newer[0]["boot_id"] as? Int == 7 && newer[0]["sequence"] as? Int == 9)
                let id = try #require(newer[0]["id"] as? Int)
                let limited = try await system.run(
                    "iotctl", ["quarantine", "ls", "--sensor", "bad2", "--since", "1h", "--limit", "2", "-o", "wide"])
                #expect(
                    limited.output.split(separator: "\n").count == 3 && limited.errors.contains("--limit shows more"))
                #expect(limited.output.contains("DETAIL"))
                let misspelt = try await system.run("iotctl", ["quarantine", "ls", "--reason", "newer-schema"])
                #expect(misspelt.status == 64 && misspelt.errors.contains("did you mean newer_schema"))

                let shown = try await system.run("iotctl", ["quarantine", "show", "\(id)"])
                #expect(shown.status == 0 && shown.output.contains("Header:     schema 3, boot 7, sequence 9"))
                #expect(shown.output.contains("  0000  08 03 11 07 00 00 00 00"), "\(shown.output)")
                let detail = try #require(
                    try json(try await system.run("iotctl", ["quarantine", "show", "\(id)", "-o", "json"]))
                        as? [String: Any])
                let head = try #require(detail["header"] as? [String: Any])
                #expect(head["schema"] as? Int == 3 && head["boot_id"] as? Int == 7 && head["sequence"] as? Int == 9)
                let text = try #require(detail["payload_base64"] as? String)
                let payload = try #require(Data(base64Encoded: text))
                #expect(payload.count == detail["length"] as? Int && payload.starts(with: [8, 3, 17, 7]))
                let raw = try await system.run(
                    "/bin/sh", ["-c", "\(Program.built("iotctl").path) quarantine show \(id) --raw | od -An -tx1 -N4"])
                #expect(raw.output == " 08 03 11 07\n", "\(raw.errors)")
                #expect(try await system.run("iotctl", ["quarantine", "show", "999999"]).status == 2)

                try await replays(system, id)
                try await drops(system, id)
            }
        }

        private func replays(_ system: TestSystem, _ id: Int) async throws {
            let nothing = try await system.run("iotctl", ["quarantine", "replay"])
            #expect(nothing.status == 64 && nothing.errors.contains("--all"))
            #expect(try await system.run("iotctl", ["quarantine", "replay", "999999"]).status == 2)
            let early = try await system.run("iotctl", ["quarantine", "replay", "\(id)"])
            #expect(early.status == 1)
            #expect(
                early.errors.contains("\(id) (sensor_bad1.data) stays in quarantine: newer_schema"), "\(early.errors)")
            #expect(early.output.contains("kept"))

            // A key with a dot too many: said whose it is, it is stored once, however often that is said.
            let unroutable = try list(
                try await system.run("iotctl", ["quarantine", "ls", "--reason", "unroutable", "-o", "json"]))
            let mistyped = try #require(
                unroutable.first { $0["routing_key"] as? String == "sensor_a.b.data" }?["id"] as? Int)
            let arguments = ["quarantine", "replay", "\(mistyped)", "--as-sensor", "a-b", "-o", "json"]
            let dry = try list(try await system.run("iotctl", arguments + ["--dry-run"]))
            #expect(dry[0]["outcome"] as? String == "stored")
            #expect(try await system.number("SELECT count(*) FROM sensor WHERE serial = 'a-b'") == 0)
            let done = try await system.run("iotctl", arguments)
            #expect(done.status == 0, "\(done.errors)")
            #expect(try list(done)[0]["samples"] as? Int == 1)
            #expect(try await system.run("iotctl", arguments).status == 2)
            #expect(
                try await system.number(
                    "SELECT count(*) FROM measurement JOIN sensor USING (sensor_id) WHERE serial = 'a-b'") == 1)
            let rest = try await system.run("iotctl", ["quarantine", "replay", "--sensor", "bad1", "-o", "json"])
            #expect(rest.status == 1)
            #expect(try list(rest).allSatisfy { $0["outcome"] as? String == "kept" })
        }

        private func drops(_ system: TestSystem, _ id: Int) async throws {
            let before = try await system.number("SELECT count(*) FROM quarantine")
            let careful = try await system.run("iotctl", ["quarantine", "drop", "\(id)"])
            #expect(careful.status == 64 && careful.errors.contains("--yes"))
            let dry = try await system.run("iotctl", ["quarantine", "drop", "--all", "--dry-run"])
            #expect(dry.output == "\(before) would be dropped\n")
            #expect(try await system.number("SELECT count(*) FROM quarantine") == before)
            let one = try await system.run("iotctl", ["quarantine", "drop", "\(id)", "--yes", "-o", "json"])
            let answer = try #require(try json(one) as? [String: Any])
            #expect(answer["dropped"] as? Int == 1 && answer["ids"] as? [Int] == [id])
            let undecodable = try await system.run(
                "iotctl", ["quarantine", "drop", "--reason", "undecodable", "--yes"])
            #expect(undecodable.output == "3 dropped\n")
            #expect(try await system.number("SELECT count(*) FROM quarantine") == before - 4)
            #expect(try await system.run("iotctl", ["quarantine", "drop", "--all", "-y"]).status == 0)
            #expect(try await system.number("SELECT count(*) FROM quarantine") == 0)
            let nowhere = try await system.run(
                "iotctl", ["quarantine", "ls"], changing: ["DATABASE_URL": "postgresql://127.0.0.1:1/x"])
            #expect(nowhere.status == 69 && nowhere.output.isEmpty)
        }
    }
}
