internal import Model

extension Recording {
    /// Reads a RIFF WAVE or RF64 file: PCM of 8, 16, 24 or 32 bits, floats of 32 or 64 bits, 1…64 channels.
    ///
    /// 16-bit samples remain counts with scale 1/32768; the other PCM samples become floats of -1…1.
    /// - Throws: `RecordingError` if the bytes are not such a file.
    public init(wave bytes: [UInt8]) throws(RecordingError) {
        let layout = try WaveLayout(ByteSource(bytes))
        let format = layout.format
        let channels = (0..<format.channels).map { number in
            Announcement.Channel(
                number: Int16(number), name: format.name(of: number), quantity: "amplitude", unit: "1")
        }
        let columns = (0..<format.channels).map { format.column($0, of: bytes[layout.data]) }
        try self.init(channels: channels, rate: format.rate, columns: columns)
    }
}

/// Bytes of a file or of an array that are read on demand.
public struct ByteSource {
    /// The number of bytes.
    public let count: Int
    private let read: (Range<Int>) throws(RecordingError) -> [UInt8]

    /// - Parameter read: returns the bytes of a range that lies within `count` and is not empty.
    public init(count: Int, read: @escaping (Range<Int>) throws(RecordingError) -> [UInt8]) {
        self.count = count
        self.read = read
    }

    /// A source for the bytes of an array.
    public init(_ bytes: [UInt8]) {
        self.init(count: bytes.count) { range throws(RecordingError) in Array(bytes[range]) }
    }

    /// The bytes of a range, truncated at the end of the source.
    func bytes(_ start: Int, _ length: Int) throws(RecordingError) -> [UInt8] {
        let start = min(start, count)
        let length = min(length, count - start)
        return length == 0 ? [] : try read(start..<start + length)
    }
}

/// The positions of the chunks in a WAVE file.
struct WaveLayout {
    /// The format of the samples.
    let format: WaveFormat
    /// The position of the samples: a whole number of instants.
    let data: Range<Int>
    /// The positions of the other complete chunks, by name; of several with the same name the first.
    let chunks: [String: Range<Int>]

    /// Finds the chunks.
    /// - Throws: `RecordingError` if the file is not a complete WAVE file.
    init(_ source: ByteSource) throws(RecordingError) {
        let head = try source.bytes(0, 12)
        guard head.count == 12, head.starts(with: "RIFF".utf8) || head.starts(with: "RF64".utf8),
            head[8..<12].elementsEqual("WAVE".utf8)
        else { throw RecordingError("not a WAV file: it does not begin with RIFF … WAVE") }
        var format: WaveFormat?
        var data: Range<Int>?
        var chunks: [String: Range<Int>] = [:]
        var longSize: Int?  // of RF64, whose sizes may exceed 32 bits
        var position = 12
        while position + 8 <= source.count {
            let name = String(decoding: try source.bytes(position, 4), as: UTF8.self)
            var size = Int(try source.bytes(position + 4, 4).littleEndian32(at: 0))
            let body = position + 8
            if name == "data", data == nil {
                guard let format else { throw RecordingError("not a WAV file: samples before their format") }
                if size == 0xFFFF_FFFF, let longSize { size = longSize }
                let range = try format.samples(at: body, size: size, fileBytes: source.count)
                data = range
                size = size == 0xFFFF_FFFF ? source.count - body : size
            } else if size > source.count - body {
                // Chunks after the samples are not needed to play them.
                if data != nil { break }
                throw RecordingError("the WAV file ends within its chunk at byte \(position)")
            } else if name == "fmt " {
                format = try WaveFormat(bytes: source.bytes(body, size), size: size)
            } else if name == "ds64", size >= 24 {
                let bytes = try source.bytes(body + 8, 8)
                longSize = Int(bytes.littleEndian32(at: 0)) | Int(bytes.littleEndian32(at: 4) & 0x7FFF_FFFF) << 32
            } else {
                chunks[name] = chunks[name] ?? body..<body + size
            }
            position = body + size + size % 2
        }
        guard let format, let data else {
            throw RecordingError("the WAV file has no \(format == nil ? "format" : "samples")")
        }
        (self.format, self.data, self.chunks) = (format, data, chunks)
    }
}

/// The content of the `fmt ` chunk of a WAVE file.
struct WaveFormat {
    /// The encoding of a sample.
    enum Coding {
        case unsigned8
        case signed16
        case signed24
        case signed32
        case float32
        case float64
    }

    var coding: Coding
    var channels: Int
    var rate: SampleRate
    var sampleBytes: Int

    var frameBytes: Int { channels * sampleBytes }

    func samples(at body: Int, size: Int, fileBytes: Int) throws(RecordingError) -> Range<Int> {
        let isStreamed = size == 0xFFFF_FFFF  // written by a program that could not seek back
        let length = isStreamed ? fileBytes - body : size
        guard length <= fileBytes - body else {
            throw RecordingError("the WAV file says \(size) bytes of samples and has \(fileBytes - body)")
        }
        guard isStreamed || length % frameBytes == 0 else {
            throw RecordingError("the WAV file ends within a sample: \(length) bytes, \(frameBytes) for each instant")
        }
        return body..<body + length / frameBytes * frameBytes
    }

    init(bytes: [UInt8], size: Int) throws(RecordingError) {
        guard size >= 16 else { throw RecordingError("the WAV file's format chunk has \(size) bytes, not 16 or more") }
        var tag = bytes.littleEndian16(at: 0)
        if tag == 0xFFFE, size >= 26 { tag = bytes.littleEndian16(at: 24) }
        let bits = bytes.littleEndian16(at: 14)
        switch (tag, bits) {
        case (1, 8): (coding, sampleBytes) = (.unsigned8, 1)
        case (1, 16): (coding, sampleBytes) = (.signed16, 2)
        case (1, 24): (coding, sampleBytes) = (.signed24, 3)
        case (1, 32): (coding, sampleBytes) = (.signed32, 4)
        case (3, 32): (coding, sampleBytes) = (.float32, 4)
        case (3, 64): (coding, sampleBytes) = (.float64, 8)
        default:
            throw RecordingError("WAV format \(tag) with \(bits) bits is not one of PCM 8/16/24/32 and float 32/64")
        }
        channels = Int(bytes.littleEndian16(at: 2))
        guard (1...FrameLimits.blocksMax).contains(channels) else {
            throw RecordingError("the WAV file has \(channels) channels, not 1…\(FrameLimits.blocksMax)")
        }
        let hertz = bytes.littleEndian32(at: 4)
        guard let rate = SampleRate(hertz: Double(hertz)) else {
            throw RecordingError("the WAV file has \(hertz) samples a second")
        }
        self.rate = rate
        let declared = Int(bytes.littleEndian16(at: 12))
        guard declared == channels * sampleBytes else {
            throw RecordingError("the WAV file has \(declared) bytes an instant, not \(channels * sampleBytes)")
        }
    }

    func name(of channel: Int) -> String {
        switch channels {
        case 1: "audio"
        case 2: channel == 0 ? "left" : "right"
        default: "audio\(channel + 1)"
        }
    }

    /// The samples of one channel.
    /// - Parameter bytes: a whole number of instants.
    func column(_ channel: Int, of bytes: ArraySlice<UInt8>) -> RecordedColumn {
        let positions = stride(from: bytes.startIndex + channel * sampleBytes, to: bytes.endIndex, by: frameBytes)
        switch coding {
        case .unsigned8:
            return .floats(positions.map { (Float(bytes[$0]) - 128) / 128 })
        case .signed16:
            return .counts(
                positions.map { Int16(bitPattern: bytes.littleEndian16(at: $0)) }, scale: 1.0 / 32_768)
        case .signed24:
            return .floats(
                positions.map {
                    let low = UInt32(bytes.littleEndian16(at: $0)) << 8
                    return Float(Int32(bitPattern: low | UInt32(bytes[$0 + 2]) << 24) >> 8) / 8_388_608
                })
        case .signed32:
            return .floats(positions.map { Float(Int32(bitPattern: bytes.littleEndian32(at: $0))) / 2_147_483_648 })
        case .float32:
            return .floats(positions.map { Float(bitPattern: bytes.littleEndian32(at: $0)) })
        case .float64:
            return .doubles(positions.map { Double(bitPattern: bytes.littleEndian64(at: $0)) })
        }
    }
}

extension RandomAccessCollection<UInt8> where Index == Int {
    /// The two bytes at `index`, which must exist.
    func littleEndian16(at index: Int) -> UInt16 { UInt16(self[index]) | UInt16(self[index + 1]) << 8 }

    /// The four bytes at `index`, which must exist.
    func littleEndian32(at index: Int) -> UInt32 {
        UInt32(littleEndian16(at: index)) | UInt32(littleEndian16(at: index + 2)) << 16
    }

    /// The eight bytes at `index`, which must exist.
    func littleEndian64(at index: Int) -> UInt64 {
        UInt64(littleEndian32(at: index)) | UInt64(littleEndian32(at: index + 4)) << 32
    }
}
