extension Duration {
    /// Nanoseconds of the units that a duration is written in.
    private static let units: [Substring: Int64] = [
        "ms": 1_000_000, "s": 1_000_000_000, "m": 60_000_000_000, "h": 3_600_000_000_000, "d": 86_400_000_000_000,
    ]

    /// The duration as `init(commandLine:)` reads it, in the largest unit that divides it: "10s", "90s", "7d". A rest below
    /// a millisecond is omitted.
    public var commandLineText: String {
        let count = nanoseconds
        if count == 0 { return "0s" }
        let unit = Self.units.filter { count.isMultiple(of: $0.value) }.max { $0.value < $1.value }
        return unit.map { "\(count / $0.value)\($0.key)" } ?? "\(count / 1_000_000)ms"
    }

    /// The longest duration that is read: about ten years.
    private static let longest = Duration.seconds(320_000_000)

    /// Reads a duration of a command line: `500ms`, `10s`, `2m`, `1h`, `7d`, fractions allowed; exact to the nanosecond.
    /// - Returns: nil if `text` is anything else, negative, or longer than ten years.
    public init?(commandLine text: some StringProtocol) {
        let digits = text.prefix { $0.isNumber || $0 == "." }
        guard let unit = Self.units[Substring(text.dropFirst(digits.count))],
            let nanoseconds = Int64(decimal: digits, times: unit)
        else { return nil }
        self = .nanoseconds(nanoseconds)
        if self >= Self.longest { return nil }
    }
}
