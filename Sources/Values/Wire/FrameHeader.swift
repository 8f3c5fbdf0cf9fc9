public import Model

/// The header of a Frame that cannot be decoded as a whole: a newer schema, invalid blocks, a truncated payload.
public struct FrameHeader: Sendable, Equatable {
    /// The schema's version; never 0.
    public var schema: UInt32
    /// The frame's position as stated in the payload.
    public var position: FramePosition

    /// Reads the first fields of a Frame, up to the first field that cannot be read.
    ///
    /// A header of damaged bytes is only a hint, because these fields may be damaged as well.
    /// - Returns: nil if schema, boot or sequence is missing, truncated or above the range of SQL's bigint.
    public init?(_ bytes: borrowing RawSpan) {
        var fields = WireFields(bytes.byteCount)
        var schema: UInt64 = 0
        var boot: UInt64?
        var sequence: UInt64 = 0
        // A sequence of 0 is not encoded: only a following field shows that it was not truncated.
        var isWhole = false
        reading: while let field = fields.next(bytes) {
            if field.number >= 3 { isWhole = true }
            switch (field.number, field.value) {
            case (1, .varint(let value)): schema = value
            case (2, .fixed64(let value)): boot = value
            case (3, .varint(let value)): sequence = value
            case (1, _), (2, _), (3, _): break reading
            default: continue
            }
        }
        guard isWhole, let schema = UInt32(exactly: schema), schema != 0, let boot = boot.flatMap(Int64.init(exactly:)),
            let sequence = Int64(exactly: sequence), sequence < .max
        else { return nil }
        self.schema = schema
        position = FramePosition(boot: boot, sequence: sequence)
    }
}

/// The fields of a protobuf message, one after another (protobuf.dev, "Encoding").
private struct WireFields {
    enum Value {
        case varint(UInt64)
        case fixed64(UInt64)
        case other
    }

    private let end: Int
    private var position = 0

    init(_ byteCount: Int) { end = byteCount }

    /// The next field; nil at the end, or if the bytes are not a field.
    mutating func next(_ bytes: borrowing RawSpan) -> (number: UInt64, value: Value)? {
        guard position < end, let tag = varint(bytes), tag >> 3 != 0 else { return nil }
        switch tag & 7 {
        case 0: return varint(bytes).map { (tag >> 3, .varint($0)) }
        case 1:
            guard end - position >= 8 else { return nil }
            defer { position += 8 }
            let value = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: position, as: UInt64.self)
            return (tag >> 3, .fixed64(UInt64(littleEndian: value)))
        case 2: return varint(bytes).flatMap { Int(exactly: $0) }.flatMap { skip($0) ? (tag >> 3, .other) : nil }
        case 5: return skip(4) ? (tag >> 3, .other) : nil
        default: return nil
        }
    }

    private mutating func skip(_ count: Int) -> Bool {
        guard count <= end - position else { return false }
        position += count
        return true
    }

    private mutating func varint(_ bytes: borrowing RawSpan) -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard position < end else { return nil }
            let byte = unsafe bytes.unsafeLoad(fromByteOffset: position, as: UInt8.self)
            position += 1
            value |= UInt64(byte & 0x7F) << shift
            if byte & 0x80 == 0 { return value }
        }
        return nil
    }
}
