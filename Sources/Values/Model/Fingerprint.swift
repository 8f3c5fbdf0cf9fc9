/// A 64-bit FNV-1a hash (Fowler, Noll, Vo; draft-eastlake-fnv): tells messages apart; not a cryptographic hash.
public struct Fingerprint: Sendable {
    private var hash: UInt64 = 0xCBF2_9CE4_8422_2325

    /// The fingerprint of no bytes.
    public init() {}

    /// Adds bytes.
    public mutating func add(_ bytes: some Sequence<UInt8>) {
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    }

    /// The hash as a SQL bigint.
    public var value: Int64 { Int64(bitPattern: hash) }

    /// The fingerprint of a message: its routing key, a zero byte, its payload.
    public static func message(key: String, body: [UInt8]) -> Int64 {
        var fingerprint = Fingerprint()
        fingerprint.add(key.utf8)
        fingerprint.add(CollectionOfOne(0))
        fingerprint.add(body)
        return fingerprint.value
    }

    /// The fingerprint of a payload.
    public static func payload(_ body: [UInt8]) -> Int64 {
        var fingerprint = Fingerprint()
        fingerprint.add(body)
        return fingerprint.value
    }
}
