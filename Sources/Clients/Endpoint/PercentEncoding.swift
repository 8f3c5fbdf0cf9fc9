/// Percent-encoding of URLs (RFC 3986, section 2.1).
enum PercentEncoding {
    /// The text without its percent-encoding.
    /// - Throws: `percent` if a % is not followed by two hexadecimal digits; `text` if the result is not UTF-8, or
    ///   contains a NUL, at which the C libraries would cut it.
    static func decoded(_ text: Substring) throws(EndpointError.Fault) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(digit), let low = rest.popFirst().flatMap(digit) else {
                throw .percent
            }
            bytes.append(high << 4 | low)
        }
        guard !bytes.contains(0), let decoded = String(validating: bytes, as: UTF8.self) else { throw .text }
        return decoded
    }

    /// The text with all bytes percent-encoded that are not letters, digits or `-._~`. Digits are in lower case, as
    /// RabbitMQ's documentation writes the virtual host "/": `%2f`.
    static func encoded(_ text: String, alsoAllowing allowed: String = "") -> String {
        var encoded = ""
        for byte in text.utf8 {
            let scalar = Unicode.Scalar(byte)
            if isUnreserved(byte) || allowed.utf8.contains(byte) {
                encoded.unicodeScalars.append(scalar)
            } else {
                encoded += byte < 16 ? "%0" : "%"
                encoded += String(byte, radix: 16)
            }
        }
        return encoded
    }

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
        default: "-._~".utf8.contains(byte)
        }
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        Character(Unicode.Scalar(byte)).hexDigitValue.map { UInt8(truncatingIfNeeded: $0) }
    }
}
