public import Model

/// The error for bytes that are not a valid recording.
public struct RecordingError: Error, Sendable, Equatable, CustomStringConvertible {
    /// One sentence that names the fault and its position.
    public let description: String

    init(_ description: String) { self.description = description }

    /// The file could not be read.
    public static let unreadable = RecordingError("the file can't be read to its end")
}

/// Recorded samples, evenly spaced in time, to be played in a loop.
public struct Recording: Sendable {
    /// The largest file, in bytes: 1 GiB.
    public static let bytesMax = 1 << 30

    /// The recorded channels, numbered from 0.
    public let channels: [Announcement.Channel]
    /// Samples per second and channel.
    public let rate: SampleRate
    /// The number of samples in each channel, at least 1.
    public let length: Int
    private let columns: [RecordedColumn]

    /// Reads a WAV file (`RIFF` or `RF64`), otherwise CSV text.
    ///
    /// - `rate` is required for CSV without a time column and takes precedence over one; a WAV file has its own rate.
    /// - Throws: `RecordingError` if the bytes are not a recording.
    public init(bytes: [UInt8], rate: SampleRate? = nil) throws(RecordingError) {
        guard bytes.count <= Self.bytesMax else {
            throw RecordingError("the recording has \(bytes.count) bytes, at most \(Self.bytesMax) are allowed")
        }
        if bytes.starts(with: "RIFF".utf8) || bytes.starts(with: "RF64".utf8) {
            try self.init(wave: bytes)
        } else {
            try self.init(csv: bytes, rate: rate)
        }
    }

    /// A recording with one column for each channel.
    init(
        channels: [Announcement.Channel], rate: SampleRate, columns: [RecordedColumn]
    ) throws(RecordingError) {
        guard (1...FrameLimits.blocksMax).contains(columns.count) else {
            throw RecordingError("the recording has \(columns.count) channels, not 1…\(FrameLimits.blocksMax)")
        }
        let length = columns[0].count
        guard length > 0 else { throw RecordingError("the recording has no samples") }
        precondition(columns.count == channels.count && columns.allSatisfy { $0.count == length }, "uneven columns")
        self.channels = channels
        self.rate = rate
        self.length = length
        self.columns = columns
    }

    /// Whether all channels are integer counts of a converter, as in a 16-bit WAV file.
    public var isCounts: Bool {
        columns.allSatisfy { if case .counts = $0 { true } else { false } }
    }

    /// `count` samples of each channel from `position` on; the first sample follows the last one.
    public func samples(from position: Int, count: Int) -> [Samples] {
        columns.map { $0.samples(from: position, count: count) }
    }
}

/// One channel of a recording in its original precision.
enum RecordedColumn: Sendable {
    /// Converter counts: sample = scale × count.
    case counts([Int16], scale: Double)
    /// Single precision.
    case floats([Float])
    /// Double precision.
    case doubles([Double])

    /// The number of samples.
    var count: Int {
        switch self {
        case .counts(let counts, _): counts.count
        case .floats(let samples): samples.count
        case .doubles(let samples): samples.count
        }
    }

    /// `count` samples from `position` on, in a loop; a single sample is a double.
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
