import ArgumentParser
import Control
import Diagnosis
import Endpoint
import Foundation
import Model
import Service
import Simulation
import Simulator
import Store
import TestSupport
import Testing

@testable import iotctl

/// Where a document or a help lists values, they are those of the code: all of them, and no others.
@Suite struct DocumentedValuesTests {
    /// A list of values in a document.
    struct Listed: Sendable, CustomTestStringConvertible {
        var file: String
        /// The text before the list, which stands once in the document (line breaks are blanks).
        var before: String
        /// The text after the list.
        var after: String
        var values: [String]

        var testDescription: String { "\(file): \(before)" }

        init(_ file: String, _ before: String, to after: String = ")", _ values: [String]) {
            (self.file, self.before, self.after, self.values) = (file, before, after, values)
        }
    }

    private static let states = ["unknown", "awake", "asleep", "stopped"]
    private static let json = "docs/iotctl-json.md"
    private static let commandNames = ["sleep", "awake", "change_sample_frequency"]

    /// Lists in parentheses of docs/iotctl-json.md: the field with the text that stands before it.
    static let jsonLists = [
        Listed(json, "`sensor` (serial), `command` (", commandNames),
        Listed(json, "**Sensor**: `serial`, `kind`, `state` (", states),
        Listed(json, "`presence` (", Presence.Word.allCases.map(\.rawValue)),
        Listed(json, "was stored for its newest frame: ", ClockVerdict.allCases.dropFirst().map { "\($0)" }),
        Listed(json, "`issuer`, `action` (", OperatorAction.Kind.allCases.map(\.rawValue)),
        Listed(json, "**Alarm event**: `event` (", ["trigger", "clear", "active"]),
        Listed(json, "always these four: `variable` (", Contexts.variables),
        Listed(json, "`enabled`, `severity` (", Alarm.Severity.allCases.map(\.rawValue)),
        Listed(json, "or the command line: `name`, `change` (", AppliedRule.Change.allCases.map(\.rawValue)),
        Listed(json, "can appear several times), `result` (", Finding.Verdict.allCases.map(\.rawValue)),
        Listed(json, "`issuer`, `state` (", CommandLife.State.allCases.map(\.rawValue)),
        Listed(json, "`sensor`, `property` (", SensorWatch.names + ["reported.…"]),
        Listed(
            json, "(null: only an answer was seen), `event` (",
            ["queued", "sent_again", "expired"]
                + Ack.Outcome.allCases.map { $0 == .received ? "delivered" : $0.rawValue }),
        Listed(json, "`boot_id`, `level` (", ["debug", "info", "warning", "error"]),
        Listed(json, "**Bench**: `form` (", BenchCommand.Form.allCases.map(\.rawValue)),
        Listed(json, "(null: never), `source` (", ["default", "configuration", "iotctl"]),
        Listed(
            json, "not set), `source` (", ["environment", "context NAME", "default", "not set"]),
    ]

    static let otherLists = [
        Listed("docs/iotctl.md", "| lists; `-o` with ", to: ";", ListFormat.words),
        Listed(
            "docs/iotctl.md", "| `completion bash`, ", to: " |",
            Completion.Shell.allCases.filter { $0 != .bash }.map(\.rawValue)),
        Listed("docs/contract.md", "`Ack` (", Ack.Outcome.allCases.map(\.rawValue)),
        Listed(
            "docs/contract.md", "and `clock` says ", to: ".",
            ClockVerdict.allCases.flatMap { ["\($0.rawValue)", "\($0)"] }),
        Listed(
            "docs/programs.md", "plays sensors of that kind: ", to: " |", SensorKind.allCases.map(\.rawValue)),
    ]

    private static func text(_ file: String) throws -> String {
        try String(contentsOf: TestServers.root.appending(path: file), encoding: .utf8).replacing("\n", with: " ")
    }

    /// The words between two texts: those in backquotes, or all where there are none.
    private static func words(_ file: String, _ before: String, to after: String) throws -> [String] {
        let text = try text(file)
        let parts = text.components(separatedBy: before)
        try #require(parts.count == 2, "\(file) has \(parts.count - 1) times: \(before)")
        let list = String(parts[1].prefix(upTo: try #require(parts[1].range(of: after)).lowerBound))
        let quoted = list.matches(of: /`([^`]+)`/).map { String($0.1) }
        return quoted.isEmpty ? list.split { ", ".contains($0) }.map(String.init) : quoted
    }

    @Test(arguments: jsonLists + otherLists)
    func aDocumentListsTheValues(_ list: Listed) throws {
        let words = try Self.words(list.file, list.before, to: list.after)
        #expect(words.count == Set(words).count && Set(words) == Set(list.values), "\(words)")
    }

    /// A new list of values in docs/iotctl-json.md is compared, too.
    @Test func everyListOfTheDocumentIsCompared() throws {
        let text = try Self.text(Self.json)
        let lists = text.matches(of: /`[a-z_]+` \((`[^`]+`(?:, `[^`]+`)+)\)/).map { String($0.1) }
        let compared = try Self.jsonLists.map { try Self.words($0.file, $0.before, to: $0.after) }
        #expect(lists.count > 10)
        for list in lists {
            let words = list.matches(of: /`([^`]+)`/).map { String($0.1) }
            #expect(compared.contains(words), "\(words) is compared with nothing: add it to jsonLists")
        }
    }

    // MARK: the words that the code takes from the database

    /// What the schema allows is what the code and the documents say.
    @Test func theSchemaAllowsTheSameValues() throws {
        let folder = TestServers.root.appending(path: "Sources/Database/Store/Schema/Migrations")
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".sql") }
        var allowed: [String: [String]] = [:]
        for file in files.sorted() {
            let sql = try String(contentsOf: folder.appending(path: file), encoding: .utf8)
            for match in sql.matches(of: /CHECK \((presence|state|source|side|cause|tier) IN \(([^)]+)\)/) {
                // A column of that name stands in more than one table: its values tell which.
                let values = match.2.matches(of: /'([^']+)'/).map { String($0.1) }
                var key = String(match.1)
                if key == "state" {
                    key = values.contains("queued") ? "command" : values.contains("unknown") ? "sensor" : "announcement"
                }
                allowed[key] = values
            }
        }
        func isSame(_ key: String, _ values: [String]) { #expect(Set(allowed[key] ?? []) == Set(values), "\(key)") }
        isSame("presence", Presence.Word.allCases.map(\.rawValue))
        isSame("sensor", Self.states)
        isSame("announcement", Self.states.filter { $0 != "unknown" })
        isSame("command", CommandLife.State.allCases.map(\.rawValue))
        isSame("source", ["default", "configuration", "iotctl"])
        isSame("tier", StoreTier.allCases.map(\.rawValue))
        #expect(Set(Self.states).subtracting(Announcement.State.allCases.map(\.rawValue)) == ["unknown"])
    }

    @Test func reasonsAndCausesAreThoseOfTheCode() throws {
        let reasons = RejectionReason.allCases.map(\.rawValue)
        let help = QuarantineList.configuration.discussion
        let listed = try #require(help.range(of: "Reasons:"))
        let words = help[listed.upperBound...].split { ", .\n".contains($0) }.map(String.init)
        #expect(Set(words) == Set(reasons) && words.count == reasons.count)
        // The newest step that says it counts.
        let comments = try ["m0001_core", "m0007_undeliverable"].map { name in
            try String(
                contentsOf: TestServers.root.appending(
                    path: "Sources/Database/Store/Schema/Migrations/\(name).sql"), encoding: .utf8)
        }
        let comment = try #require(comments[1].firstMatch(of: /COLUMN quarantine.reason IS '([^']+)\.'/)).1
        #expect(comment.components(separatedBy: " | ").sorted() == reasons.sorted())

        let json = try Self.text(Self.json)
        let table = try #require(json.range(of: "| cause | why frames are missing |"))
        let rest = json[table.upperBound...].prefix(upTo: try #require(json.range(of: "**Context**")).lowerBound)
        let causes = rest.matches(of: /\| `([a-z_]+)` \|/).map { String($0.1) }
        #expect(causes == LossCause.allCases.map(\.rawValue))
        #expect(json.contains("all six always there") && causes.count == 6)
        let alerts = try Self.text("docs/alerts.md")
        for cause in causes { #expect(alerts.contains(cause), "docs/alerts.md does not name \(cause)") }
    }

    // MARK: helps

    /// Words of an option's help, which ends with a full stop.
    private static func help<Command: ParsableCommand>(_ command: Command.Type, _ option: String) throws -> [String] {
        let text = Command.helpMessage(columns: 500)
        // The last line: the usage names the options, too.
        let line = try #require(text.split(separator: "\n").last { $0.contains("--\(option) <") })
        return line.split { !$0.isLetter && $0 != "_" }.map(String.init)
    }

    @Test func optionsNameTheirValues() throws {
        for order in SensorOrder.allCases {
            #expect(try Self.help(GetSensors.self, "sort-by").contains(order.rawValue), "\(order)")
        }
        #expect(Set(ListFormat.words) == Set(Format.allCases.map(\.rawValue) + ["name"]))
        for format in ListFormat.words {
            #expect(try Self.help(GetTargets.self, "output").contains(format), "\(format)")
        }
        for format in Plot.PlotFormat.allCases {
            #expect(try Self.help(Plot.self, "output").contains(format.rawValue), "\(format)")
        }
        for format in Export.FileFormat.allCases {
            #expect(try Self.help(Export.self, "format").contains(format.rawValue), "\(format)")
        }
        for level in AckLevel.allCases {
            #expect(try Self.help(Sleep.self, "wait").contains(level.rawValue), "\(level)")
        }
        for wait in WaitFor.allCases {
            #expect(try Self.help(SetDesired.self, "wait").contains(wait.rawValue), "\(wait)")
        }
        for form in BenchCommand.Form.allCases {
            #expect(try Self.help(BenchCommand.self, "form").contains(form.rawValue), "\(form)")
        }
    }

    @Test func conditionsTakeTheDocumentedValues() throws {
        for word in Presence.Word.allCases { _ = try WaitCondition("presence=\(word.rawValue)") }
        for state in Self.states { _ = try WaitCondition("state=\(state)") }
        #expect(throws: WaitCondition.Invalid.self) { try WaitCondition("presence=away") }
    }

    // MARK: environment variables and commands

    /// Each variable of the programs stands in docs/programs.md with its default, and the document names no other.
    @Test func variablesAreThoseOfSettings() throws {
        let document = try String(
            contentsOf: TestServers.root.appending(path: "docs/programs.md"), encoding: .utf8)
        for kind in Endpoint.Kind.allCases {
            guard let value = kind.standard else { continue }
            #expect(document.contains("| `\(kind.variable)` | `\(value)` |"), "\(kind)")
        }
        let sources = try Self.sources()
        let read = Set(
            sources.matches(of: /(?:environment\["|Settings\.value\("|Self\.(?:value|url)\(")([A-Z][A-Z_]+)"/).map {
                String($0.1)
            }
        ).union(Endpoint.Kind.allCases.map(\.variable))
        #expect(read.isSuperset(of: ["AMQP_URL", "MANAGEMENT_URL", "DATABASE_DISK", "POLICIES", "HTTP_PORT"]))
        let named = Set(document.matches(of: /`([A-Z]+_?[A-Z]+)(?:=[^`]*)?`/).map { String($0.1) })
        let others: Set = ["INSTANCE", "PARTITIONS", "SENSORS", "PGPASSWORD"]  // of make, the manifests and libpq
        let terminal: Set = ["TERM", "NO_COLOR", "IOTCTL_CONTEXT", "XDG_CONFIG_HOME", "HOME", "USER"]  // of iotctl
        #expect(read.subtracting(terminal).isSubset(of: named), "\(read.subtracting(terminal).subtracting(named))")
        let unread = named.subtracting(read).subtracting(others).filter { !$0.hasSuffix("_FILE") }
        #expect(unread.isEmpty, "docs/programs.md names \(unread), which no program reads")
        let help = IotCtl.configuration.discussion
        for name in ["AMQP_URL", "DATABASE_URL", "MANAGEMENT_URL"] { #expect(help.contains(name)) }
    }

    private static func sources() throws -> String {
        let folder = TestServers.root.appending(path: "Sources")
        let files = try #require(FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil))
        return try files.compactMap { $0 as? URL }.filter { $0.pathExtension == "swift" }
            .map { try String(contentsOf: $0, encoding: .utf8) }.joined(separator: "\n")
    }

    /// docs/iotctl.md and docs/iotctl-json.md name every command, and no other.
    @Test func everyCommandIsDocumented() throws {
        let guide = try Self.text("docs/iotctl.md")
        let rows = guide.matches(of: /\| (`[^|]+`) \|/).flatMap { $0.1.matches(of: /`([^`]+)`/).map { String($0.1) } }
        let first = Set(rows.compactMap { $0.split(separator: " ").first.map(String.init) })
        for command in IotCtl.configuration.subcommands {
            let name = try #require(command.configuration.commandName)
            #expect(first.contains(name), "docs/iotctl.md has no row for \(name)")
        }
        let printed = try Self.text(Self.json)
        for command in HelpTests.Command.all() where command.type.configuration.subcommands.isEmpty {
            guard command.helpText.contains("--output <format>") else { continue }
            let name = command.words.dropFirst().joined(separator: " ")
            let short = name.replacing(" sensor", with: "", maxReplacements: name == "set sensor" ? 1 : 0)
            #expect(
                printed.contains("`\(short)`") || printed.contains("`\(name)`"),
                "docs/iotctl-json.md does not say what \(name) prints")
        }
    }

    // MARK: the simulator

    @Test func theSimulatorsWordsAreThoseOfTheDocument() throws {
        let document = try Self.text("docs/programs.md")
        let faults = try #require(document.firstMatch(of: /--fault ([^`]+)`/)).1.split(separator: ",")
        let kinds = faults.map { String($0.prefix { $0 != ":" }) }
        #expect(Set(kinds) == Set(FaultPlan.Kind.allCases.map(\.rawValue) + ["skew"]))
        let transports = document.matches(of: /`--transport ([a-z]+)`/).map { String($0.1) }
        #expect(Set(transports) == Set(Simulate.Transport.allCases.map(\.rawValue)))
    }
}
