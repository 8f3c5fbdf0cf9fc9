public import Sensors

/// Why bytes are no recording.
public struct RecordingError: Error, Sendable, Equatable, CustomStringConvertible {
    /// One sentence that names the fault and the place.
    public let description: String

    /// That fault.
    init(_ description: String) { self.description = description }

    /// The file's bytes did not come.
    public static let unreadable = RecordingError("the file can't be read to its end")
}

/// Samples that were recorded once, evenly spaced, to be played in a loop.
public struct Recording: Sendable {
    /// The most bytes that a file may have: 1 GiB.
    public static let bytesMax = 1 << 30

    /// What was recorded, numbered from 0.
    public let channels: [Announcement.Channel]
    /// Samples a second and channel.
    public let rate: SampleRate
    /// Samples in each channel, at least 1.
    public let length: Int
    private let columns: [RecordedColumn]

    /// Reads a WAV file (`RIFF`…) or else CSV text.
    ///
    /// - `rate` is needed for CSV without a time column, and wins over one; a WAV file knows its own.
    /// - Throws: `RecordingError` with a sentence for people.
    public init(bytes: [UInt8], rate: SampleRate? = nil) throws(RecordingError) {
        guard bytes.count <= Self.bytesMax else {
            throw RecordingError("\(bytes.count) bytes are too many for a recording, at most \(Self.bytesMax)")
        }
        if bytes.starts(with: "RIFF".utf8) || bytes.starts(with: "RF64".utf8) {
            try self.init(wave: bytes)
        } else {
            try self.init(csv: bytes, rate: rate)
        }
    }

    /// These columns, one for each channel.
    init(
        channels: [Announcement.Channel], rate: SampleRate, columns: [RecordedColumn]
    ) throws(RecordingError) {
        guard (1...FrameLimits.blocksMax).contains(columns.count) else {
            throw RecordingError("\(columns.count) channels, 1…\(FrameLimits.blocksMax) can be played")
        }
        let length = columns[0].count
        guard length > 0 else { throw RecordingError("the recording has no samples") }
        precondition(columns.count == channels.count && columns.allSatisfy { $0.count == length }, "uneven columns")
        self.channels = channels
        self.rate = rate
        self.length = length
        self.columns = columns
    }

    /// Whether all channels are counts of a converter, as in a 16-bit WAV file.
    public var isCounts: Bool {
        columns.allSatisfy { if case .counts = $0 { true } else { false } }
    }

    /// `count` samples of each channel from `position` on; after the last comes the first.
    func samples(from position: Int, count: Int) -> [Samples] {
        columns.map { $0.samples(from: position, count: count) }
    }
}

/// One channel of a recording, as exactly as it was recorded.
enum RecordedColumn: Sendable {
    /// Converter counts: sample = scale × count.
    case counts([Int16], scale: Double)
    /// Single precision.
    case floats([Float])
    /// Double precision.
    case doubles([Double])

    /// Samples in it.
    var count: Int {
        switch self {
        case .counts(let counts, _): counts.count
        case .floats(let samples): samples.count
        case .doubles(let samples): samples.count
        }
    }

    /// `count` samples from `position` on, round and round; a single one as a double.
    func samples(from position: Int, count: Int) -> Samples {
        switch self {
        case .counts(let counts, let scale):
            count == 1
                ? .value(scale * Double(counts[position % counts.count]))
                : .counts(counts.loop(from: position, count: count), scale: scale, offset: 0)
        case .floats(let samples):
            count == 1
                ? .value(Double(samples[position % samples.count]))
                : .floats(samples.loop(from: position, count: count))
        case .doubles(let samples):
            count == 1
                ? .value(samples[position % samples.count])
                : .floats(samples.loop(from: position, count: count).map { Float($0) })
        }
    }
}
