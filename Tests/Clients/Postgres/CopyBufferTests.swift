import Testing

@testable import Postgres

@Suite struct CopyBufferTests {
    /// PostgreSQL manual, "COPY", "Binary Format": signature, flags, length of the header's extension.
    private static let header = "5047434f50590aff0d0a00" + "00000000" + "00000000"

    private func hex(_ buffer: CopyBuffer) -> String {
        buffer.withContent { content in
            (0..<content.byteCount).map { index in
                let byte = unsafe content.unsafeLoad(fromByteOffset: index, as: UInt8.self)
                return (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }.joined()
        }
    }

    private func row(_ fields: Int16, _ body: (inout CopyBuffer) -> Void) -> String {
        var buffer = CopyBuffer(capacity: 0)
        buffer.beginRow(fields: fields)
        body(&buffer)
        let text = hex(buffer)
        #expect(buffer.byteCount * 2 == text.count && text.hasPrefix(Self.header))
        return String(text.dropFirst(Self.header.count))
    }

    @Test func anEmptyCopyIsHeaderAndTrailer() {
        var buffer = CopyBuffer(capacity: 0)
        #expect(buffer.rowCount == 0 && hex(buffer) == Self.header)
        buffer.finish()
        #expect(hex(buffer) == Self.header + "ffff")
    }

    @Test func integers() {
        let bytes = row(4) {
            $0.field(Int16(-2))
            $0.field(Int32(0x0102_0304))
            $0.field(Int64(-1))
            $0.field(Int64.max)
        }
        #expect(
            bytes == "0004" + "00000002fffe" + "0000000401020304" + "00000008ffffffffffffffff"
                + "000000087fffffffffffffff")
    }

    @Test func floatingPointNumbers() {
        let bytes = row(4) {
            $0.field(1.5)
            $0.field(-0.0)
            $0.field(Double.infinity)
            $0.field(Double.nan)
        }
        #expect(
            bytes == "0004" + "000000083ff8000000000000" + "000000088000000000000000" + "000000087ff0000000000000"
                + "000000087ff8000000000000")
    }

    @Test func nulls() {
        let bytes = row(4) {
            $0.null()
            $0.field(Int64?.none)
            $0.field(Double?.none)
            $0.field(Int64?(7))
        }
        #expect(bytes == "0004" + "ffffffff" + "ffffffff" + "ffffffff" + "000000080000000000000007")
    }

    /// PostgreSQL counts microseconds from 2000-01-01.
    @Test(
        arguments: [
            (946_684_800_000_000, "0000000000000000"), (946_684_800_000_001, "0000000000000001"),
            (946_684_799_999_999, "ffffffffffffffff"), (0, "fffca2fec4c82000"),
        ] as [(Int64, String)])
    func times(microseconds: Int64, bytes: String) {
        #expect(row(1) { $0.field(timeUnixMicroseconds: microseconds) } == "0001" + "00000008" + bytes)
    }

    @Test func texts() {
        let bytes = row(3) {
            $0.field("aä")
            $0.field("")
            $0.field("x\0y")
        }
        #expect(bytes == "0003" + "0000000361c3a4" + "00000000" + "00000003782079")
    }

    /// `array_send`: dimensions 1, no NULLs, type of the elements, their number, first index 1, then each with its length.
    @Test func arraysOfReals() {
        let bytes = row(2) {
            $0.field([Float(1), -2.5])
            $0.field([Float]())
        }
        let head = "0000000100000000000002bc"
        #expect(
            bytes == "0002" + "00000024" + head + "0000000200000001" + "000000043f800000" + "00000004c0200000"
                + "00000014" + head + "0000000000000001")
    }

    @Test func arraysOfSmallints() {
        let bytes = row(1) { $0.field([Int16(1), -2, .min]) }
        #expect(
            bytes == "0001" + "00000026" + "000000010000000000000015" + "0000000300000001" + "000000020001"
                + "00000002fffe"
                + "000000028000")
    }

    /// Rows of all kinds of fields, far beyond the first capacity: the same bytes as one after the other alone.
    @Test(arguments: [0, 64, 100, 1000, 1 << 20])
    func growthKeepsWhatIsThere(capacity: Int) {
        var buffer = CopyBuffer(capacity: capacity)
        var expected = Self.header
        for index in 0..<20 {
            let fill = { (buffer: inout CopyBuffer) in
                for number in 0..<20 { buffer.field(Int64(index * number)) }
                buffer.field(String(repeating: "t", count: index * 7))
                buffer.field((0..<(index * 5)).map { Float($0) })
                for number in 0..<20 { buffer.field(Double(number)) }
                buffer.field((0..<(index * 11)).map { Int16($0) })
                buffer.null()
            }
            buffer.beginRow(fields: 44)
            fill(&buffer)
            expected += row(44, fill)
        }
        buffer.finish()
        #expect(buffer.rowCount == 20)
        #expect(hex(buffer) == expected + "ffff")
    }

    @Test func aClearedBufferBeginsAnew() {
        var buffer = CopyBuffer(capacity: 0)
        buffer.beginRow(fields: 1)
        buffer.field(String(repeating: "x", count: 5000))
        buffer.finish()
        buffer.clear()
        #expect(buffer.rowCount == 0 && hex(buffer) == Self.header)
    }

    @Test func theLargestBlockFits() {
        var buffer = CopyBuffer(capacity: 0)
        buffer.beginRow(fields: 1)
        buffer.field([Float](repeating: 1, count: 65_536))
        #expect(buffer.byteCount == 19 + 2 + 4 + 20 + 65_536 * 8)
    }
}
