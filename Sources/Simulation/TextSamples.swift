public import Sensors

/// Writes samples as CSV that keeps every bit.
///
/// Lines that begin with # say what holds for those below; `unix_ns,time,value,count` are the columns. `count` is the
/// converter's where there is one, and then `value` = offset + scale × count. Numbers are the shortest that give the same bits
/// again; a NaN other than the usual one shows its bits in brackets. A bare # begins another run (row of `measurement`)
/// where nothing else tells. The last line counts the samples, so that a file that was cut is known.
public struct TextSampleWriter: Sendable {
    /// The names of the columns.
    static let columns = "unix_ns,time,value,count"

    private let header: SampleFileHeader
    private var form: SampleForm?
    private var before: SampleRun?
    private var samples = 0
    private var clock = TextClock()

    /// For the samples of that channel.
    public init(_ header: SampleFileHeader) { self.header = header }

    /// What stands before the samples.
    public var head: [UInt8] { Array((header.lines.map { "# \($0)\n" }.joined() + "\(Self.columns)\n").utf8) }

    /// Adds a run.
    public mutating func append(_ run: SampleRun, to bytes: inout [UInt8]) {
        let form = SampleForm(run)
        if form != self.form {
            bytes += Array("# \(form.words.joined(separator: " "))\n".utf8)
        } else if form.kind != .value, let before,
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
        self.form = form
        before = run
    }

    /// The last line.
    public var tail: [UInt8] { Array("# end samples=\(samples)\n".utf8) }

    static func text(_ number: Float) -> String {
        if !number.isNaN || number.bitPattern == Float.nan.bitPattern { return "\(number)" }
        return "nan(\(String(number.bitPattern, radix: 16)))"
    }

    static func text(_ number: Double) -> String {
        if !number.isNaN || number.bitPattern == Double.nan.bitPattern { return "\(number)" }
        return "nan(\(String(number.bitPattern, radix: 16)))"
    }

    /// The bits in `nan(7fc00001)`; nil if it is nothing of the kind.
    static func bits(_ text: String) -> UInt64? {
        guard text.hasPrefix("nan("), text.hasSuffix(")") else { return nil }
        return UInt64(text.dropFirst(4).dropLast(), radix: 16)
    }
}

/// Writes times as `Timestamp.description` does; those of the same second share all but the fraction.
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

/// A run that is read line by line.
private struct RunBuilder {
    private let start: Timestamp
    private let form: SampleForm
    private var floats: [Float] = []
    private var counts: [Int16] = []
    private var value: Double?

    init(_ start: Timestamp, _ form: SampleForm, _ number: TextSampleReader.Number) {
        self.start = start
        self.form = form
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
            switch form.kind {
            case .floats: .floats(floats)
            case .counts: .counts(counts, scale: form.scale, offset: form.offset)
            case .value: .value(value ?? .nan)
            }
        return SampleRun(start: start, rate: form.rate, samples: samples)
    }

    func joins(_ next: Timestamp) -> Bool {
        form.kind != .value && Self.joins(start, form.rate, floats.count + counts.count, next)
    }

    /// Whether a sample at `next` belongs to a run of so many: it comes when the next one is due, in the same UTC minute.
    static func joins(_ start: Timestamp, _ rate: SampleRate?, _ count: Int, _ next: Timestamp) -> Bool {
        guard let rate, count < FrameLimits.samplesMax else { return false }
        let minute: Int64 = 60_000_000_000
        return start.advanced(byNanoseconds: rate.nanoseconds(toSample: Int64(count))) == next
            && start.unixNanoseconds / minute == next.unixNanoseconds / minute
    }
}

/// Reads what `TextSampleWriter` wrote.
public struct TextSampleReader {
    private static let blockBytes = 1 << 20
    private static let lineBytesMax = 4096

    /// Whose they are.
    public private(set) var header: SampleFileHeader
    private let source: ByteSource
    private var position = 0
    private var block: [UInt8] = []
    private var blockPosition = 0
    private var lines = 0
    private var form: SampleForm?
    private var samples = 0
    private var isEnded = false
    /// The first sample of the next run, which ended the one before.
    private var waiting: RunBuilder?

    /// A sample as a line has it.
    enum Number {
        case float(Float)
        case count(Int16)
        case value(Double)
    }

    /// Reads the header.
    /// - Throws: `RecordingError` with a sentence for people.
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
    /// - Throws: `RecordingError` with a sentence for people.
    mutating func next() throws(RecordingError) -> SampleRun? {
        var builder = waiting
        waiting = nil
        while let line = try line() {
            if line.first == UInt8(ascii: "#") {
                try readComment(String(decoding: line, as: UTF8.self))
                if let builder { return builder.run }
                continue
            }
            guard !isEnded else { throw RecordingError("line \(lines) comes after the end") }
            guard let form else { throw RecordingError("line \(lines) comes before # rate_hz=… form=…") }
            let (time, number) = try read(line, form.kind)
            samples += 1
            if builder?.joins(time) == true {
                builder?.append(number)
            } else if let builder {
                waiting = RunBuilder(time, form, number)
                return builder.run
            } else {
                builder = RunBuilder(time, form, number)
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
            do throws(RecordingError) { form = try SampleForm(words: words) } catch {
                throw RecordingError("line \(lines): \(error)")
            }
        }
    }

    private func read(
        _ line: ArraySlice<UInt8>, _ kind: SampleForm.Kind
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
            throw RecordingError("line \(lines): \"\(text.cut(toBytes: 40))\" is not a number that can be")
        }
        return (Timestamp(unixNanoseconds: time), number)
    }

    /// The next line without its end; nil after the last.
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
