internal import ArgumentParser
internal import Sensors

/// `iotctl change-frequency SENSOR…|-l SELECTOR|--all HZ`
struct ChangeFrequency: AsyncParsableCommand {
    /// Help.
    static let configuration = CommandConfiguration(
        commandName: "change-frequency",
        abstract: "Asks sensors to sample at another rate.",
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
            """)

    /// Which, and the rate.
    @Argument(
        help: ArgumentHelp("Serial numbers, then samples a second (2000, 0.5, 2.5kHz).", valueName: "sensor> ... <hz"),
        completion: .sensors)
    var words: [String] = []

    /// What all such commands have.
    @OptionGroup var options: CommandOptions

    /// Refuses what is no rate.
    func validate() throws {
        guard let word = words.last, SampleRate(word: word) != nil else {
            throw ValidationError("the last word, '\(words.last ?? "")', is not a sample rate: 1e-7…1e9 Hz are")
        }
        try options.selection.check(Array(words.dropLast()))
    }

    /// Asks them.
    func run() async throws {
        guard let rate = words.last.flatMap(SampleRate.init(word:)) else { return }
        try await perform {
            try await options.send(
                Command.Name.changeSampleFrequency, ["hertz": .number(rate.hertz)], to: Array(words.dropLast()))
        }
    }
}

extension SampleRate {
    /// Reads a rate as people write it: a number, with `k`, `Hz` or `kHz` behind it if they like.
    /// - Returns: nil if it is no rate.
    init?(word: String) {
        var digits = word.lowercased()
        if digits.hasSuffix("hz") { digits.removeLast(2) }
        let factor: Double = digits.hasSuffix("k") ? 1000 : 1
        if factor > 1 { digits.removeLast() }
        guard let number = Double(digits) else { return nil }
        self.init(hertz: number * factor)
    }
}
