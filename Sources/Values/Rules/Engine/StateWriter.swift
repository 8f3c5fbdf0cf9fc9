/// Writes state as bytes, numbers in little-endian order.
struct StateWriter {
    var bytes: [UInt8] = []

    init(capacity: Int) { bytes.reserveCapacity(capacity) }

    mutating func write(_ value: UInt64) {
        var rest = value
        for _ in 0..<8 {
            bytes.append(UInt8(truncatingIfNeeded: rest))
            rest >>= 8
        }
    }

    mutating func write(_ value: Int64) { write(UInt64(bitPattern: value)) }
    mutating func write(_ value: Double) { write(value.bitPattern) }

    /// A number that is not negative, in 7 bits a byte.
    mutating func write(_ count: Int) {
        var rest = UInt64(count)
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    mutating func write(_ text: String) {
        write(text.utf8.count)
        bytes += text.utf8
    }

    /// Words in groups of eight: a byte with a bit for each that is not zero, then those.
    mutating func write(_ words: [UInt64]) {
        write(words.count)
        var first = 0
        while first < words.count {
            let end = Swift.min(first + 8, words.count)
            let place = bytes.count
            bytes.append(0)
            var present: UInt8 = 0
            for index in first..<end where words[index] != 0 {
                present |= 1 << UInt8(index - first)
                write(words[index])
            }
            bytes[place] = present
            first = end
        }
    }
}
