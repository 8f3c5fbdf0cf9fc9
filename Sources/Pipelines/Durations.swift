public import ArgumentParser

extension Duration {
    /// Reads a duration as people write it on a command line: `500ms`, `10s`, `2m`, `1h`, `7d`, fractions allowed.
    /// - Returns: nil if `text` is anything else, negative, or longer than ten years.
    public init?(commandLine text: String) {
        let digits = text.prefix { $0.isNumber || $0 == "." }
        let units: [Substring: Double] = ["ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400]
        guard let number = Double(digits), let unit = units[text.dropFirst(digits.count)], number * unit < 3.2e8 else {
            return nil
        }
        self = .seconds(number * unit)
    }
}

extension Duration: @retroactive ExpressibleByArgument {
    /// As `init(commandLine:)`.
    public init?(argument: String) { self.init(commandLine: argument) }
}
