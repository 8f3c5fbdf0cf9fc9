/// A key that a full-screen command reacts to.
enum Key: Sendable, Equatable {
    /// A printable ASCII character.
    case character(Character)
    case up, down, pageUp, pageDown, home, end
    case enter, backspace, escape
}

/// Reads keys from the bytes that a terminal sends. Pure.
struct KeyReader: Sendable {
    /// The bytes of a sequence that is not complete.
    private var pending: [UInt8] = []
    /// A longer sequence is none that a terminal sends, and is dropped.
    private static let sequenceMax = 16

    /// The keys in these bytes. Without bytes an escape that began no sequence is the key Escape.
    mutating func read(_ bytes: [UInt8]) -> [Key] {
        if bytes.isEmpty {
            defer { pending = [] }
            return pending == [0x1B] ? [.escape] : []
        }
        var keys: [Key] = []
        for byte in bytes {
            if pending.isEmpty {
                if byte == 0x1B { pending = [byte] } else if let key = Self.key(byte) { keys.append(key) }
                continue
            }
            if pending.count == 1, byte != UInt8(ascii: "["), byte != UInt8(ascii: "O") {
                keys.append(.escape)
                pending = byte == 0x1B ? [byte] : []
                if byte != 0x1B, let key = Self.key(byte) { keys.append(key) }
                continue
            }
            pending.append(byte)
            // The byte that ends a sequence is one of @ to ~.
            if pending.count > 2, (0x40...0x7E).contains(byte) {
                if let key = Self.key(sequence: pending.dropFirst(2)) { keys.append(key) }
                pending = []
            } else if pending.count > Self.sequenceMax {
                pending = []
            }
        }
        return keys
    }

    private static func key(_ byte: UInt8) -> Key? {
        switch byte {
        case 0x0A, 0x0D: .enter
        case 0x08, 0x7F: .backspace
        case 0x20...0x7E: .character(Character(UnicodeScalar(byte)))
        default: nil
        }
    }

    private static func key(sequence: ArraySlice<UInt8>) -> Key? {
        switch String(decoding: sequence, as: UTF8.self) {
        case "A": .up
        case "B": .down
        case "H", "1~", "7~": .home
        case "F", "4~", "8~": .end
        case "5~": .pageUp
        case "6~": .pageDown
        default: nil
        }
    }
}
