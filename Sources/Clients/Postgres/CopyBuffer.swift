/// Rows in the binary format of COPY, in one buffer that is reused for the next piece.
///
/// PostgreSQL manual, "COPY", section "Binary Format": all numbers big-endian; a field is its length in 32 bits (-1 for
/// NULL) and its bytes.
///
/// The fields of one number are `@inlinable`, because a row has twenty of them: called across the module's border they
/// cost a fifth more instructions for a row of one value (`make microbench`).
public struct CopyBuffer: Sendable {
    private static let signature: [UInt8] = Array("PGCOPY\n".utf8) + [0xFF, 0x0D, 0x0A, 0x00]
    /// PostgreSQL's object identifiers of the arrays' element types: pg_type.oid.
    private enum ElementType {
        static let smallint: Int32 = 21
        static let real: Int32 = 700
    }
    /// Microseconds from 1970-01-01 to 2000-01-01, PostgreSQL's epoch.
    @inlinable static var epochMicroseconds: Int64 { 946_684_800_000_000 }

    @usableFromInline var bytes: [UInt8]
    @usableFromInline var used = 0
    /// The number of rows begun since the last `clear`.
    public private(set) var rowCount = 0

    /// An empty buffer.
    /// - Parameter capacity: the initial size in bytes; the buffer grows as needed.
    public init(capacity: Int = 1 << 20) {
        bytes = [UInt8](repeating: 0, count: max(64, capacity))
        clear()
    }

    /// Removes all rows and begins another COPY; keeps the memory.
    public mutating func clear() {
        used = 0
        rowCount = 0
        reserve(32)
        for byte in Self.signature { store(byte) }
        store(Int32(0))
        store(Int32(0))
    }

    /// The number of bytes that wait to be sent.
    public var byteCount: Int { used }

    /// Removes the bytes, which have been sent; more rows of the same COPY may follow.
    public mutating func removeSent() { used = 0 }

    /// Adds the trailer; must be called once, after the last row.
    public mutating func finish() {
        reserve(2)
        store(Int16(-1))
    }

    /// Calls `body` with the bytes since the last `removeSent`.
    public func withContent<Result>(_ body: (borrowing RawSpan) throws -> Result) rethrows -> Result {
        unsafe try body(bytes.span.extracting(0..<used).bytes)
    }

    /// Begins a row of `fields` fields; exactly that many must follow.
    public mutating func beginRow(fields: Int16) {
        reserve(512)
        store(fields)
        rowCount += 1
    }

    /// Adds a NULL.
    @inlinable public mutating func null() { store(Int32(-1)) }

    /// Adds a smallint.
    @inlinable public mutating func field(_ number: Int16) { store(Int32(2), number) }

    /// Adds an integer.
    @inlinable public mutating func field(_ number: Int32) { store(Int32(4), number) }

    /// Adds a bigint.
    @inlinable public mutating func field(_ number: Int64) { store(Int32(8), number) }

    /// Adds a bigint, or NULL for nil.
    @inlinable public mutating func field(_ number: Int64?) {
        if let number { field(number) } else { null() }
    }

    /// Adds a double precision.
    @inlinable public mutating func field(_ number: Double) {
        store(Int32(8), number.bitPattern)
    }

    /// Adds a double precision, or NULL for nil.
    @inlinable public mutating func field(_ number: Double?) {
        if let number { field(number) } else { null() }
    }

    /// Adds a timestamptz, given in microseconds since 1970.
    @inlinable public mutating func field(timeUnixMicroseconds microseconds: Int64) {
        field(microseconds - Self.epochMicroseconds)
    }

    /// Adds a text. A NUL byte, which PostgreSQL cannot store, becomes a space.
    public mutating func field(_ text: String) {
        let utf8 = text.utf8
        reserve(utf8.count + 512)
        store(Int32(utf8.count))
        for byte in utf8 { store(byte == 0 ? UInt8(ascii: " ") : byte) }
    }

    /// Adds a real[].
    public mutating func field(_ samples: [Float]) {
        beginArray(count: samples.count, elementBytes: 4, type: ElementType.real)
        unsafe writeElements(of: samples, bytes: 8) { sample, place in
            // Length and value in one store of 64 bits.
            let element = UInt64(4) << 32 | UInt64(sample.bitPattern)
            unsafe place.storeBytes(of: element.bigEndian, as: UInt64.self)
        }
    }

    /// Adds a smallint[].
    public mutating func field(_ counts: [Int16]) {
        beginArray(count: counts.count, elementBytes: 2, type: ElementType.smallint)
        unsafe writeElements(of: counts, bytes: 6) { count, place in
            unsafe place.storeBytes(of: Int32(2).bigEndian, as: Int32.self)
            unsafe place.storeBytes(of: count.bigEndian, toByteOffset: 4, as: Int16.self)
        }
    }

    /// Calls `write` with each element and its address, at intervals of `width` bytes; `beginArray` has reserved the
    /// space.
    @inline(__always)
    private mutating func writeElements<Element>(
        of elements: [Element], bytes width: Int, _ write: (Element, UnsafeMutableRawPointer) -> Void
    ) {
        let start = used
        used += elements.count * width
        let elements = elements.span
        unsafe bytes.withUnsafeMutableBytes { target in
            guard var place = unsafe target.baseAddress.map({ unsafe $0 + start }) else { return }
            for index in elements.indices {
                unsafe write(elements[unchecked: index], place)
                unsafe place += width
            }
        }
    }

    /// Writes the header of an array of one dimension, without NULLs and with indexes from 1 (PostgreSQL's
    /// `array_send`), and reserves the space for the elements.
    private mutating func beginArray(count: Int, elementBytes: Int, type: Int32) {
        let content = 20 + count * (4 + elementBytes)
        reserve(4 + content + 512)
        store(Int32(content))
        store(Int32(1))
        store(Int32(0))
        store(type)
        store(Int32(count))
        store(Int32(1))
    }

    private mutating func reserve(_ more: Int) {
        guard used + more > bytes.count else { return }
        bytes.append(contentsOf: repeatElement(0, count: max(more, bytes.count)))
    }

    @inlinable mutating func store(_ number: some FixedWidthInteger & BitwiseCopyable) {
        let offset = used
        used += number.bitWidth / 8
        let bigEndian = number.bigEndian
        unsafe bytes.withUnsafeMutableBytes { target in
            unsafe target.storeBytes(of: bigEndian, toByteOffset: offset, as: type(of: bigEndian))
        }
    }

    /// Stores length and value in one call, because most fields of a row are short.
    @inlinable mutating func store(_ length: Int32, _ number: some FixedWidthInteger & BitwiseCopyable) {
        let offset = used
        used += 4 + number.bitWidth / 8
        let bigEndian = number.bigEndian
        unsafe bytes.withUnsafeMutableBytes { target in
            unsafe target.storeBytes(of: length.bigEndian, toByteOffset: offset, as: Int32.self)
            unsafe target.storeBytes(of: bigEndian, toByteOffset: offset + 4, as: type(of: bigEndian))
        }
    }
}
