public import Model
public import Time

/// The sensor and channel whose samples an exported file holds.
public struct SampleFileHeader: Sendable, Equatable {
    /// The sensor's serial number.
    public var sensor: String
    /// The channel's name, or its number if it has no name.
    public var channel: String
    /// The quantity: "acceleration" …; may be empty.
    public var quantity: String
    /// The unit: "m/s²" …; may be empty.
    public var unit: String

    /// The header of a channel of that sensor.
    public init(sensor: String, channel: String, quantity: String = "", unit: String = "") {
        self.sensor = sensor
        self.channel = channel
        self.quantity = quantity
        self.unit = unit
    }

    /// The first line of the header in both formats.
    static let title = "iotctl export 1"

    /// The header as text, one line for each field.
    var lines: [String] {
        [Self.title]
            + [("sensor", sensor), ("channel", channel), ("quantity", quantity), ("unit", unit)]
            .map { "\($0)=\(Self.escaped($1))" }
    }

    /// Reads a header from `lines`; ignores further lines.
    init(lines: [String]) throws(RecordingError) {
        guard lines.first == Self.title else { throw RecordingError("not exported by iotctl: no \"\(Self.title)\"") }
        let fields = Self.fields(lines.dropFirst())
        guard let sensor = fields["sensor"], let channel = fields["channel"] else {
            throw RecordingError("the header names no sensor or no channel")
        }
        self.init(
            sensor: sensor, channel: channel, quantity: fields["quantity"] ?? "", unit: fields["unit"] ?? "")
    }

    /// Reads words of the form `name=value`; ignores other words.
    static func fields(_ words: some Sequence<String>) -> [String: String] {
        var fields: [String: String] = [:]
        for word in words {
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2 { fields[String(parts[0])] = unescaped(parts[1]) }
        }
        return fields
    }

    /// Replaces control characters and % by % and two hexadecimal digits.
    private static func escaped(_ text: String) -> String {
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            if byte < 0x20 || byte == UInt8(ascii: "%") {
                let digits = String(byte, radix: 16)
                bytes += Array("%\(digits.count == 1 ? "0" : "")\(digits)".utf8)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func unescaped(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"),
                let code = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(code)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// The format of the samples of a run: all properties except their times.
struct SampleFormat: Equatable {
    /// The encoding of the samples. The raw value is part of the file format.
    enum Kind: String {
        case floats
        case counts
        case value
    }

    var kind: Kind
    var hertz: Double
    var scale = 1.0
    var offset = 0.0

    /// The format of a run.
    init(_ run: SampleRun) {
        hertz = run.rate?.hertz ?? 0
        switch run.samples {
        case .floats: kind = .floats
        case .counts(_, let scale, let offset): (kind, self.scale, self.offset) = (.counts, scale, offset)
        case .value: kind = .value
        }
    }

    /// The format as words: `rate_hz=1000.0 form=counts scale=0.001 offset=0.0`.
    var words: [String] {
        var words = ["rate_hz=\(hertz)", "form=\(kind.rawValue)"]
        if kind == .counts { words += ["scale=\(scale)", "offset=\(offset)"] }
        return words
    }

    /// Reads a format from `words`.
    init(words: some Sequence<String>) throws(RecordingError) {
        let fields = SampleFileHeader.fields(words)
        guard let kind = fields["form"].flatMap(Kind.init), let hertz = fields["rate_hz"].flatMap(Double.init),
            hertz == 0 ? kind == .value : SampleRate(hertz: hertz) != nil
        else { throw RecordingError("rate_hz or form of the samples is missing or invalid") }
        (self.kind, self.hertz) = (kind, hertz)
        guard kind == .counts else { return }
        guard let scale = fields["scale"].flatMap(Double.init), let offset = fields["offset"].flatMap(Double.init),
            scale.isFinite, offset.isFinite
        else { throw RecordingError("counts without scale and offset") }
        (self.scale, self.offset) = (scale, offset)
    }

    /// The sample rate; nil: not known, which is allowed for single values.
    var rate: SampleRate? { SampleRate(hertz: hertz) }
}

/// A reader of the samples of an exported file, run by run.
public enum SampleFileReader {
    /// A CSV file.
    case text(TextSampleReader)
    /// A WAV file.
    case wave(WaveSampleReader)

    /// Reads the beginning of a file and detects its format.
    /// - Parameter start: the time of the first sample, for a WAV file that does not contain it.
    /// - Throws: `RecordingError` if the file is not in one of the formats.
    public init(_ source: ByteSource, start: Timestamp? = nil) throws(RecordingError) {
        let head = try source.bytes(0, 4)
        if head.starts(with: "RIFF".utf8) || head.starts(with: "RF64".utf8) {
            self = .wave(try WaveSampleReader(source, start: start))
        } else {
            self = .text(try TextSampleReader(source))
        }
    }

    /// The sensor and channel of the samples; nil if the file does not contain them.
    public var header: SampleFileHeader? {
        switch self {
        case .text(let reader): reader.header
        case .wave(let reader): reader.header
        }
    }

    /// The next run; nil at the end.
    /// - Throws: `RecordingError` if the file is damaged.
    public mutating func next() throws(RecordingError) -> SampleRun? {
        switch self {
        case .text(var reader):
            let run = try reader.next()
            self = .text(reader)
            return run
        case .wave(var reader):
            let run = try reader.next()
            self = .wave(reader)
            return run
        }
    }
}

/// A summary of the runs of a file.
public struct SampleSurvey: Sendable, Equatable {
    /// The number of samples.
    public var samples = 0
    /// The number of runs, which are rows of `measurement`.
    public var runs = 0
    /// The time at which the first sample was taken.
    public var first: Timestamp?
    /// The time at which the last sample was taken.
    public var last: Timestamp?
    /// The number of gaps: pauses of more than one and a half sample periods.
    public var gaps = 0
    /// The length of all gaps together, in nanoseconds.
    public var gapNanoseconds: Int64 = 0

    private var before: SampleRun?

    /// The summary of no runs.
    public init() {}

    /// Adds a run.
    public mutating func add(_ run: SampleRun) {
        if let gap = before?.gap(before: run) {
            gaps += 1
            gapNanoseconds += gap
        }
        before = SampleRun(start: run.last, rate: run.rate, samples: .value(0))
        samples += run.samples.count
        runs += 1
        first = first.map { min($0, run.start) } ?? run.start
        last = last.map { max($0, run.last) } ?? run.last
    }
}
