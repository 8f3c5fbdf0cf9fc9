internal import ArgumentParser
internal import Model

/// `iotctl change-frequency SENSOR…|-l SELECTOR|--all HZ`
struct ChangeFrequency: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "change-frequency",
        abstract: "Changes the sample rate of sensors until they restart.",
        usage: """
            iotctl change-frequency <sensor> ... <hz> [<options>]
            iotctl change-frequency -l <selector>|--all <hz> [<options>]
            """,
        discussion: """
            Examples:
              iotctl change-frequency lab-1 2000
              iotctl change-frequency lab-1 lab-2 2.5kHz
              iotctl change-frequency field-7 0.5 --timeout 30s
              iotctl change-frequency -l kind=vibration 1kHz --abort-if-failed 5%

            A desired rate, which sensors keep after a restart, is set with iotctl set.
            iotctl sleep --help explains how iotctl waits for sensors that are offline.
            """)

    @Argument(
        help: ArgumentHelp(
            "Serial numbers or globs, then the rate in Hz (2000, 0.5, 2.5kHz).", valueName: "sensor> ... <hz"),
        completion: .sensors)
    var words: [String] = []

    @OptionGroup var options: CommandOptions

    func validate() throws {
        guard let word = words.last else { throw ValidationError("missing: the sample rate; give it in Hz") }
        guard SampleRate(word: word) != nil else { throw ValidationError(Self.notARate(word)) }
        try options.selection.check(Array(words.dropLast()))
    }

    /// The error of a negative rate, which the parser takes for an unknown option; nil if there is none.
    static func complaint(of words: [String]) -> String? {
        words.first { $0.wholeMatch(of: /-[0-9.].*/) != nil }.map(notARate)
    }

    private static func notARate(_ word: String) -> String {
        "not a sample rate: \(word); the last word must be a rate from 1e-7 to 1e9 Hz, such as 1000 or 2.5kHz"
    }

    func run() async throws {
        guard let rate = words.last.flatMap(SampleRate.init(word:)) else { return }
        try await perform {
            try await options.send(
                Command.Name.changeSampleFrequency, ["hertz": .number(rate.hertz)], to: Array(words.dropLast()))
        }
    }
}

extension SampleRate {
    /// Parses a rate in Hz: a number, optionally followed by `k`, `Hz` or `kHz`.
    /// - Returns: nil if `word` is not a sample rate.
    init?(word: String) {
        var digits = word.lowercased()
        if digits.hasSuffix("hz") { digits.removeLast(2) }
        let factor: Double = digits.hasSuffix("k") ? 1000 : 1
        if factor > 1 { digits.removeLast() }
        guard let number = Double(digits) else { return nil }
        self.init(hertz: number * factor)
    }
}
