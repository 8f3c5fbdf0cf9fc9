internal import FoundationEssentials
public import Sensors

/// A device's own JSON (design §2): numeric and boolean fields are channels named after the fields.
public enum DeviceJSON {
    /// Fields that give the time, in order of preference.
    public static let timeFields = ["time", "timestamp", "ts"]

    /// Reads one JSON object as a frame of single values, without a position.
    ///
    /// Channels are in order of their names: JSON objects have no order of their own. Fields that are neither numbers
    /// nor booleans are passed over.
    /// - Throws: `Rejection`: `undecodable` if it is no JSON object, `noNumericFields`, or `invalidFrame`.
    public static func decode(_ bytes: borrowing RawSpan) throws(Rejection) -> Frame {
        let data = unsafe bytes.withUnsafeBytes { unsafe Data($0) }
        guard let fields = try? JSONDecoder().decode([String: Field].self, from: data) else {
            throw Rejection(.undecodable, "neither a Frame nor a JSON object")
        }
        let timeField = timeFields.first { fields[$0] != nil }
        var blocks: [Block] = []
        for (name, field) in fields.sorted(by: { $0.key < $1.key }) where name != timeField {
            guard let value = field.value else { continue }
            guard (1...64).contains(name.utf8.count), !name.utf8.contains(0) else {
                throw Rejection(.invalidFrame, "a field name of \(name.utf8.count) bytes (1…64) or with a NUL")
            }
            blocks.append(Block(channel: .name(name), samples: .value(value)))
        }
        guard !blocks.isEmpty else { throw Rejection(.noNumericFields, "no field is a number or a boolean") }
        let start = try time(timeField.flatMap { fields[$0] })
        let frame = Frame(position: nil, start: start, rate: nil, blocks: blocks)
        try frame.validate()
        return frame
    }

    private enum Field: Decodable {
        case integer(Int64)
        case number(Double)
        case text(String)
        case other

        var value: Double? {
            switch self {
            case .integer(let number): Double(number)
            case .number(let number): number
            case .text, .other: nil
            }
        }

        init(from decoder: any Decoder) throws {
            guard let container = try? decoder.singleValueContainer() else {
                self = .other
                return
            }
            if let flag = try? container.decode(Bool.self) {
                self = .integer(flag ? 1 : 0)
            } else if let number = try? container.decode(Int64.self) {
                self = .integer(number)
            } else if let number = try? container.decode(Double.self) {
                self = .number(number)
            } else if let text = try? container.decode(String.self) {
                self = .text(text)
            } else {
                self = .other
            }
        }
    }

    private static func time(_ field: Field?) throws(Rejection) -> Timestamp? {
        switch field {
        case nil, .other: return nil
        case .integer(let number): return try time(magnitude: number)
        case .number(let number): return try time(magnitude: number)
        case .text(let text):
            for withFraction in [true, false] {
                let style = Date.ISO8601FormatStyle(includingFractionalSeconds: withFraction)
                if let date = try? style.parse(text) {
                    return try time(magnitude: date.timeIntervalSince1970)
                }
            }
            throw Rejection(.invalidFrame, "a time that is not ISO 8601: \(text.prefix(64))")
        }
    }

    /// Nanoseconds in the unit of a number: seconds, milliseconds, microseconds or nanoseconds since 1970, told apart
    /// by magnitude. Below 10^11 it is seconds, up to the year 5138; each next unit has a range a thousand times as far.
    private static func nanosecondsInUnit(of magnitude: Double) -> Int64 {
        switch magnitude {
        case ..<1e11: 1_000_000_000
        case ..<1e14: 1_000_000
        case ..<1e17: 1000
        default: 1
        }
    }

    private static func time(magnitude number: Int64) throws(Rejection) -> Timestamp {
        let (nanoseconds, overflow) = number.multipliedReportingOverflow(
            by: nanosecondsInUnit(of: Double(number).magnitude))
        if overflow { throw Rejection(.invalidFrame, "a time that can't be represented: \(number)") }
        return Timestamp(unixNanoseconds: nanoseconds)
    }

    /// A number with a fraction is true to the microsecond at best, so that is what is kept of it.
    private static func time(magnitude number: Double) throws(Rejection) -> Timestamp {
        let nanosecondsInUnit = Double(nanosecondsInUnit(of: number.magnitude))
        guard let microseconds = Int64(exactly: (number * nanosecondsInUnit / 1000).rounded()),
            microseconds.magnitude < UInt64(Int64.max / 1000)
        else { throw Rejection(.invalidFrame, "a time that can't be represented: \(number)") }
        return Timestamp(unixNanoseconds: microseconds * 1000)
    }
}

/// What a payload of `sensor_<i>.data` is.
public enum DataPayload {
    /// Reads a Frame, or a device's JSON if the first byte that is not white space is `{`.
    ///
    /// No Frame begins so: `{` is 0x7B, field 15 with a wire type that proto3 does not have.
    /// - Parameter newest: the newest schema of a Frame that is read.
    /// - Throws: `Rejection` with the reason to quarantine it.
    public static func decode(
        _ bytes: borrowing RawSpan, newest: UInt32 = Frame.schema
    ) throws(Rejection) -> Frame {
        guard bytes.byteCount <= FrameLimits.messageBytesMax else {
            throw Rejection(.tooLarge, "\(bytes.byteCount) bytes")
        }
        return looksLikeJSON(bytes) ? try DeviceJSON.decode(bytes) : try FrameCodec.decode(bytes, newest: newest)
    }

    private static func looksLikeJSON(_ bytes: borrowing RawSpan) -> Bool {
        for index in 0..<min(bytes.byteCount, 64) {
            let byte = unsafe bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self)
            switch byte {
            case 0x20, 0x09, 0x0A, 0x0D: continue
            default: return byte == UInt8(ascii: "{")
            }
        }
        return false
    }
}
