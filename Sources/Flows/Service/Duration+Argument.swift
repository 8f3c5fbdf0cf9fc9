public import ArgumentParser
internal import Time

extension Duration: @retroactive ExpressibleByArgument {
    /// Parses an option of the command line, as `init(commandLine:)` does.
    public init?(argument: String) { self.init(commandLine: argument) }

    /// The default of an option as it is written on the command line: "10s", "500ms".
    public var defaultValueDescription: String { commandLineText }
}
