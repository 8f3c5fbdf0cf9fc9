internal import ArgumentParser
internal import Foundation

/// How something is printed.
enum Format: String, CaseIterable {
    /// Columns for people.
    case table
    /// The same with more columns.
    case wide
    /// docs/iotctl-json.md says what is in it.
    case json
    /// The same fields as JSON.
    case yaml

    /// Reads its name.
    /// - Throws: `ValidationError`, which names the one that may have been meant.
    static func read(_ word: String) throws -> Format {
        if let format = Format(rawValue: word) { return format }
        let names = allCases.map(\.rawValue)
        guard let proposal = DidYouMean.proposals(for: word, among: names).first else {
            throw ValidationError("there are \(names.joined(separator: ", "))")
        }
        throw ValidationError("did you mean \(proposal)?")
    }
}

/// The option `-o` of everything that prints.
struct OutputOptions: ParsableArguments {
    /// How to print.
    @Option(
        name: [.customShort("o"), .customLong("output")],
        help: ArgumentHelp("table (default), wide, json or yaml.", valueName: "format"),
        completion: .list(Format.allCases.map(\.rawValue)), transform: Format.read)
    var format = Format.table

    /// Whose servers; read before all else.
    @OptionGroup var context: ContextOption

    /// Prints one answer on stdout.
    /// - Parameters:
    ///   - value: for JSON and YAML.
    ///   - text: for people; ends with a line feed.
    func show(_ value: @autoclosure () -> Value, text: (_ wide: Bool, _ style: Style) -> String) throws {
        switch format {
        case .table, .wide: try Out.write(text(format == .wide, .standard))
        case .json: try Out.write(value().prettyJSON + "\n")
        case .yaml: try Out.write(value().yaml())
        }
    }

    /// Prints one of a stream: a line of text or JSON, or a YAML document.
    func showNext(_ value: @autoclosure () -> Value, line: (Style) -> String) throws {
        switch format {
        case .table, .wide: try Out.write(line(.standard) + "\n")
        case .json: try Out.write(value().json + "\n")
        case .yaml: try Out.write(value().yaml(isPartOfStream: true))
        }
    }
}

/// stdout: data, and nothing else.
enum Out {
    /// Writes at once, without a buffer: whoever reads a stream wants each line when it comes.
    static func write(_ text: String) throws { try FileHandle.standardOutput.write(contentsOf: Data(text.utf8)) }
}

/// stderr: everything that is not data.
enum Talk {
    /// Says one line. What can't be said is not worth failing for.
    static func say(_ text: String) {
        try? FileHandle.standardError.write(contentsOf: Data("iotctl: \(text.printable)\n".utf8))
    }

    /// Says one line if somebody is there to read it.
    static func sayOnTerminal(_ text: String) {
        if isatty(STDERR_FILENO) == 1 { say(text) }
    }
}
