/// Reads what `StateWriter` wrote; no bytes make it trap.
struct StateReader {
    private let bytes: [UInt8]
    private var place = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { place == bytes.count }

    mutating func byte() throws(RuleStateError) -> UInt8 {
        guard place < bytes.count else { throw .damaged }
        defer { place += 1 }
        return bytes[place]
    }

    mutating func uint64() throws(RuleStateError) -> UInt64 {
        guard bytes.count - place >= 8 else { throw .damaged }
        var value: UInt64 = 0
        for index in 0..<8 { value |= UInt64(bytes[place + index]) << UInt64(8 * index) }
        place += 8
        return value
    }

    mutating func int64() throws(RuleStateError) -> Int64 { Int64(bitPattern: try uint64()) }
    mutating func double() throws(RuleStateError) -> Double { Double(bitPattern: try uint64()) }

    /// A count of things that take at least a byte each.
    mutating func count() throws(RuleStateError) -> Int {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 63, by: 7) {
            let byte = try byte()
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 {
                guard value <= UInt64(bytes.count) else { throw .damaged }
                return Int(value)
            }
        }
        throw .damaged
    }

    mutating func text() throws(RuleStateError) -> String {
        let count = try count()
        guard bytes.count - place >= count else { throw .damaged }
        defer { place += count }
        guard let text = String(validating: bytes[place..<place + count], as: UTF8.self) else { throw .damaged }
        return text
    }

    /// Fills words that were written with the same count.
    mutating func read(into words: inout [UInt64]) throws(RuleStateError) {
        // A group of eight zero words takes one byte: the count may exceed that of the bytes.
        var count: UInt64 = 0
        var shift: UInt64 = 0
        repeat {
            guard shift < 63 else { throw .damaged }
            let byte = try byte()
            count |= UInt64(byte & 0x7F) << shift
            shift += 7
            if byte < 0x80 { break }
        } while true
        guard count == UInt64(words.count) else { throw .damaged }
        var first = 0
        while first < words.count {
            let present = try byte()
            for bit in 0..<8 where present >> UInt8(bit) & 1 == 1 {
                guard first + bit < words.count else { throw .damaged }
                words[first + bit] = try uint64()
            }
            for bit in 0..<Swift.min(8, words.count - first) where present >> UInt8(bit) & 1 == 0 {
                words[first + bit] = 0
            }
            first += 8
        }
    }
}
