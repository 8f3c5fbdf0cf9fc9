public import Model
internal import Time

/// Writes samples as CSV without loss of a bit.
///
/// Lines that begin with # state the format of the lines below; the columns are `unix_ns,time,value,count`. `count` is
/// the converter's count if there is one, and then `value` = offset + scale × count. Numbers are the shortest that give
/// the same bits again; a NaN other than the default one shows its bits in brackets. A bare # begins another run (row
/// of `measurement`) where nothing else marks it. The last line counts the samples, so that a truncated file is
/// detected.
public struct TextSampleWriter: Sendable {
    /// The names of the columns.
    static let columns = "unix_ns,time,value,count"

    private let header: SampleFileHeader
    private var format: SampleFormat?
    private var before: SampleRun?
    private var samples = 0
    private var clock = TextClock()

    /// A writer for the samples of that channel.
    public init(_ header: SampleFileHeader) { self.header = header }

    /// The bytes before the samples.
    public var head: [UInt8] { Array((header.lines.map { "# \($0)\n" }.joined() + "\(Self.columns)\n").utf8) }

    /// Adds a run.
    public mutating func append(_ run: SampleRun, to bytes: inout [UInt8]) {
        let format = SampleFormat(run)
        if format != self.format {
            bytes += Array("# \(format.words.joined(separator: " "))\n".utf8)
        } else if format.kind != .value, let before,
            RunBuilder.joins(before.start, before.rate, before.samples.count, run.start)
        {
            bytes += [UInt8(ascii: "#"), UInt8(ascii: "\n")]
        }
        for index in 0..<run.samples.count {
            let time = run.time(of: index)
            bytes += Array("\(time.unixNanoseconds),".utf8)
            clock.append(time, to: &bytes)
            let cells =
                switch run.samples {
                case .floats(let floats): ",\(Self.text(floats[index])),\n"
                case .counts(let counts, _, _): ",\(Self.text(run.samples[index])),\(counts[index])\n"
                case .value(let value): ",\(Self.text(value)),\n"
                }
            bytes += Array(cells.utf8)
        }
        samples += run.samples.count
        self.format = format
        before = run
    }

    /// The bytes after the samples: the last line.
    public var tail: [UInt8] { Array("# end samples=\(samples)\n".utf8) }

    static func text(_ number: Float) -> String {
        if !number.isNaN || number.bitPattern == Float.nan.bitPattern { return "\(number)" }
        return "nan(\(String(number.bitPattern, radix: 16)))"
    }

    static func text(_ number: Double) -> String {
        if !number.isNaN || number.bitPattern == Double.nan.bitPattern { return "\(number)" }
        return "nan(\(String(number.bitPattern, radix: 16)))"
    }

    /// The bits in a text like `nan(7fc00001)`; nil for any other text.
    static func bits(_ text: String) -> UInt64? {
        guard text.hasPrefix("nan("), text.hasSuffix(")") else { return nil }
        return UInt64(text.dropFirst(4).dropLast(), radix: 16)
    }
}

/// Writes times in the format of `Timestamp.description`; keeps the formatted second for the times that share it.
private struct TextClock: Sendable {
    private var second: Int64?
    private var beginning: [UInt8] = []

    mutating func append(_ time: Timestamp, to bytes: inout [UInt8]) {
        var fraction = time.unixNanoseconds % 1_000_000_000
        if fraction < 0 { fraction += 1_000_000_000 }
        let second = time.unixNanoseconds &- fraction
        if second != self.second {
            self.second = second
            beginning = Array(time.description.utf8.dropLast(10))
        }
        bytes += beginning
        var divisor: Int64 = 100_000_000
        while divisor > 0 {
            bytes.append(UInt8(ascii: "0") + UInt8(fraction / divisor % 10))
            divisor /= 10
        }
        bytes.append(UInt8(ascii: "Z"))
    }
}

/// Builds a run from lines.
private struct RunBuilder {
    private let start: Timestamp
    private let format: SampleFormat
    private var floats: [Float] = []
    private var counts: [Int16] = []
    private var value: Double?

    init(_ start: Timestamp, _ format: SampleFormat, _ number: TextSampleReader.Number) {
        self.start = start
        self.format = format
        append(number)
    }

    mutating func append(_ number: TextSampleReader.Number) {
        switch number {
        case .float(let float): floats.append(float)
        case .count(let count): counts.append(count)
        case .value(let number): value = number
        }
    }

    var run: SampleRun {
        let samples: Samples =
            switch format.kind {
            case .floats: .floats(floats)
            case .counts: .counts(counts, scale: format.scale, offset: format.offset)
            case .value: .value(value ?? .nan)
            }
        return SampleRun(start: start, rate: format.rate, samples: samples)
    }

    func joins(_ next: Timestamp) -> Bool {
        format.kind != .value && Self.joins(start, format.rate, floats.count + counts.count, next)
    }

    /// Whether a sample at `next` continues a run of `count` samples: it is taken when the next one is due, in the same
    /// UTC minute.
    static func joins(_ start: Timestamp, _ rate: SampleRate?, _ count: Int, _ next: Timestamp) -> Bool {
        guard let rate, count < FrameLimits.samplesMax else { return false }
        let minute: Int64 = 60_000_000_000
        return start.advanced(byNanoseconds: rate.nanoseconds(toSample: Int64(count))) == next
            && start.unixNanoseconds / minute == next.unixNanoseconds / minute
    }
}

/// Reads files of `TextSampleWriter`.
public struct TextSampleReader {
    private static let blockBytes = 1 << 20
    private static let lineBytesMax = 4096

    /// The sensor and channel of the samples.
    public private(set) var header: SampleFileHeader
    private let source: ByteSource
    private var position = 0
    private var block: [UInt8] = []
    private var blockPosition = 0
    private var lines = 0
    private var format: SampleFormat?
    private var samples = 0
    private var isEnded = false
    /// The next run with its first sample, which ended the run before.
    private var waiting: RunBuilder?

    /// A sample in the encoding of its line.
    enum Number {
        case float(Float)
        case count(Int16)
        case value(Double)
    }

    /// Reads the header.
    /// - Throws: `RecordingError` if the file is not an export of iotctl.
    init(_ source: ByteSource) throws(RecordingError) {
        header = SampleFileHeader(sensor: "", channel: "")
        self.source = source
        var words: [String] = []
        while let line = try? line() {
            let text = String(decoding: line, as: UTF8.self)
            guard let word = Self.comment(text) else {
                guard text == TextSampleWriter.columns else { break }
                header = try SampleFileHeader(lines: words)
                return
            }
            words.append(word)
            if words[0] != SampleFileHeader.title { break }
        }
        throw RecordingError(
            "neither WAV nor CSV of iotctl export, which begins with # \(SampleFileHeader.title) and has the columns "
                + TextSampleWriter.columns)
    }

    /// The next run; nil at the end.
    /// - Throws: `RecordingError` if the file is damaged.
    mutating func next() throws(RecordingError) -> SampleRun? {
        var builder = waiting
        waiting = nil
        while let line = try line() {
            if line.first == UInt8(ascii: "#") {
                try readComment(String(decoding: line, as: UTF8.self))
                if let builder { return builder.run }
                continue
            }
            guard !isEnded else { throw RecordingError("line \(lines) follows the last line \"# end samples=…\"") }
            guard let format else { throw RecordingError("line \(lines) comes before # rate_hz=… form=…") }
            let (time, number) = try read(line, format.kind)
            samples += 1
            if builder?.joins(time) == true {
                builder?.append(number)
            } else if let builder {
                waiting = RunBuilder(time, format, number)
                return builder.run
            } else {
                builder = RunBuilder(time, format, number)
            }
        }
        guard builder != nil || isEnded else {
            throw RecordingError("the CSV ends in the middle: it has no last line \"# end samples=…\"")
        }
        return builder?.run
    }

    // MARK: lines

    private static func comment(_ line: String) -> String? {
        guard line.hasPrefix("#") else { return nil }
        return String(line.dropFirst(line.hasPrefix("# ") ? 2 : 1))
    }

    private mutating func readComment(_ line: String) throws(RecordingError) {
        guard let text = Self.comment(line), !text.isEmpty else { return }
        let words = text.split(separator: " ").map(String.init)
        if words.first == "end" {
            guard SampleFileHeader.fields(words)["samples"] == String(samples) else {
                throw RecordingError("line \(lines) does not count the \(samples) samples that the CSV has")
            }
            isEnded = true
        } else if words.contains(where: { $0.hasPrefix("rate_hz=") }) {
            do throws(RecordingError) { format = try SampleFormat(words: words) } catch {
                throw RecordingError("line \(lines): \(error)")
            }
        }
    }

    private func read(
        _ line: ArraySlice<UInt8>, _ kind: SampleFormat.Kind
    ) throws(RecordingError) -> (Timestamp, Number) {
        let cells = line.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
        guard cells.count == 4, let time = Int64(String(decoding: cells[0], as: UTF8.self)) else {
            throw RecordingError("line \(lines) is not \(TextSampleWriter.columns)")
        }
        let text = String(decoding: cells[kind == .counts ? 3 : 2], as: UTF8.self)
        let bits = TextSampleWriter.bits(text)
        let number: Number? =
            switch kind {
            case .floats:
                (bits.map { UInt32(truncatingIfNeeded: $0) }.map(Float.init(bitPattern:)) ?? Float(text))
                    .map(Number.float)
            case .value: (bits.map(Double.init(bitPattern:)) ?? Double(text)).map(Number.value)
            case .counts: Int16(text).map(Number.count)
            }
        guard let number else {
            throw RecordingError("line \(lines): \"\(text.cut(toBytes: 40))\" is not a valid number")
        }
        return (Timestamp(unixNanoseconds: time), number)
    }

    /// The next line without its line break; nil after the last line.
    private mutating func line() throws(RecordingError) -> ArraySlice<UInt8>? {
        while true {
            if let end = block[blockPosition...].firstIndex(of: UInt8(ascii: "\n")) {
                var line = block[blockPosition..<end]
                blockPosition = end + 1
                lines += 1
                if line.last == UInt8(ascii: "\r") { line = line.dropLast() }
                return line
            }
            guard block.count - blockPosition <= Self.lineBytesMax else {
                throw RecordingError("line \(lines + 1) has more than \(Self.lineBytesMax) bytes: is it text?")
            }
            let more = try source.bytes(position, Self.blockBytes)
            if more.isEmpty {
                guard blockPosition < block.count else { return nil }
                throw RecordingError("the CSV ends within line \(lines + 1)")
            }
            position += more.count
            block = Array(block[blockPosition...]) + more
            blockPosition = 0
        }
    }
}
