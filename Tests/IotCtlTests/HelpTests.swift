import ArgumentParser
import Foundation
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

        /// The lines of its examples, those that go on in a second line put together.
        var examples: [String] {
            var lines: [String] = []
            for line in type.configuration.discussion.split(separator: "\n", omittingEmptySubsequences: false)
                .dropFirst()
            {
                if line.trimmingCharacters(in: .whitespaces).isEmpty { break }
                let isMore = (lines.last?.filter { $0 == "'" }.count ?? 0) % 2 == 1
                if isMore { lines[lines.count - 1] += " " + line } else { lines.append(String(line)) }
            }
            return lines.map { $0.trimmingCharacters(in: .whitespaces) }
        }
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
        for line in configuration.discussion.split(separator: "\n") {
            #expect(line.count <= 100, "too long for a terminal: \(line)")
        }
    }

    @Test(arguments: Command.all())
    func theExamplesAreTakenByTheParser(_ command: Command) async throws {
        var own = 0
        for example in command.examples {
            for call in Shell.calls(of: "iotctl", in: example) {
                let (words, _) = ContextOption.taken(from: call)
                #expect(IotCtl.complaint(of: words, IotCtl.configuration) == nil, "\(example)")
                do { _ = try await IotCtl.asyncParseAsRoot(words) } catch {
                    Issue.record("\(example): \(IotCtl.message(for: error))")
                }
                if words.starts(with: command.words.dropFirst()) { own += 1 }
            }
        }
        #expect(own > 0, "none of the examples calls it")
    }

    @Test func theShellsWordsAreFound() {
        #expect(Shell.calls(of: "x", in: #"x a 'b c' "d" | jq '.[] | x' > f"#) == [["a", "b c", "d"]])
        #expect(Shell.calls(of: "x", in: "cat f | x -f - && x b") == [["-f", "-"], ["b"]])
        #expect(Shell.calls(of: "x", in: "y x") == [])
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
