internal import ArgumentParser

/// The output format of a list.
enum ListFormat: Equatable {
    /// The names of the list's elements, one a line.
    case names
    /// A format that every output has.
    case format(Format)

    /// The names of the formats.
    static let words = ["table", "wide", "name", "json", "yaml"]

    /// The name of the format.
    var word: String {
        switch self {
        case .names: "name"
        case .format(let format): format.rawValue
        }
    }

    /// Parses the name of a format.
    /// - Throws: `ValidationError` for an unknown name; it proposes a similar one.
    static func read(_ word: String) throws -> ListFormat {
        if word == "name" { return .names }
        if let format = Format(rawValue: word) { return .format(format) }
        guard let proposal = DidYouMean.proposals(for: word, among: words).first else {
            throw ValidationError("expected one of \(words.joined(separator: ", "))")
        }
        throw ValidationError("did you mean \(proposal)?")
    }
}

/// The options `-o` and `--no-headers` of the commands that print a list.
struct ListOptions: ParsableArguments {
    @Option(
        name: [.customShort("o"), .customLong("output")],
        help: ArgumentHelp("table (default), wide, name (one a line), json or yaml.", valueName: "format"),
        completion: .list(ListFormat.words), transform: ListFormat.read)
    var format = ListFormat.format(.table)

    @Flag(help: "Print tables without the line of titles.")
    var noHeaders = false

    /// The option `--context`, which is read before all other options.
    @OptionGroup var context: ContextOption

    /// Whether the list has more than what a table without `-o wide` shows.
    var isFull: Bool { format != .names && format != .format(.table) }

    /// Prints a list on stdout.
    /// - Parameters:
    ///   - elements: the elements.
    ///   - name: the word by which other commands name an element: a serial number, an id.
    ///   - view: an element for JSON and YAML.
    ///   - table: the elements for people.
    func show<Element, View: Encodable>(
        _ elements: [Element], name: (Element) -> String, view: (Element) -> View, table: (_ wide: Bool) -> Table
    ) throws {
        switch format {
        case .names: try show(names: elements.map(name))
        case .format(let format):
            try format.show(elements.map(view)) { wide, style in
                table(wide).text(wide: wide, style, hasTitles: !noHeaders)
            }
        }
    }

    /// Prints names, one a line.
    func show(names: [String]) throws { try Out.write(names.map { $0.printable + "\n" }.joined()) }
}
