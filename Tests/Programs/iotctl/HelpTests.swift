import ArgumentParser
import Foundation
import Service
import Testing

@testable import iotctl

/// Every command's help begins with examples, and they are ones that the parser takes.
@Suite struct HelpTests {
    /// A command with the words that call it.
    struct Command: Sendable, CustomTestStringConvertible {
        var words: [String]
        var type: any ParsableCommand.Type

        var testDescription: String { words.joined(separator: " ") }

        /// This one and all below it.
        static func all(_ type: any ParsableCommand.Type = IotCtl.self, _ path: [String] = []) -> [Command] {
            let words = path + [type.configuration.commandName ?? ""]
            return [Command(words: words, type: type)] + type.configuration.subcommands.flatMap { all($0, words) }
        }

        /// The help of every command, by the words that call it. Made once, because a debug build takes long for it.
        private static let helps = Dictionary(
            uniqueKeysWithValues: all().map { ($0.testDescription, $0.type.helpMessage(columns: 80)) })

        /// Its help for a terminal of 80 columns.
        var help: String { Self.helps[testDescription] ?? "" }

        /// The words of its help, with a blank between any two.
        var helpText: String { help.split(whereSeparator: \.isWhitespace).joined(separator: " ") }

        /// The calls of iotctl in the examples of all commands, each once: several commands share an example.
        static let calls: [Call] = {
            var seen: Set<[String]> = []
            return all().flatMap(\.calls).filter { seen.insert($0.words).inserted }
        }()

        /// The calls of iotctl in its examples.
        var calls: [Call] {
            examples.flatMap { example in
                Shell.calls(of: "iotctl", in: example).map {
                    Call(words: ContextOption.taken(from: $0).words, example: example)
                }
            }
        }

        /// The lines of its examples, those that go on in a second line put together.
        var examples: [String] {
            var lines: [String] = []
            for line in type.configuration.discussion.split(separator: "\n", omittingEmptySubsequences: false)
                .dropFirst()
            {
                if line.trimmingCharacters(in: .whitespaces).isEmpty { break }
                let last = lines.last ?? ""
                if last.hasSuffix("\\") {
                    lines[lines.count - 1] = String(last.dropLast()) + line
                } else if last.filter({ $0 == "'" }).count % 2 == 1 {
                    lines[lines.count - 1] += " " + line
                } else {
                    lines.append(String(line))
                }
            }
            return lines.map { $0.trimmingCharacters(in: .whitespaces) }
        }
    }

    /// A call of iotctl in an example.
    struct Call: Sendable, CustomTestStringConvertible {
        /// The command line without the program's name and without `--context`.
        var words: [String]
        var example: String

        var testDescription: String { words.joined(separator: " ") }
    }

    @Test func theWalkFindsCommandsOnEveryLevel() {
        let found = Set(Command.all().map { $0.words.joined(separator: " ") })
        #expect(found.isSuperset(of: ["iotctl", "iotctl sleep", "iotctl get sensors", "iotctl context add"]))
    }

    @Test(arguments: Command.all())
    func helpBeginsWithExamples(_ command: Command) {
        let configuration = command.type.configuration
        #expect(!configuration.abstract.isEmpty && !configuration.abstract.contains("\n"))
        #expect(configuration.discussion.hasPrefix("Examples:\n  "))
        #expect(!command.examples.isEmpty)
    }

    /// Words of help and messages that are not the field's plain English.
    private static var forbidden: Regex<AnyRegexOutput> {
        get throws {
            let words = [
                "somebody", "nobody", "whoever", "whatever", "anew", "good-?bye", "for ever", "patience", "mend",
                "in vain",
                "none of ours", "no use", "is so", "so many", "takes? away", "is wanted", "what is", "how long what",
                "whose", "don't",
            ]
            return try Regex("\\b(\(words.joined(separator: "|")))\\b").ignoresCase()
        }
    }

    @Test(arguments: Command.all())
    func helpFitsATerminalAndIsPlainEnglish(_ command: Command) throws {
        let help = Launch.withWrappedUsage(command.help).split(
            separator: "\n", omittingEmptySubsequences: false)
        for line in help where line.count > 80 { Issue.record("too long for a terminal of 80 columns: \(line)") }
        // No line of the discussion is wrapped a second time.
        for line in command.type.configuration.discussion.split(separator: "\n") {
            #expect(help.contains { $0.trimmingSuffix == line.trimmingSuffix }, "wrapped again: \(line)")
        }
        let text = help.joined(separator: "\n")
        for match in text.matches(of: try Self.forbidden) {
            Issue.record("\(command): '\(text[match.range])' in the help")
        }
        #expect(command.type.configuration.abstract.first?.isUppercase == true)
        #expect(command.type.configuration.abstract.hasSuffix("."))
    }

    @Test func commandsAreListedInGroups() {
        let configuration = IotCtl.configuration
        #expect(configuration.ungroupedSubcommands.isEmpty)
        #expect(configuration.groupedSubcommands.map(\.name) == ["Control", "State", "Live", "Data", "System"])
        let help = IotCtl.helpMessage(columns: 80)
        for group in configuration.groupedSubcommands {
            #expect(help.contains("\n\(group.name.uppercased()) SUBCOMMANDS:\n"), "\(group.name)")
            #expect(group.subcommands.count >= 3)
        }
    }

    @Test(arguments: Command.all())
    func anExampleCallsTheCommand(_ command: Command) {
        #expect(command.calls.contains { $0.words.starts(with: command.words.dropFirst()) })
    }

    @Test(arguments: Command.calls)
    func theExamplesAreTakenByTheParser(_ call: Call) async throws {
        #expect(IotCtl.complaint(of: call.words, IotCtl.configuration) == nil, "\(call.example)")
        do { _ = try await IotCtl.parsed(call.words) } catch {
            Issue.record("\(call.example): \(IotCtl.message(for: error))")
        }
    }

    @Test func theShellsWordsAreFound() {
        #expect(Shell.calls(of: "x", in: #"x a 'b c' "d" | jq '.[] | x' > f"#) == [["a", "b c", "d"]])
        #expect(Shell.calls(of: "x", in: "cat f | x -f - && x b") == [["-f", "-"], ["b"]])
        #expect(Shell.calls(of: "x", in: "y x") == [])
    }
}

extension IotCtl {
    /// The command that a command line calls, parsed by the type that its first words name. A debug build takes half as
    /// long for this as for `asyncParseAsRoot`, which checks the declarations of all options on the way down; that the
    /// first words name a command is what `complaint(of:_:)` checks.
    static func parsed(_ words: [String]) async throws -> any ParsableCommand {
        var type: any ParsableCommand.Type = IotCtl.self
        var rest = words[...]
        while let word = rest.first,
            let next = type.configuration.subcommands.first(where: {
                $0.configuration.commandName == word || $0.configuration.aliases.contains(word)
            })
        {
            type = next
            rest.removeFirst()
        }
        guard let type = type as? any AsyncParsableCommand.Type else { return try type.parseAsRoot(Array(rest)) }
        return try await type.asyncParseAsRoot(Array(rest))
    }
}

extension StringProtocol {
    /// The text without the white space at its end.
    fileprivate var trimmingSuffix: String {
        var text = String(self)
        while text.last?.isWhitespace == true { text.removeLast() }
        return text
    }
}

/// As much of a shell's grammar as examples need.
enum Shell {
    /// The arguments of each call of a program in a line.
    static func calls(of program: String, in line: String) -> [[String]] {
        commands(line).filter { $0.first == program }.map { Array($0.dropFirst()) }
    }

    /// The commands of a line, as words; what a redirection names is left out.
    private static func commands(_ line: String) -> [[String]] {
        var commands: [[String]] = [[]]
        var word: String?
        var quote: Character?
        var isRedirected = false
        func end() {
            if let word, !isRedirected { commands[commands.count - 1].append(word) }
            if word != nil { isRedirected = false }
            word = nil
        }
        for character in line {
            if let open = quote {
                if character == open { quote = nil } else { word = (word ?? "") + String(character) }
                continue
            }
            switch character {
            case "'", "\"":
                quote = character
                word = word ?? ""
            case " ": end()
            case "|", ";", "&":
                end()
                commands.append([])
            case "<", ">":
                end()
                isRedirected = true
            default: word = (word ?? "") + String(character)
            }
        }
        end()
        return commands
    }
}
