internal import FoundationEssentials
public import Model
internal import Time

/// The JSON of devices that do not send Frames: numeric and boolean fields are channels named after the fields.
public enum DeviceJSON {
    /// The fields that hold the time, in order of preference.
    public static let timeFields = ["time", "timestamp", "ts"]

    /// Reads one JSON object as a frame of single values, without a position.
    ///
    /// Channels are in order of their names, because the fields of a JSON object have no order. Fields that are neither
    /// numbers nor booleans are ignored.
    /// - Throws: `Rejection`: `undecodable` if the payload is not a JSON object, `noNumericFields`, or `invalidFrame`.
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
            guard let time = Timestamp(iso8601: text, lenient: .none) else {
                throw Rejection(.invalidFrame, "a time that is not ISO 8601 with a zone: \(text.prefix(64))")
            }
            return time
        }
    }

    private static func time(magnitude number: Int64) throws(Rejection) -> Timestamp {
        let (nanoseconds, overflow) = number.multipliedReportingOverflow(
            by: Timestamp.nanosecondsPerUnit(of: Double(number)))
        if overflow { throw Rejection(.invalidFrame, "a time that can't be represented: \(number)") }
        return Timestamp(unixNanoseconds: nanoseconds)
    }

    /// A number with a fraction is exact to the microsecond at best, so it is rounded to microseconds.
    private static func time(magnitude number: Double) throws(Rejection) -> Timestamp {
        let nanosecondsInUnit = Double(Timestamp.nanosecondsPerUnit(of: number))
        guard let microseconds = Int64(exactly: (number * nanosecondsInUnit / 1000).rounded()),
            microseconds.magnitude < UInt64(Int64.max / 1000)
        else { throw Rejection(.invalidFrame, "a time that can't be represented: \(number)") }
        return Timestamp(unixNanoseconds: microseconds * 1000)
    }
}

/// The decoder for payloads of `sensor_<i>.data`.
public enum DataPayload {
    /// Decodes a Frame, or a device's JSON if the first byte that is not white space is `{`.
    ///
    /// No Frame begins with `{`: it is 0x7B, field 15 with a wire type that proto3 does not have.
    /// - Parameter newest: the newest schema of a Frame that is accepted.
    /// - Throws: `Rejection` with the reason to quarantine the payload.
    public static func decode(
        _ bytes: borrowing RawSpan, newest: UInt32 = Frame.captureSchema
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
