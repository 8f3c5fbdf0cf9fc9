import ArgumentParser
import Foundation
import Testing

@testable import Service

@Suite struct LaunchTests {
    @Test(arguments: [
        ("Missing expected argument '<sensor>'", "missing expected argument '<sensor>'; see iotctl sleep --help"),
        ("Unknown option '--foo'. Did you mean '--for'?", "unknown option '--foo'. Did you mean '--for'?"),
        ("--timeout must be more than 0", "--timeout must be more than 0; see iotctl sleep --help"),
        ("no state x; expected one of a, b", "no state x; expected one of a, b"),
        ("Error: two\n  lines.", "two lines; see iotctl sleep --help"),
        ("CSV is not a format", "CSV is not a format; see iotctl sleep --help"),
    ])
    func aMessageIsOneLineThatSaysWhatToDo(_ message: String, _ line: String) {
        #expect(Launch.line(message, helpOf: "iotctl sleep") == line)
    }

    @Test func theUsageIsWrappedBetweenItsOptions() {
        let options = (1...9).map { "[--option-\($0) <value>]" }
        let help = Launch.withWrappedUsage(
            "OVERVIEW: x\n\nUSAGE: tool sub " + options.joined(separator: " ") + "\n\nOPTIONS:")
        let lines = help.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.allSatisfy { $0.count <= 80 })
        #expect(lines.count >= 7 && lines[2].hasPrefix("USAGE: tool sub [--option-1 <value>]"))
        #expect(lines[3].hasPrefix("       [--option-"))
        #expect(Launch.withWrappedUsage("USAGE: tool <a>\n       tool <b>") == "USAGE: tool <a>\n       tool <b>")
    }

    private struct Root: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "root", subcommands: [Inner.self])
    }

    private struct Inner: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "inner", aliases: ["in"])
    }

    @Test(arguments: [
        ([], "root"), (["inner"], "root inner"), (["in", "x"], "root inner"), (["--x", "inner"], "root"),
    ])
    func theHelpIsThatOfTheCommand(_ words: [String], _ path: String) {
        #expect(Launch.path(of: words, in: Root.configuration) == path)
    }

    @Test func anErrorOfFoundationIsShownInItsWords() {
        let error = CocoaError(.fileNoSuchFile)
        #expect(!Launch.text(of: error).contains("Code="))
        #expect(!Launch.text(of: error as NSError).contains("Code="))
        #expect(Launch.text(of: ExitCode(3)).contains("3"))
    }
}
