/// A sensor's unique name: 1–64 characters of `A–Z a–z 0–9 _ -`.
///
/// A dot would split a routing key and a slash an MQTT topic, so neither is allowed.
public struct SerialNumber: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The longest serial number, in characters.
    public static let lengthMax = 64

    /// The serial number as text.
    public let text: String

    /// Reads a serial number.
    /// - Returns: nil unless `text` has 1–64 of the allowed characters and nothing else.
    public init?(_ text: some StringProtocol) {
        let text = String(text)
        self.init(utf8: text.utf8Span.span)
    }

    /// Reads a serial number from the UTF-8 bytes of a part of a text.
    /// - Returns: nil unless the bytes are 1–64 of the allowed characters and nothing else.
    public init?(utf8 bytes: Span<UInt8>) {
        guard (1...Self.lengthMax).contains(bytes.count) else { return nil }
        for index in bytes.indices where !Self.isAllowed(bytes[index]) { return nil }
        guard let text = try? UTF8Span(validating: bytes) else { return nil }
        self.text = String(copying: text)
    }

    /// The serial number as text.
    public var description: String { text }

    /// Orders by text, byte by byte.
    public static func < (left: SerialNumber, right: SerialNumber) -> Bool { left.text < right.text }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}
