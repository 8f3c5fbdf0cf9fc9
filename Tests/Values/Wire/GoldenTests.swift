import Foundation
import Model
import Simulation
import Testing
import Time

@testable import Wire

/// Messages that the official protobuf implementation wrote, and ours as it reads them. `Fixtures/make_fixtures.py`.
@Suite struct GoldenTests {
    private static let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(
        path: "Fixtures")

    struct Golden: Decodable, Sendable, CustomTestStringConvertible {
        var name: String
        var message: String
        var hex: String
        var testDescription: String { name }
        var bytes: [UInt8] { GoldenTests.bytes(hex: hex) }
    }

    private static func golden() throws -> [Golden] {
        try JSONDecoder().decode([Golden].self, from: Data(contentsOf: fixtures.appending(path: "golden.json")))
    }

    static func bytes(hex: String) -> [UInt8] {
        var rest = Substring(hex)
        var bytes: [UInt8] = []
        while !rest.isEmpty {
            bytes.append(UInt8(rest.prefix(2), radix: 16) ?? 0)
            rest = rest.dropFirst(2)
        }
        return bytes
    }

    static func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private let time = Timestamp(unixNanoseconds: 1_795_253_400_123_456_789)

    private func golden(_ name: String) throws -> [UInt8] {
        try #require(try Self.golden().first { $0.name == name }, "\(name)").bytes
    }

    /// Read as these values, and written again to the same bytes.
    @Test func frames() throws {
        let floats = Frame(
            position: FramePosition(boot: 1_795_253_000_000, sequence: 42), start: time,
            rate: SampleRate(hertz: 44_100),
            place: GeoPosition(latitude: 53.5, longitude: -10.25, altitude: 6),
            blocks: [[0, 1.5, -2.25], [1e30, -0.0, 3], [7, 8, 9]].enumerated().map {
                Block(channel: .number(Int16($0)), samples: .floats($1))
            })
        let counts = Frame(
            position: FramePosition(boot: 1, sequence: FrameLimits.framesMax - 1),
            start: Timestamp(unixNanoseconds: -1),
            rate: SampleRate(hertz: 1.0 / 60),
            blocks: [
                Block(
                    channel: .number(32_767),
                    samples: .counts([0, 1, -1, 32_767, -32_768], scale: -0.001, offset: 20.5))
            ])
        let values = Frame(
            position: FramePosition(boot: 7, sequence: 0), start: nil, rate: nil,
            blocks: [
                Block(channel: .number(0), samples: .value(.pi)), Block(channel: .number(1), samples: .value(0)),
            ])
        for (name, frame) in [
            ("floats", floats), ("counts", counts), ("values without time, rate and sequence", values),
        ] {
            let bytes = try golden(name)
            #expect(try FrameCodec.read(bytes).get() == frame)
            #expect(Self.hex(FrameCodec.encode(frame)) == Self.hex(bytes))
        }
    }

    @Test func whatIsNotFiniteAndWhatIsUnknown() throws {
        let odd = try FrameCodec.read(golden("not finite")).get()
        guard case .floats(let samples) = odd.blocks[0].samples else {
            Issue.record("\(odd)")
            return
        }
        #expect(samples[0].isNaN && samples[1...] == [.infinity, -.infinity, 1])
        #expect(
            try FrameCodec.read(golden("unknown fields and floats not packed")).get()
                == Frame(
                    position: FramePosition(boot: 9, sequence: 3), start: nil, rate: SampleRate(hertz: 2),
                    blocks: [Block(channel: .number(5), samples: .floats([1, 2]))]))
    }

    @Test func announcements() throws {
        let said = Announcement(
            boot: 1_795_253_000_000, connection: 3, kind: "vibration", firmware: "1.2.3 ü", state: .awake,
            rate: SampleRate(hertz: 5000), nextSequence: 1000, framesDropped: 5,
            channels: ["x", "y", "z"].enumerated().map {
                Announcement.Channel(number: Int16($0), name: $1, quantity: "acceleration", unit: "m/s²")
            },
            at: time)
        let will = Announcement(
            boot: 1, connection: 1, kind: "", firmware: "", state: .lost, rate: nil, nextSequence: 0, framesDropped: 0,
            channels: [], at: nil)
        for (name, announcement) in [("announcement", said), ("last will", will)] {
            let bytes = try golden(name)
            #expect(unsafe try AnnouncementCodec.decode(bytes.span.bytes) == announcement)
            #expect(AnnouncementCodec.encode(announcement) == bytes)
        }
    }

    @Test func commandsAndAnswers() throws {
        let change = Command(
            id: "0b6b1c1e-0000-4000-8000-000000000001", name: "change_sample_frequency",
            arguments: ["hertz": .number(0.5), "note": .text("größer"), "now": .flag(true), "not": .flag(false)],
            issued: time, expires: time.advanced(bySeconds: 60), issuer: "iotctl root@host")
        let sleep = Command(
            id: "1", name: "sleep", issued: Timestamp(unixNanoseconds: 1), expires: nil, issuer: "")
        for (name, command) in [("command", change), ("command without an end", sleep)] {
            let bytes = try golden(name)
            #expect(unsafe try CommandCodec.decode(bytes.span.bytes) == command)
            // Arguments are written in order of their names.
            #expect(CommandCodec.encode(command).sorted() == bytes.sorted())
        }
        let ack = Ack(id: "1", outcome: .rejected, reason: Ack.expired, at: time)
        let bytes = try golden("ack")
        #expect(unsafe try AckCodec.decode(bytes.span.bytes) == ack)
        #expect(AckCodec.encode(ack) == bytes)
    }

    @Test func logLinesAndAlarms() throws {
        let line = LogLine(at: time, level: .warning, text: "Lager läuft heiß", boot: 12)
        let lineBytes = try golden("log line")
        #expect(unsafe try LogLineCodec.decode(lineBytes.span.bytes) == line)
        #expect(LogLineCodec.encode(line) == lineBytes)
        let alarm = Alarm(
            id: "pump/3/high/1", rule: "limit:temperature:high", channel: 3, value: 81.5, limit: 80, at: time,
            position: FramePosition(boot: 12, sequence: 99), text: "pump temperature is 81.5")
        let alarmBytes = try golden("alarm")
        #expect(unsafe try AlarmCodec.decode(alarmBytes.span.bytes) == alarm)
        #expect(AlarmCodec.encode(alarm) == alarmBytes)
    }

    // MARK: with the official implementation at hand

    private static let hasProtobuf =
        ["/usr/bin/protoc", "/usr/bin/python3", "/usr/lib/python3/dist-packages/google/protobuf"]
        .allSatisfy { FileManager.default.fileExists(atPath: $0) }

    /// Runs the script: its exit status and what it prints.
    private func script(_ mode: String, input: String = "") throws -> (status: Int32, output: Data) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
        process.arguments = [Self.fixtures.appending(path: "make_fixtures.py").path, mode]
        let (stdin, stdout) = (Pipe(), Pipe())
        process.standardInput = stdin
        process.standardOutput = stdout
        try process.run()
        try stdin.fileHandleForWriting.write(contentsOf: Data(input.utf8))
        try stdin.fileHandleForWriting.close()
        let output = try stdout.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return (process.terminationStatus, output)
    }

    @Test(.enabled(if: hasProtobuf)) func theFixturesAreWhatTheScriptWrites() throws {
        #expect(try script("check").status == 0)
    }

    /// The fields that the official implementation finds in what we write.
    @Test(.enabled(if: hasProtobuf)) func theOfficialImplementationReadsOurs() throws {
        var random = SplitMix64(seed: 30)
        let frames = (0..<20).map { _ in random.frame() }
        let (said, asked, answered) = (random.announcement(), random.command(), random.ack())
        let (written, raised) = (random.logLine(), random.alarm())
        let messages =
            frames.map { ("Frame", FrameCodec.encode($0)) } + [
                ("Announcement", AnnouncementCodec.encode(said)), ("Command", CommandCodec.encode(asked)),
                ("Ack", AckCodec.encode(answered)), ("LogLine", LogLineCodec.encode(written)),
                ("Alarm", AlarmCodec.encode(raised)),
            ]
        let input = messages.map { "\($0.0) \(Self.hex($0.1))\n" }.joined()
        let (status, output) = try script("parse", input: input)
        try #require(status == 0)
        let lines = output.split(separator: UInt8(ascii: "\n"))
        try #require(lines.count == messages.count)
        for (frame, line) in zip(frames, lines) {
            try expect(JSONDecoder().decode(FrameFields.self, from: line), says: frame)
        }
        let others = try lines.dropFirst(frames.count).map { try JSONDecoder().decode(OtherFields.self, from: $0) }
        #expect(others[0].boot_id.flatMap { Int64($0) } == said.boot && others[0].kind ?? "" == said.kind)
        #expect((others[0].channels ?? []).map { $0.name ?? "" } == said.channels.map(\.name))
        #expect(others[1].id == asked.id && others[1].name == asked.name && others[1].issuer ?? "" == asked.issuer)
        #expect((others[1].arguments ?? []).map(\.name) == asked.arguments.keys.sorted())
        #expect(others[2].id == answered.id && others[2].reason ?? "" == answered.reason)
        #expect(others[3].text == written.text && others[3].level == "\(written.level.rawValue)")
        #expect(others[4].id == raised.id && others[4].value == raised.value && others[4].limit == raised.limit)
        #expect(others[4].sequence.flatMap { Int64($0) } ?? 0 == raised.position?.sequence ?? 0)
    }

    private func expect(_ fields: FrameFields, says frame: Frame) throws {
        #expect(fields.schema == (frame.isCapture ? "2" : "1") && fields.sample_rate_hz == frame.rate?.hertz)
        #expect(fields.boot_id.map { Int64($0) } ?? 0 == frame.position?.boot)
        #expect(fields.sequence.map { Int64($0) } ?? 0 == frame.position?.sequence)
        #expect(fields.start_unix_ns.flatMap { Int64($0) } == frame.start?.unixNanoseconds)
        #expect(fields.location?.latitude == frame.place?.latitude)
        #expect((fields.captures ?? []).map(\.alarm_id) == frame.captures.map(\.alarm))
        #expect((fields.captures ?? []).map { Int64($0.samples ?? "") } == frame.captures.map(\.samples))
        #expect(
            (fields.captures ?? []).map { Int64($0.from_unix_ns ?? "0") } == frame.captures.map(\.from.unixNanoseconds))
        #expect((fields.captures ?? []).map { Int64($0.to_unix_ns ?? "0") } == frame.captures.map(\.to.unixNanoseconds))
        try #require(fields.blocks.count == frame.blocks.count)
        for (found, block) in zip(fields.blocks, frame.blocks) {
            #expect(.number(found.channel.flatMap { Int16($0) } ?? 0) == block.channel)
            let samples: Samples =
                if let floats = found.floats {
                    .floats(floats.samples)
                } else if let counts = found.counts {
                    .counts(Self.numbers(counts.counts), scale: counts.scale, offset: counts.offset)
                } else {
                    .value(try #require(found.value))
                }
            #expect(samples == block.samples)
        }
    }

    private static func numbers(_ hex: String) -> [Int16] {
        let bytes = bytes(hex: hex)
        return stride(from: 0, to: bytes.count, by: 2).map {
            Int16(bitPattern: UInt16(bytes[$0]) | UInt16(bytes[$0 + 1]) << 8)
        }
    }

    // Named as in proto/.
    // swift-format-ignore: AlwaysUseLowerCamelCase
    private struct FrameFields: Decodable {
        struct Location: Decodable { var latitude: Double }
        struct Floats: Decodable { var samples: [Float] }
        struct Counts: Decodable {
            var counts: String
            var scale: Double
            var offset: Double
        }
        struct Block: Decodable {
            var channel: String?
            var floats: Floats?
            var counts: Counts?
            var value: Double?
        }
        struct Capture: Decodable {
            var alarm_id: String
            var from_unix_ns: String?
            var to_unix_ns: String?
            var samples: String?
        }
        var captures: [Capture]?
        var schema: String
        var boot_id: String?
        var sequence: String?
        var start_unix_ns: String?
        var sample_rate_hz: Double?
        var location: Location?
        var blocks: [Block]
    }

    // swift-format-ignore: AlwaysUseLowerCamelCase
    private struct OtherFields: Decodable {
        struct Named: Decodable { var name: String? }
        var id: String?
        var name: String?
        var issuer: String?
        var kind: String?
        var boot_id: String?
        var sequence: String?
        var reason: String?
        var text: String?
        var level: String?
        var value: Double?
        var limit: Double?
        var channels: [Named]?
        var arguments: [Named]?
    }
}
