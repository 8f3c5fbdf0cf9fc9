public import ArgumentParser
internal import Foundation
internal import Support

/// The way from a command line to an exit code, the same in every program.
///
/// Help goes to standard output. An error is one line on standard error, never the usage:
/// `iotctl: <what is wrong>: <value>; <what to do>`.
public enum Launch {
    /// An error as a program ends with it.
    public struct Ending: Sendable {
        /// The exit code.
        public var status: ExitCode
        /// Lines for standard error, without the program's name.
        public var lines: [String]

        /// An end with that exit code and those lines.
        public init(_ status: ExitCode, _ lines: [String]) {
            self.status = status
            self.lines = lines
        }
    }

    /// Parses the words, runs the command that they name, and ends the process.
    /// - Parameters:
    ///   - words: the command line without the program's name; nil: that of this process.
    ///   - explain: the meaning of an error to the user; nil for an error that it does not know.
    public static func run(
        _ root: (some AsyncParsableCommand).Type, _ words: [String]? = nil,
        explain: (any Error) -> Ending? = { _ in nil }
    ) async -> Never {
        // A write to a closed pipe is an error with a message, not the end of the process.
        _ = signal(SIGPIPE, SIG_IGN)
        let words = words ?? Array(CommandLine.arguments.dropFirst())
        do {
            var command = try await root.asyncParseAsRoot(words)
            if var command = command as? any AsyncParsableCommand { try await command.run() } else { try command.run() }
            exit(0)
        } catch {
            end(with: ending(error, of: root, words, explain: explain), of: root)
        }
    }

    /// Prints the lines on standard error and ends the process.
    public static func end(with ending: Ending, of root: (some ParsableCommand).Type) -> Never {
        let name = root.configuration.commandName ?? ""
        for line in ending.lines { try? writeAll("\(name): \(line)\n".utf8, to: STDERR_FILENO) }
        exit(ending.status.rawValue)
    }

    /// The end that an error means. Help and version are printed here.
    private static func ending<Root: AsyncParsableCommand>(
        _ error: any Error, of root: Root.Type, _ words: [String], explain: (any Error) -> Ending?
    ) -> Ending {
        if let status = error as? ExitCode { return Ending(status, []) }
        if let ending = explain(error) { return ending }
        if let error = error as? StandardOutput.Unwritable { return Ending(ExitStatus.failed, [error.description]) }
        switch Root.exitCode(for: error) {
        case .success:
            do { try StandardOutput.write("\(withWrappedUsage(Root.fullMessage(for: error)))\n".utf8) } catch {
                return Ending(ExitStatus.failed, [error.description])
            }
            return Ending(.success, [])
        case .validationFailure:
            let path = path(of: words, in: root.configuration)
            return Ending(ExitStatus.usage, [line(Root.message(for: error), helpOf: path)])
        default:
            return Ending(ExitStatus.failed, ["unexpected error: \(text(of: error))"])
        }
    }

    /// A help text whose usage, which the parser prints on one line, is wrapped at 80 columns between its options.
    public static func withWrappedUsage(_ help: String) -> String {
        let title = "USAGE: "
        return help.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            guard line.hasPrefix(title), line.count > columns else { return String(line) }
            var lines = [""]
            for word in parts(of: line.dropFirst(title.count)) {
                let last = lines[lines.count - 1]
                if last.isEmpty {
                    lines[lines.count - 1] = word
                } else if title.count + last.count + 1 + word.count <= columns {
                    lines[lines.count - 1] = "\(last) \(word)"
                } else {
                    lines.append(word)
                }
            }
            return title + lines.joined(separator: "\n" + String(repeating: " ", count: title.count))
        }.joined(separator: "\n")
    }

    private static let columns = 80

    /// The words of a usage; what stands in brackets is one.
    private static func parts(of usage: some StringProtocol) -> [String] {
        var parts: [String] = []
        for word in usage.split(separator: " ") {
            if let last = parts.last, last.count(where: { $0 == "[" }) > last.count(where: { $0 == "]" }) {
                parts[parts.count - 1] = "\(last) \(word)"
            } else {
                parts.append(String(word))
            }
        }
        return parts
    }

    /// An error's own words; an error of Foundation is not printed with its fields.
    static func text(of error: any Error) -> String {
        error is CocoaError || error is POSIXError || type(of: error) is NSError.Type
            ? error.localizedDescription : "\(error)"
    }

    /// The names of the commands that the first words name: "iotctl get sensors".
    static func path(of words: [String], in configuration: CommandConfiguration) -> String {
        let name = configuration.commandName ?? ""
        let next = configuration.subcommands.map { $0.configuration }.first {
            words.first == $0.commandName || $0.aliases.contains(words.first ?? "")
        }
        guard let next else { return name }
        return "\(name) \(path(of: Array(words.dropFirst()), in: next))"
    }

    /// A message of the parser in the style of all errors: on one line, without a capital and a full stop, and with a
    /// pointer to the help unless it says itself what to do.
    static func line(_ message: String, helpOf path: String) -> String {
        var text = message.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        if text.hasPrefix("Error: ") { text.removeFirst("Error: ".count) }
        while text.hasSuffix(".") { text.removeLast() }
        let second = text.dropFirst().first
        if let first = text.first, second?.isLowercase == true || second == " " {
            text = first.lowercased() + text.dropFirst()
        }
        let isComplete = text.contains(";") || text.hasSuffix("?") || text.contains("--help")
        return isComplete ? text : "\(text); see \(path) --help"
    }
}
