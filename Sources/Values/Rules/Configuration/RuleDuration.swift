internal import Time

/// A duration of a rule. In YAML and JSON it is a text as on iotctl's command lines: `500ms`, `10s`, `2m`, `1h`, `7d`.
public struct RuleDuration: Hashable, Sendable, Comparable, Codable, CustomStringConvertible {
    /// Nanoseconds, a multiple of a millisecond, so that the text says all of it.
    public let nanoseconds: Int64

    /// That duration, rounded down to a millisecond.
    public init(_ duration: Duration) {
        let count = duration.nanoseconds
        nanoseconds = count - count % 1_000_000
    }

    /// So many seconds.
    public static func seconds(_ count: Int64) -> RuleDuration { RuleDuration(.seconds(count)) }

    /// Seconds with their fraction.
    public var seconds: Double { Double(nanoseconds) / 1e9 }

    /// The text that is read again.
    public var description: String { Duration.nanoseconds(nanoseconds).commandLineText }

    /// The shorter first.
    public static func < (left: RuleDuration, right: RuleDuration) -> Bool { left.nanoseconds < right.nanoseconds }

    /// Reads the text.
    /// - Throws: `DecodingError` if it is no duration.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let duration = Duration(commandLine: text) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "'\(text)' is no duration; write 500ms, 10s, 2m, 1h or 7d")
        }
        self.init(duration)
    }

    /// Writes the text.
    /// - Throws: `EncodingError`.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
