import Model
import Simulation
import Testing
import Time

@testable import Wire

@Suite struct MessageCodecTests {
    private func announcement(_ bytes: [UInt8]) -> Result<Announcement, Rejection> {
        Result { () throws(Rejection) in unsafe try AnnouncementCodec.decode(bytes.span.bytes) }
    }

    private func command(_ bytes: [UInt8]) -> Result<Command, Rejection> {
        Result { () throws(Rejection) in unsafe try CommandCodec.decode(bytes.span.bytes) }
    }

    private func ack(_ bytes: [UInt8]) -> Result<Ack, Rejection> {
        Result { () throws(Rejection) in unsafe try AckCodec.decode(bytes.span.bytes) }
    }

    private func logLine(_ bytes: [UInt8]) -> Result<LogLine, Rejection> {
        Result { () throws(Rejection) in unsafe try LogLineCodec.decode(bytes.span.bytes) }
    }

    private func alarm(_ bytes: [UInt8]) -> Result<Alarm, Rejection> {
        Result { () throws(Rejection) in unsafe try AlarmCodec.decode(bytes.span.bytes) }
    }

    @Test func everyMessageComesBack() {
        var random = SplitMix64(seed: 10)
        for _ in 0..<100 {
            let (said, asked, answered) = (random.announcement(), random.command(), random.ack())
            let (written, raised) = (random.logLine(), random.alarm())
            #expect(announcement(AnnouncementCodec.encode(said)) == .success(said))
            #expect(command(CommandCodec.encode(asked)) == .success(asked))
            #expect(ack(AckCodec.encode(answered)) == .success(answered))
            #expect(logLine(LogLineCodec.encode(written)) == .success(written))
            #expect(alarm(AlarmCodec.encode(raised)) == .success(raised))
        }
    }

    /// Cut or damaged messages are refused or read; either way the next line is reached, and what was read can be
    /// written again.
    @Test func damagedMessagesNeverCrash() {
        var random = SplitMix64(seed: 11)
        for _ in 0..<40 {
            let messages = [
                AnnouncementCodec.encode(random.announcement()), CommandCodec.encode(random.command()),
                AckCodec.encode(random.ack()), LogLineCodec.encode(random.logLine()), AlarmCodec.encode(random.alarm()),
                random.bytes(30),
            ]
            for var bytes in messages where !bytes.isEmpty {
                bytes.removeLast(Int.random(in: 0..<bytes.count, using: &random))
                bytes[Int.random(in: 0..<bytes.count, using: &random)] ^= 1 << UInt8.random(in: 0...7, using: &random)
                if let read = try? announcement(bytes).get() { #expect(!AnnouncementCodec.encode(read).isEmpty) }
                if let read = try? command(bytes).get() { #expect(!read.id.isEmpty && !read.name.isEmpty) }
                if let read = try? ack(bytes).get() { #expect(!read.id.isEmpty) }
                if let read = try? logLine(bytes).get() { #expect(!read.text.isEmpty && read.boot >= 0) }
                if let read = try? alarm(bytes).get() { #expect(!read.id.isEmpty && read.channel >= 0) }
            }
        }
    }

    @Test(
        arguments: [
            (Raw.number(6, 1), "undecodable: Announcement of schema 0"),
            (Raw.number(1, 2) + Raw.number(6, 1), "newer_schema: Announcement of schema 2"),
            (Raw.number(1, 1), "invalid_frame: an announcement without a state"),
            (Raw.number(1, 1) + Raw.number(6, 9), "invalid_frame: an announcement without a state"),
            (Raw.number(1, 1) + Raw.number(6, 1) + Raw.fixed(2, .max), "invalid_frame: boot_id above 2^63 - 1"),
            (
                Raw.number(1, 1) + Raw.number(6, 1) + Raw.number(8, (1 << 53) + 1),
                "invalid_frame: next_sequence above 2^53"
            ),
            (
                Raw.number(1, 1) + Raw.number(6, 1) + Raw.bytes(10, Raw.number(1, 32_768)),
                "invalid_frame: channel 32768, at most 32767"
            ),
            (
                Raw.number(1, 1) + Raw.number(6, 1) + Array(repeating: Raw.bytes(10, []), count: 65).flatMap(\.self),
                "invalid_frame: 65 channels, at most 64"
            ),
        ] as [([UInt8], String)])
    func faultsOfAnnouncementsAreNamed(bytes: [UInt8], text: String) {
        guard case .failure(let rejection) = announcement(bytes) else {
            Issue.record("accepted")
            return
        }
        #expect(rejection.description == text)
    }

    @Test func messagesThatSayNothingAreRefused() {
        #expect(command([]) == .failure(Rejection(.undecodable, "a Command without an id or a name")))
        #expect(command(Raw.bytes(1, [65])) == .failure(Rejection(.undecodable, "a Command without an id or a name")))
        #expect(ack(Raw.bytes(1, [65])) == .failure(Rejection(.undecodable, "an Ack without an id or an outcome")))
        #expect(logLine([]) == .failure(Rejection(.undecodable, "a LogLine without text")))
        #expect(alarm([]) == .failure(Rejection(.undecodable, "an Alarm without an id, a rule or a channel")))
        let arguments = Array(repeating: Raw.bytes(3, []), count: 65).flatMap(\.self)
        #expect(
            command(Raw.bytes(1, [65]) + Raw.bytes(2, [65]) + arguments)
                == .failure(Rejection(.invalidFrame, "65 arguments, at most 64")))
    }

    @Test func anArgumentWithoutAValueIsNone() throws {
        let bytes = Raw.bytes(1, [65]) + Raw.bytes(2, [66]) + Raw.bytes(3, Raw.bytes(1, [67]))
        #expect(try command(bytes).get().arguments.isEmpty)
    }

    @Test(arguments: [
        (UInt64(0), LogLine.Level.info), (1, .debug), (4, .error), (5, .info), (65_537, .info), (65_538, .info),
    ])
    func anUnknownLevelIsInfo(number: UInt64, level: LogLine.Level) throws {
        #expect(try logLine(Raw.number(2, number) + Raw.bytes(3, [65])).get().level == level)
    }

    /// What is cut is never longer than its limit, and never in the middle of a character.
    @Test(arguments: ["a", "ä", "漢", "💡"])
    func longTextsAreCut(character: String) throws {
        let long = "x" + String(repeating: character, count: 9000)
        let line = try logLine(LogLineCodec.encode(LogLine(at: nil, level: .info, text: long, boot: 0))).get()
        #expect(long.hasPrefix(line.text))
        #expect((LogLineCodec.textBytesMax - 3...LogLineCodec.textBytesMax).contains(line.text.utf8.count))
        let answer = try ack(AckCodec.encode(Ack(id: long, outcome: .failed, reason: long, at: nil))).get()
        #expect(long.hasPrefix(answer.id) && (61...64).contains(answer.id.utf8.count))
        let heard = Ack(id: long, outcome: .received, at: nil, isOfAlarm: true)
        let alarm = try ack(AckCodec.encode(heard)).get().id
        #expect(long.hasPrefix(alarm) && (253...256).contains(alarm.utf8.count))
        #expect(long.hasPrefix(answer.reason) && (253...256).contains(answer.reason.utf8.count))
    }

    @Test func bytesThatAreNotUTF8AreReplaced() throws {
        let line = try logLine(Raw.bytes(3, [0x61, 0xFF, 0x62])).get()
        #expect(line.text == "a\u{FFFD}b")
    }

    @Test func aNulDoesNotCutATextShort() throws {
        let line = try logLine(LogLineCodec.encode(LogLine(at: nil, level: .info, text: "a\0b", boot: 0))).get()
        #expect(line.text == "a b")
    }

    /// The longest id that a rule's alarm can have: two alarms of one channel must not get the same one.
    @Test func theLongestIdOfAnAlarmIsKept() throws {
        let name = String(repeating: "n", count: 64)
        let id = "\(name)/\(name)/limit:\(name):high/\(Int64.max)/\(Int64.max)"
        let alarm = Alarm(
            id: id, rule: "limit:\(name):high", channel: 1, value: 1, limit: 0, at: Timestamp(unixNanoseconds: 0),
            position: nil, text: "")
        let bytes = AlarmCodec.encode(alarm)
        #expect(unsafe try AlarmCodec.decode(bytes.span.bytes).id == id)
    }
}
