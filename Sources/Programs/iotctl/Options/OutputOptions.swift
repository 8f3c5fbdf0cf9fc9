internal import ArgumentParser
internal import Foundation
internal import Records
internal import Service

/// The output format.
enum Format: String, CaseIterable {
    /// Columns for people.
    case table
    /// Columns for people, with additional ones.
    case wide
    /// JSON as docs/iotctl-json.md describes it.
    case json
    /// YAML with the same fields as JSON.
    case yaml

    /// Parses the name of a format.
    /// - Throws: `ValidationError` for an unknown name; it proposes a similar one.
    static func read(_ word: String) throws -> Format {
        if let format = Format(rawValue: word) { return format }
        let names = allCases.map(\.rawValue)
        guard let proposal = DidYouMean.proposals(for: word, among: names).first else {
            throw ValidationError("expected one of \(names.joined(separator: ", "))")
        }
        throw ValidationError("did you mean \(proposal)?")
    }

    /// Prints one result on stdout.
    /// - Parameters:
    ///   - view: the result for JSON and YAML.
    ///   - text: the result for people; ends with a line feed.
    func show(_ view: @autoclosure () -> any Encodable, text: (_ wide: Bool, _ style: Style) -> String) throws {
        switch self {
        case .table, .wide: try Out.write(text(self == .wide, .standard))
        case .json: try Out.write(JSON.pretty(view()) + "\n")
        case .yaml: try Out.write(JSONValue(encoding: view()).yaml())
        }
    }
}

/// The option `-o` of the commands that print data, except lists, which have `ListOptions`.
struct OutputOptions: ParsableArguments {
    @Option(
        name: [.customShort("o"), .customLong("output")],
        help: ArgumentHelp("table (default), wide, json or yaml.", valueName: "format"),
        completion: .list(Format.allCases.map(\.rawValue)), transform: Format.read)
    var format = Format.table

    /// The option `--context`, which is read before all other options.
    @OptionGroup var context: ContextOption

    /// Prints one result on stdout, as `Format.show(_:text:)`.
    func show(_ view: @autoclosure () -> any Encodable, text: (_ wide: Bool, _ style: Style) -> String) throws {
        try format.show(view(), text: text)
    }

    /// Prints one element of a stream: a line of text or JSON, or a YAML document.
    func showNext(_ view: @autoclosure () -> any Encodable, line: (Style) -> String) throws {
        switch format {
        case .table, .wide: try Out.write(line(.standard) + "\n")
        case .json: try Out.write(JSON.line(view()) + "\n")
        case .yaml: try Out.write(JSONValue(encoding: view()).yaml(isPartOfStream: true))
        }
    }
}

/// Standard output, for data only.
enum Out {
    /// Writes without a buffer, so that the reader of a stream gets each line at once.
    /// - Throws: `StandardOutput.Unwritable`.
    static func write(_ text: String) throws { try StandardOutput.write(text.utf8) }
}

/// Standard error, for messages to the user.
enum Talk {
    /// Prints one line. An error while printing is ignored.
    static func say(_ text: String) {
        try? FileHandle.standardError.write(contentsOf: Data("iotctl: \(text.printable)\n".utf8))
    }

    /// Prints a question, and leaves the cursor behind it. An error while printing is ignored.
    static func ask(_ question: String) {
        try? FileHandle.standardError.write(contentsOf: Data("iotctl: \(question.printable)".utf8))
    }

    /// Prints one line if stderr is a terminal.
    static func sayOnTerminal(_ text: String) {
        if isatty(STDERR_FILENO) == 1 { say(text) }
    }
}
