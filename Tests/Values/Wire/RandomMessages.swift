import Model
import Simulation
import Time

@testable import Wire

extension SplitMix64 {
    mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) } }

    mutating func text(_ scalarsMax: Int) -> String {
        let alphabet: [Character] = ["a", "Z", "0", " ", "ä", "°", "²", "漢", "💡", "\"", "\\", "\n"]
        return String(
            (0..<Int.random(in: 0...scalarsMax, using: &self)).map { _ in alphabet.randomElement(using: &self) ?? "?" })
    }

    /// Nanoseconds that are not 0, which stands for "no clock".
    mutating func time() -> Timestamp? {
        let nanoseconds = Int64(bitPattern: next())
        return nanoseconds.isMultiple(of: 5) ? nil : Timestamp(unixNanoseconds: nanoseconds)
    }

    mutating func number() -> Int64 {
        .random(in: 0...(.max - 1), using: &self) >> Int64.random(in: 0...62, using: &self)
    }

    /// What numbers frames.
    mutating func frameCount() -> Int64 { number() >> 10 }

    mutating func frame() -> Frame {
        let count = Int.random(in: 1...40, using: &self)
        let channels = Set(
            (0..<Int.random(in: 1...5, using: &self)).map { _ in Int16.random(in: 0...(.max), using: &self) })
        let blocks = channels.map {
            Block(channel: .number($0), samples: samples(Int.random(in: 1...count, using: &self)))
        }
        var frame = Frame(
            position: FramePosition(boot: max(1, number()), sequence: frameCount()), start: time(),
            rate: SampleRate(hertz: .random(in: 1...1e6, using: &self)), blocks: blocks)
        if Bool.random(using: &self) {
            frame.place = GeoPosition(
                latitude: .random(in: -90...90, using: &self), longitude: .random(in: -180...180, using: &self),
                altitude: .random(in: -500...9000, using: &self))
        }
        if next().isMultiple(of: 4), frame.start != nil { frame.captures = captures() }
        return frame
    }

    private mutating func captures() -> [CaptureMark] {
        (0..<Int.random(in: 1...FrameLimits.capturesMax, using: &self)).map { _ in
            let from = Int64.random(in: .min...(.max - 1), using: &self)
            return CaptureMark(
                alarm: "id\(next())", from: Timestamp(unixNanoseconds: from),
                to: Timestamp(unixNanoseconds: .random(in: (from + 1)...(.max), using: &self)),
                samples: .random(in: 1...FrameLimits.framesMax, using: &self))
        }
    }

    private mutating func samples(_ count: Int) -> Samples {
        switch next() % 3 {
        case 0: .floats((0..<count).map { _ in .random(in: -1e6...1e6, using: &self) })
        case 1:
            .counts(
                (0..<count).map { _ in .random(in: .min...(.max), using: &self) },
                scale: .random(in: -1...1, using: &self), offset: .random(in: -1e3...1e3, using: &self))
        default: .value(.random(in: -1e9...1e9, using: &self))
        }
    }

    mutating func announcement() -> Announcement {
        Announcement(
            boot: number(), connection: number(), kind: text(16), firmware: text(16),
            state: Announcement.State.allCases.randomElement(using: &self) ?? .lost,
            rate: Bool.random(using: &self) ? SampleRate(hertz: .random(in: 1e-3...1e6, using: &self)) : nil,
            nextSequence: frameCount(), framesDropped: number(),
            channels: (0..<Int.random(in: 0...64, using: &self)).map {
                Announcement.Channel(number: Int16($0 * 500), name: text(16), quantity: text(16), unit: text(16))
            },
            at: time())
    }

    mutating func command() -> Command {
        let arguments = (0..<Int.random(in: 0...8, using: &self)).map { index -> (String, Command.Value) in
            switch next() % 3 {
            case 0: ("n\(index)", .number(.random(in: -1e9...1e9, using: &self)))
            case 1: ("t\(index)", .text(text(40)))
            default: ("f\(index)", .flag(Bool.random(using: &self)))
            }
        }
        return Command(
            id: "id\(next())", name: "name" + text(10), arguments: Dictionary(uniqueKeysWithValues: arguments),
            issued: time() ?? Timestamp(unixNanoseconds: 0), expires: time(), issuer: text(30))
    }

    mutating func ack() -> Ack {
        Ack(
            id: "id\(next())", outcome: Ack.Outcome.allCases.randomElement(using: &self) ?? .failed, reason: text(60),
            at: time(), isOfAlarm: Bool.random(using: &self))
    }

    mutating func logLine() -> LogLine {
        LogLine(
            at: time(), level: LogLine.Level.allCases.randomElement(using: &self) ?? .info, text: "!" + text(200),
            boot: number())
    }

    mutating func alarm() -> Alarm {
        var alarm = Alarm(
            id: "id\(next())", rule: "limit:" + text(20),
            severity: Alarm.Severity.allCases.randomElement(using: &self) ?? .warning,
            channel: .random(in: 0...(.max), using: &self),
            value: .random(in: -1e9...1e9, using: &self), limit: .random(in: -1e9...1e9, using: &self),
            at: time() ?? Timestamp(unixNanoseconds: 0),
            position: Bool.random(using: &self) ? FramePosition(boot: number() + 1, sequence: number()) : nil,
            text: text(60))
        (alarm.channelName, alarm.unit, alarm.runbook, alarm.cause) = (text(20), text(20), text(60), text(20))
        alarm.isLate = Bool.random(using: &self)
        if Bool.random(using: &self) {
            alarm.origin = Alarm.Origin(stream: "!" + text(20), epoch: number(), offset: number())
        }
        return alarm
    }
}

extension Result where Failure == Rejection {
    /// What `decode` says, as a value.
    init(_ body: () throws(Rejection) -> Success) {
        do throws(Rejection) { self = .success(try body()) } catch { self = .failure(error) }
    }
}

extension FrameCodec {
    static func read(_ bytes: [UInt8]) -> Result<Frame, Rejection> {
        Result { () throws(Rejection) in unsafe try decode(bytes.span.bytes) }
    }
}

extension DataPayload {
    static func read(_ bytes: [UInt8]) -> Result<Frame, Rejection> {
        Result { () throws(Rejection) in unsafe try decode(bytes.span.bytes) }
    }
}

/// Protobuf by hand, for messages that no codec of ours would write.
enum Raw {
    static func varint(_ number: UInt64) -> [UInt8] {
        var rest = number
        var bytes: [UInt8] = []
        while rest > 127 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }

    static func number(_ field: UInt64, _ number: UInt64) -> [UInt8] { varint(field << 3) + varint(number) }

    static func fixed(_ field: UInt64, _ number: UInt64) -> [UInt8] {
        varint(field << 3 | 1) + (0..<8).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
    }

    static func double(_ field: UInt64, _ number: Double) -> [UInt8] { fixed(field, number.bitPattern) }

    static func bytes(_ field: UInt64, _ content: [UInt8]) -> [UInt8] {
        varint(field << 3 | 2) + varint(UInt64(content.count)) + content
    }

    /// A Frame of these blocks, sampled at 10 Hz.
    static func frame(
        schema: UInt64 = 1, boot: UInt64 = 5, sequence: UInt64 = 0, hertz: Double = 10, _ blocks: [[UInt8]]
    ) -> [UInt8] {
        number(1, schema) + fixed(2, boot) + number(3, sequence) + double(5, hertz) + blocks.flatMap { bytes(7, $0) }
    }

    /// A Block of one value.
    static func value(channel: UInt64, _ value: Double = 1) -> [UInt8] { number(1, channel) + double(4, value) }
}
