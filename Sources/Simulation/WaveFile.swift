internal import Sensors

extension Recording {
    /// Reads a RIFF WAVE file: PCM of 8, 16, 24 or 32 bits or 32-bit floats, 1…64 channels.
    ///
    /// 16-bit samples stay counts with scale 1/32768; the others become floats of -1…1.
    /// - Throws: `RecordingError` with a sentence for people.
    public init(wave bytes: [UInt8]) throws(RecordingError) {
        let (format, data) = try WaveFormat.chunks(of: bytes)
        let channels = (0..<format.channels).map { number in
            Announcement.Channel(
                number: Int16(number), name: format.name(of: number), quantity: "amplitude", unit: "1")
        }
        let columns = (0..<format.channels).map { format.column($0, of: bytes, in: data) }
        try self.init(channels: channels, rate: format.rate, columns: columns)
    }
}

/// What the `fmt ` chunk of a WAVE file says.
private struct WaveFormat {
    /// How a sample is written.
    enum Coding {
        case unsigned8
        case signed16
        case signed24
        case signed32
        case float32
    }

    var coding: Coding
    var channels: Int
    var rate: SampleRate
    var sampleBytes: Int

    var frameBytes: Int { channels * sampleBytes }

    /// Finds the format and the range of the samples, which is a whole number of frames.
    static func chunks(of bytes: [UInt8]) throws(RecordingError) -> (WaveFormat, Range<Int>) {
        guard bytes.count >= 12, bytes.starts(with: Array("RIFF".utf8)), bytes[8..<12].elementsEqual("WAVE".utf8) else {
            throw RecordingError("not a WAV file: it does not begin with RIFF … WAVE")
        }
        var format: WaveFormat?
        var position = 12
        while position + 8 <= bytes.count {
            let name = bytes[position..<position + 4]
            let size = Int(bytes.littleEndian32(at: position + 4))
            let body = position + 8
            if name.elementsEqual("data".utf8) {
                guard let format else { throw RecordingError("not a WAV file: samples before their format") }
                return (format, try format.samples(at: body, size: size, fileBytes: bytes.count))
            }
            guard size <= bytes.count - body else {
                throw RecordingError("the WAV file ends within its chunk at byte \(position)")
            }
            if name.elementsEqual("fmt ".utf8) { format = try WaveFormat(bytes: bytes, at: body, size: size) }
            position = body + size + size % 2
        }
        throw RecordingError("the WAV file has no \(format == nil ? "format" : "samples")")
    }

    private func samples(at body: Int, size: Int, fileBytes: Int) throws(RecordingError) -> Range<Int> {
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

    private init(bytes: [UInt8], at body: Int, size: Int) throws(RecordingError) {
        guard size >= 16 else { throw RecordingError("the WAV file's format chunk has \(size) bytes, not 16 or more") }
        var tag = bytes.littleEndian16(at: body)
        if tag == 0xFFFE, size >= 26 { tag = bytes.littleEndian16(at: body + 24) }
        let bits = bytes.littleEndian16(at: body + 14)
        switch (tag, bits) {
        case (1, 8): (coding, sampleBytes) = (.unsigned8, 1)
        case (1, 16): (coding, sampleBytes) = (.signed16, 2)
        case (1, 24): (coding, sampleBytes) = (.signed24, 3)
        case (1, 32): (coding, sampleBytes) = (.signed32, 4)
        case (3, 32): (coding, sampleBytes) = (.float32, 4)
        default: throw RecordingError("WAV format \(tag) with \(bits) bits is not one of PCM 8/16/24/32 and float 32")
        }
        channels = Int(bytes.littleEndian16(at: body + 2))
        guard (1...FrameLimits.blocksMax).contains(channels) else {
            throw RecordingError("the WAV file has \(channels) channels, not 1…\(FrameLimits.blocksMax)")
        }
        let hertz = bytes.littleEndian32(at: body + 4)
        guard let rate = SampleRate(hertz: Double(hertz)) else {
            throw RecordingError("the WAV file has \(hertz) samples a second")
        }
        self.rate = rate
        let declared = Int(bytes.littleEndian16(at: body + 12))
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

    func column(_ channel: Int, of bytes: [UInt8], in data: Range<Int>) -> RecordedColumn {
        let positions = stride(from: data.lowerBound + channel * sampleBytes, to: data.upperBound, by: frameBytes)
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
        }
    }
}

extension [UInt8] {
    /// The two bytes at `index`, which must exist.
    fileprivate func littleEndian16(at index: Int) -> UInt16 { UInt16(self[index]) | UInt16(self[index + 1]) << 8 }

    /// The four bytes at `index`, which must exist.
    fileprivate func littleEndian32(at index: Int) -> UInt32 {
        UInt32(littleEndian16(at: index)) | UInt32(littleEndian16(at: index + 2)) << 16
    }
}
