public import Model
internal import Time

/// Writes samples as a WAV file that any player can play and that keeps the metadata for which WAV has no field.
///
/// PCM of 16 bits for counts, 32-bit floats, or 64-bit floats if there are values of double precision. It has two
/// private chunks:
/// - `iotc`, before the samples: text, a line each for sensor, channel, quantity, unit, exact rate, form, scale,
/// offset.
/// - `iots`, after the samples: 16 bytes for each run of samples, little-endian: its start in Unix nanoseconds (64
///   bits), its number of samples (32 bits), and (32 bits) 1 if it is a single value of double precision, 3 if that
///   value has no rate. Across a gap the samples follow each other directly: only this table records gaps.
///
/// A file above 4 GiB is RF64 (EBU Tech 3306), for which a `JUNK` chunk reserves the space.
public struct WaveSampleWriter: Sendable {
    private let header: SampleFileHeader
    private let format: SampleFormat
    private let isWide: Bool
    private var samples = 0
    private var runs = 0
    /// Whether `append` failed for a single value that needs 64-bit floats: then write the file again with `isWide`.
    public private(set) var needsWide = false

    /// - Parameters:
    ///   - first: the first runs, which determine the format; not empty.
    ///   - isWide: whether floats are always written with 64 bits.
    public init(_ header: SampleFileHeader, first: [SampleRun], isWide: Bool = false) {
        precondition(!first.isEmpty, "a WAV file needs at least one run")
        self.header = header
        let formats = first.map { SampleFormat($0) }
        format = formats.first { $0.kind != .value } ?? formats[0]
        self.isWide = isWide || format.kind == .value
    }

    private var sampleBytes: Int { format.kind == .counts ? 2 : isWide ? 8 : 4 }

    /// Adds a run: bytes to the samples, and bytes to the table that follows them.
    /// - Throws: `RecordingError` if one file cannot hold the run together with the runs before.
    public mutating func append(
        _ run: SampleRun, samples bytes: inout [UInt8], table: inout [UInt8]
    ) throws(RecordingError) {
        let other = SampleFormat(run)
        guard other.hertz == format.hertz || other.kind == .value && other.hertz == 0 else {
            throw unfit(run, "the rate changes from \(format.hertz) Hz to \(other.hertz) Hz")
        }
        switch (run.samples, format.kind) {
        case (.counts(let counts, let scale, let offset), .counts):
            guard scale == format.scale, offset == format.offset else { throw unfit(run, "scale or offset changes") }
            for count in counts { bytes.append(littleEndian: UInt16(bitPattern: count)) }
        case (.floats(let floats), .floats):
            for float in floats {
                if !isWide {
                    bytes.append(littleEndian: float.bitPattern)
                } else if Float(Double(float)).bitPattern == float.bitPattern {
                    bytes.append(littleEndian: Double(float).bitPattern)
                } else {
                    throw unfit(run, "there are values of double precision and a NaN that doubles cannot represent")
                }
            }
        case (.value(let value), .counts):
            guard let count = count(of: value) else { throw unfit(run, "no count represents a single value") }
            bytes.append(littleEndian: UInt16(bitPattern: count))
        case (.value(let value), .floats) where !isWide:
            needsWide = Double(Float(value)).bitPattern != value.bitPattern
            guard Double(Float(value)).bitPattern == value.bitPattern else {
                throw unfit(run, "no 32-bit float represents a single value")
            }
            bytes.append(littleEndian: Float(value).bitPattern)
        case (.value(let value), .floats), (.value(let value), .value):
            bytes.append(littleEndian: value.bitPattern)
        case (.floats, _), (.counts, _):
            throw unfit(run, "the samples change from \(format.kind.rawValue) to \(other.kind.rawValue)")
        }
        table.append(littleEndian: UInt64(bitPattern: run.start.unixNanoseconds))
        table.append(littleEndian: UInt32(run.samples.count))
        table.append(littleEndian: UInt32(other.kind != .value ? 0 : other.hertz == 0 ? 3 : 1))
        samples += run.samples.count
        runs += 1
    }

    /// The count that represents a single value exactly; nil if there is none.
    private func count(of value: Double) -> Int16? {
        guard let count = Int16(exactly: ((value - format.offset) / format.scale).rounded()),
            (format.offset + format.scale * Double(count)).bitPattern == value.bitPattern
        else { return nil }
        return count
    }

    private func unfit(_ run: SampleRun, _ why: String) -> RecordingError {
        RecordingError("\(why) at \(run.start), which one WAV file can't hold; CSV can, or end with --to before it")
    }

    /// The bytes before the samples. Their number is constant, so that they can be written again once the sizes are
    /// known.
    public var head: [UInt8] {
        let isFloat = format.kind != .counts
        let text = Array((header.lines + format.words).joined(separator: "\n").utf8) + [UInt8(ascii: "\n")]
        let data = samples * sampleBytes
        var middle: [UInt8] = []
        var chunk: [UInt8] = []
        chunk.append(littleEndian: UInt16(isFloat ? 3 : 1))
        chunk.append(littleEndian: UInt16(1))
        let hertz = UInt32(exactly: max(1, format.hertz.rounded())) ?? 1
        chunk.append(littleEndian: hertz)
        chunk.append(littleEndian: hertz &* UInt32(sampleBytes))
        chunk.append(littleEndian: UInt16(sampleBytes))
        chunk.append(littleEndian: UInt16(sampleBytes * 8))
        if isFloat { chunk.append(littleEndian: UInt16(0)) }
        middle.appendChunk("fmt ", chunk)
        if isFloat {
            var fact: [UInt8] = []
            fact.append(littleEndian: UInt32(clamping: samples))
            middle.appendChunk("fact", fact)
        }
        middle.appendChunk("iotc", text)

        let size = 4 + 36 + middle.count + 8 + data + tail.count + runs * 16
        let isLong = size > UInt32.max
        var sizes: [UInt8] = []
        for number in isLong ? [size, data, samples] : [0, 0, 0] { sizes.append(littleEndian: UInt64(number)) }
        sizes.append(littleEndian: UInt32(0))
        var head = Array((isLong ? "RF64" : "RIFF").utf8)
        head.append(littleEndian: isLong ? UInt32.max : UInt32(size))
        head += Array("WAVE".utf8)
        head.appendChunk(isLong ? "ds64" : "JUNK", sizes)
        head += middle + Array("data".utf8)
        head.append(littleEndian: isLong ? UInt32.max : UInt32(data))
        return head
    }

    /// The bytes between the samples and the table.
    public var tail: [UInt8] {
        var tail: [UInt8] = samples * sampleBytes % 2 == 0 ? [] : [0]
        tail += Array("iots".utf8)
        tail.append(littleEndian: UInt32(clamping: runs * 16))
        return tail
    }
}

/// Reads files of `WaveSampleWriter`, and other WAV files with a single channel.
public struct WaveSampleReader {
    /// Runs of the table read at a time.
    private static let tableRuns = 4096
    /// The most bytes read of the chunk with the header.
    private static let headerBytesMax = 65_536
    /// The most samples in a run of a file without a table.
    private static let samplesMax = 4096

    /// The sensor and channel of the samples; nil if the file does not contain them.
    public let header: SampleFileHeader?
    private let source: ByteSource
    private let layout: WaveLayout
    private let format: SampleFormat?
    private let start: Timestamp?
    /// The unread part of the table.
    private var table: Range<Int>
    private var runs: ArraySlice<(start: Int64, count: Int, flags: UInt32)> = []
    /// The position of the next sample.
    private var position: Int

    /// Reads the layout and the header.
    /// - Parameter start: the time of the first sample, for a file that does not contain it.
    /// - Throws: `RecordingError` if the file cannot be read.
    init(_ source: ByteSource, start: Timestamp?) throws(RecordingError) {
        self.source = source
        layout = try WaveLayout(source)
        position = layout.data.lowerBound
        guard let text = layout.chunks["iotc"] else {
            guard let start else { throw RecordingError("the WAV file has no start time: give one with --start") }
            guard layout.format.channels == 1 else {
                throw RecordingError("the WAV file has \(layout.format.channels) channels; only one is allowed")
            }
            (header, format, table, self.start) = (nil, nil, 0..<0, start)
            return
        }
        let lines = String(
            decoding: try source.bytes(text.lowerBound, min(text.count, Self.headerBytesMax)), as: UTF8.self
        )
        .split(separator: "\n").map(String.init)
        header = try SampleFileHeader(lines: lines)
        format = try SampleFormat(words: lines)
        self.start = nil
        guard let table = layout.chunks["iots"] else {
            throw RecordingError("the WAV file ends before its table of times")
        }
        let isFit =
            switch (format?.kind, layout.format.coding) {
            case (.counts, .signed16), (.floats, .float32), (.floats, .float64), (.value, .float64):
                layout.format.channels == 1
            default: false
            }
        guard isFit, table.count % 16 == 0 else { throw RecordingError("the WAV file's chunks contradict each other") }
        self.table = table
    }

    /// The next run; nil at the end.
    /// - Throws: `RecordingError` if the file is damaged.
    mutating func next() throws(RecordingError) -> SampleRun? {
        guard let format else { return try nextWithoutTable() }
        if runs.isEmpty { try readTable() }
        guard let run = runs.popFirst() else {
            guard position == layout.data.upperBound else {
                throw RecordingError("the WAV file has more samples than its table of times")
            }
            return nil
        }
        let start = Timestamp(unixNanoseconds: run.start)
        let isValue = run.flags & 1 == 1
        let rate = run.flags & 2 == 2 ? nil : format.rate
        guard run.count == 1 || !isValue && rate != nil && (1...FrameLimits.samplesMax).contains(run.count) else {
            throw RecordingError("the WAV file's table of times has a run of \(run.count) samples")
        }
        switch layout.format.column(0, of: try samples(run.count)) {
        case .counts(let counts, _):
            let samples = Samples.counts(counts, scale: format.scale, offset: format.offset)
            return SampleRun(start: start, rate: rate, samples: isValue ? .value(samples[0]) : samples)
        case .floats(let floats):
            let samples = Samples.floats(floats)
            return SampleRun(start: start, rate: rate, samples: isValue ? .value(samples[0]) : samples)
        case .doubles(let values):
            if format.kind == .floats, !isValue {
                return SampleRun(start: start, rate: rate, samples: .floats(values.map { Float($0) }))
            }
            guard run.count == 1 else { throw RecordingError("the WAV file has several values in a run") }
            return SampleRun(start: start, rate: rate, samples: .value(values[0]))
        }
    }

    private mutating func samples(_ count: Int) throws(RecordingError) -> ArraySlice<UInt8> {
        let length = count * layout.format.frameBytes
        guard length <= layout.data.upperBound - position else {
            throw RecordingError("the WAV file has fewer samples than its table of times")
        }
        defer { position += length }
        return try source.bytes(position, length)[...]
    }

    private mutating func readTable() throws(RecordingError) {
        let bytes = try source.bytes(table.lowerBound, min(table.count, Self.tableRuns * 16))
        table = table.lowerBound + bytes.count..<table.upperBound
        runs =
            stride(from: 0, to: bytes.count, by: 16).map { index in
                (
                    Int64(bitPattern: bytes.littleEndian64(at: index)), Int(bytes.littleEndian32(at: index + 8)),
                    bytes.littleEndian32(at: index + 12)
                )
            }[...]
    }

    private mutating func nextWithoutTable() throws(RecordingError) -> SampleRun? {
        let size = layout.format.frameBytes
        let left = (layout.data.upperBound - position) / size
        guard let start, left > 0 else { return nil }
        let index = (position - layout.data.lowerBound) / size
        let column = layout.format.column(0, of: try samples(min(left, Self.samplesMax)))
        let rate = layout.format.rate
        return SampleRun(
            start: start.advanced(byNanoseconds: rate.nanoseconds(toSample: Int64(index))), rate: rate,
            samples: column.samples(from: 0, count: column.count))
    }
}

extension [UInt8] {
    /// Appends a number in little-endian order.
    fileprivate mutating func append(littleEndian number: some FixedWidthInteger) {
        var rest = number
        for _ in 0..<(number.bitWidth / 8) {
            append(UInt8(truncatingIfNeeded: rest))
            rest >>= 8
        }
    }

    /// Appends a chunk of a WAVE file, padded to an even length.
    fileprivate mutating func appendChunk(_ name: String, _ body: [UInt8]) {
        self += Array(name.utf8)
        append(littleEndian: UInt32(body.count))
        self += body
        if body.count % 2 == 1 { append(0) }
    }
}
