internal import ArgumentParser
internal import Sensors

/// `iotctl change-frequency SENSOR… HZ`
struct ChangeFrequency: AsyncParsableCommand {
    /// Help.
    static let configuration = CommandConfiguration(
        commandName: "change-frequency",
        abstract: "Asks sensors to sample at another rate.",
        usage: "iotctl change-frequency <sensor> ... <hz> [<options>]",
        discussion: """
            Examples:
              iotctl change-frequency lab-1 2000
              iotctl change-frequency lab-1 lab-2 2.5kHz
              iotctl change-frequency field-7 0.5 --timeout 30s
            """)

    /// Which, and the rate.
    @Argument(
        help: ArgumentHelp("Serial numbers, then samples a second (2000, 0.5, 2.5kHz).", valueName: "sensor> ... <hz"))
    var words: [String]

    /// What all such commands have.
    @OptionGroup var options: CommandOptions

    /// Refuses what is no rate.
    func validate() throws {
        guard words.count >= 2 else { throw ValidationError("needs at least one sensor, then a rate in Hz") }
        guard Self.rate(words[words.count - 1]) != nil else {
            throw ValidationError("'\(words[words.count - 1])' is not a sample rate: 1e-7…1e9 Hz are")
        }
    }

    /// Asks them.
    func run() async throws {
        guard let word = words.last, let rate = Self.rate(word) else { return }
        try await perform {
            try await options.send(
                Command.Name.changeSampleFrequency, ["hertz": .number(rate.hertz)], to: Array(words.dropLast()))
        }
    }

    /// Reads a rate: a number, with `k`, `Hz` or `kHz` behind it if it likes.
    static func rate(_ word: String) -> SampleRate? {
        var digits = word.lowercased()
        if digits.hasSuffix("hz") { digits.removeLast(2) }
        let factor: Double = digits.hasSuffix("k") ? 1000 : 1
        if factor > 1 { digits.removeLast() }
        return Double(digits).flatMap { SampleRate(hertz: $0 * factor) }
    }
}
