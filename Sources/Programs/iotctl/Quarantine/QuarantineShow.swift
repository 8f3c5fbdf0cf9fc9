internal import ArgumentParser
internal import Model
internal import Records
internal import Service
internal import Store
internal import Wire

/// `iotctl quarantine show ID`
struct QuarantineShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Shows a payload in quarantine: its record and its first bytes.",
        discussion: """
            Examples:
              iotctl quarantine show 17
              iotctl quarantine show 17 -o json | jq -r .payload_base64 | base64 -d
              iotctl quarantine show 17 --raw | \\
                protoc --decode=iot.Frame proto/measurement.proto
            """)

    /// Most bytes that the hex dump shows.
    private static let headMax = 256

    @Argument(help: "The payload's number, as ls shows it.")
    var id: Int64

    @Flag(help: "Write the bytes of the payload that are kept to stdout.")
    var raw = false

    @OptionGroup var output: OutputOptions

    func run() async throws {
        try await perform {
            let store = try Connections().store()
            var filter = QuarantineFilter(countMax: 1)
            filter.ids = [id]
            guard let record = try await store.quarantined(filter).first,
                let payload = try await store.quarantinePayloads([id])[id]
            else { throw Failure(ExitStatus.notFound, "no payload \(id) in quarantine") }
            if raw {
                try StandardOutput.write(payload)
                if record.kept < record.length {
                    Talk.say("only the first \(record.kept) of \(record.length) bytes are kept")
                }
                return
            }
            let header = unsafe FrameHeader(payload.span.bytes)
            let view = QuarantinedPayloadDetailView(record, bytes: payload, header: header)
            try output.show(view) { _, style in Self.text(record, payload, header, style) }
        }
    }

    private static func text(
        _ record: QuarantineRecord, _ payload: [UInt8], _ header: FrameHeader?, _ style: Style
    ) -> String {
        let offset = record.offset.map { ", offset \($0), incarnation \(record.incarnation ?? 0)" } ?? ""
        let kept = record.kept < record.length ? ", the first \(record.kept) are kept" : ""
        let lines: [(String, Cell)] = [
            ("Number", Cell(String(record.id))), ("At", Cell(record.at.map { "\($0.short) UTC" })),
            ("Reason", Cell(record.reason, .doubtful)), ("Detail", Cell(record.detail)),
            ("Sensor", Cell(record.serial)), ("Key", Cell(record.key)), ("Source", Cell(record.source + offset)),
            ("Received", Cell(record.received.map { "\($0.short) UTC" })),
            ("Bytes", Cell("\(record.length)\(kept)")), ("Hash", Cell(String(record.hash))),
            (
                "Header",
                Cell(
                    header.map {
                        "schema \($0.schema), boot \($0.position.boot), sequence \($0.position.sequence)"
                    } ?? "can't be read")
            ),
        ]
        let head = payload.prefix(headMax)
        let rest = payload.count > head.count ? "  … \(payload.count - head.count) bytes more (--raw)\n" : ""
        return lines.map { name, cell in
            let title = "\(name):"
            return title + String(repeating: " ", count: 12 - title.count) + style.paint(cell.text, cell.tone) + "\n"
        }.joined() + "\n" + hexDump(Array(head)) + rest
    }

    /// A hex dump of 16 bytes a line: offset, hexadecimal digits, printable ASCII characters.
    static func hexDump(_ bytes: [UInt8]) -> String {
        stride(from: 0, to: bytes.count, by: 16).map { start in
            let line = bytes[start..<min(start + 16, bytes.count)]
            let hex = line.map { hexadecimal(Int($0), 2) }.joined(separator: " ")
            let space = String(repeating: " ", count: 16 * 3 - hex.count)
            let ascii = String(line.map { (0x20..<0x7F).contains($0) ? Character(Unicode.Scalar($0)) : "." })
            return "  \(hexadecimal(start, 4))  \(hex)\(space) \(ascii)\n"
        }.joined()
    }

    private static func hexadecimal(_ number: Int, _ width: Int) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
