import Model
import Testing
import Time

@testable import SampleFiles

/// What is written to CSV and WAV is read again, bit by bit.
@Suite struct SampleFileTests {
    private let header = SampleFileHeader(
        sensor: "lab-1", channel: "x, = % \n\"", quantity: "acceleration", unit: "m/s²")
    private static let hard: [Float] = [
        0, -0.0, 1, 0.1, .nan, -.nan, Float(bitPattern: 0x7F80_0001), .infinity, -.infinity, .leastNonzeroMagnitude,
        -.leastNonzeroMagnitude, .leastNormalMagnitude, .greatestFiniteMagnitude, 16_777_216, 1 / 3,
    ]

    private func run(_ nanoseconds: Int64, _ hertz: Double?, _ samples: Samples) throws -> SampleRun {
        let rate = try hertz.map { try #require(SampleRate(hertz: $0)) }
        return SampleRun(start: Timestamp(unixNanoseconds: nanoseconds), rate: rate, samples: samples)
    }

    private func csv(_ runs: [SampleRun]) -> [UInt8] {
        var writer = TextSampleWriter(header)
        var bytes = writer.head
        for run in runs { writer.append(run, to: &bytes) }
        return bytes + writer.tail
    }

    private func wave(_ runs: [SampleRun], isWide: Bool = false) throws -> [UInt8] {
        var writer = WaveSampleWriter(header, first: Array(runs.prefix(1)), isWide: isWide)
        let length = writer.head.count
        var (samples, table): ([UInt8], [UInt8]) = ([], [])
        for run in runs { try writer.append(run, samples: &samples, table: &table) }
        #expect(writer.head.count == length)
        return writer.head + samples + writer.tail + table
    }

    private func read(_ bytes: [UInt8], start: Timestamp? = nil) throws -> [SampleRun] {
        let source = ByteSource(count: bytes.count) { range throws(RecordingError) in
            // At the end of a file nothing can be read, not even nothing.
            if range.isEmpty { throw .unreadable }
            return Array(bytes[range])
        }
        var reader = try SampleFileReader(source, start: start)
        if start == nil { #expect(reader.header == header) }
        var runs: [SampleRun] = []
        while let run = try reader.next() { runs.append(run) }
        return runs
    }

    /// Every bit of runs, and when each sample was taken: what `==` says of NaN is no help.
    private func bits(_ runs: [SampleRun]) -> [String] {
        runs.flatMap { run in
            let format = SampleFormat(run)
            return (0..<run.samples.count).map { index in
                let sample: UInt64 =
                    switch run.samples {
                    case .floats(let floats): UInt64(floats[index].bitPattern)
                    case .counts(let counts, _, _): UInt64(bitPattern: Int64(counts[index]))
                    case .value(let value): value.bitPattern
                    }
                let isFirst = index == 0 ? "first" : ""
                return "\(isFirst) \(run.time(of: index)) \(format.words) \(String(sample, radix: 16))"
            }
        }
    }

    private func expectSame(_ runs: [SampleRun], wave isWave: Bool = true) throws {
        #expect(bits(try read(csv(runs))) == bits(runs))
        if isWave { #expect(bits(try read(wave(runs))) == bits(runs)) }
    }

    @Test(arguments: [48_000, 1000, 7.3, 1])
    func floatsKeepEveryBitAndEveryNanosecond(_ hertz: Double) throws {
        let start: Int64 = 1_795_256_400_123_456_789
        let first = try run(start, hertz, .floats(Self.hard))
        // One that follows to the nanosecond, one with jitter, one after a gap, one that overlaps.
        let second = try run(first.time(of: Self.hard.count).unixNanoseconds, hertz, .floats(Self.hard.reversed()))
        let third = try run(second.time(of: Self.hard.count).unixNanoseconds + 1, hertz, .floats(Self.hard))
        let fourth = try run(third.last.unixNanoseconds + 3_600_000_000_001, hertz, .floats([1]))
        let fifth = try run(fourth.start.unixNanoseconds, hertz, .floats([2, 3]))
        try expectSame([first, second, third, fourth, fifth])
    }

    /// In a minute's table rows end at its borders; a run that does not is cut there, and no time moves.
    @Test func longRunsAreCutAtMinutes() throws {
        let long = try run(1_795_256_424_123_456_789, 7.3, .floats((0..<2000).map { Float($0) }))
        let text = try read(csv([long]))
        #expect(
            text.count > 4
                && text.allSatisfy {
                    $0.start.unixNanoseconds / 60_000_000_000 == $0.last.unixNanoseconds / 60_000_000_000
                })
        #expect(bits(text).map { $0.drop { $0 != " " } } == bits([long]).map { $0.drop { $0 != " " } })
    }

    @Test func countsKeepScaleAndOffset() throws {
        let counts: [Int16] = [.min, -1, 0, 1, .max]
        for (scale, offset) in [(1.0 / 32_768, 0.0), (0.1, -1e9), (-1e-12, 1e6), (Double.leastNonzeroMagnitude, -0.0)] {
            try expectSame([
                try run(-5, 7.3, .counts(counts, scale: scale, offset: offset)),
                try run(7, 7.3, .counts(Array(repeating: 3, count: 300), scale: scale, offset: offset)),
            ])
        }
    }

    @Test func valuesKeepDoublePrecision() throws {
        let hard: [Double] = [
            0.1, -0.0, .nan, Double(bitPattern: 0x7FF0_0000_0000_0001), .infinity, -.infinity, .leastNonzeroMagnitude,
            .greatestFiniteMagnitude, 1e300 / 3,
        ]
        let runs = try hard.enumerated().map { try run(Int64($0) * 1_000_000_000, 1, .value($1)) }
        try expectSame(runs)
        try expectSame(try hard.enumerated().map { try run(Int64($0) * 7, nil, .value($1)) })
    }

    /// A frame of a single sample is a value among floats or counts.
    @Test func valuesAmongOthers() throws {
        try expectSame([
            try run(0, 10, .floats([1, 2])), try run(200_000_000, 10, .value(Double(Float(0.1)))),
            try run(300_000_000, 10, .floats([3])), try run(300_000_001, nil, .value(0.5)),
        ])
        let (scale, offset) = (0.001, 4.5)
        try expectSame(
            [
                try run(0, 10, .value(offset + scale * 77)),
                try run(1, 10, .counts([1, 2], scale: scale, offset: offset)),
            ].reversed())
    }

    @Test func csvTakesWhatOneWaveCannot() throws {
        let base = try run(0, 10, .floats([1, 2]))
        for (other, why) in [
            (try run(9, 11, .floats([1])), "rate changes from 10.0 Hz to 11.0 Hz"),
            (try run(9, 10, .counts([1], scale: 1, offset: 0)), "change from floats to counts"),
            (try run(9, 10, .value(0.1)), "no 32-bit float"),
        ] {
            try expectSame([base, other, base], wave: false)
            let error = #expect(throws: RecordingError.self) { try wave([base, other]) }
            #expect(error?.description.contains(why) == true && error?.description.contains("CSV") == true)
        }
        // With 64 bits it can.
        let mixed = [base, try run(9, 10, .value(0.1)), try run(900, 10, .floats([.infinity, .nan, -0.0]))]
        #expect(try bits(read(wave(mixed, isWide: true))) == bits(mixed))
        let odd = try run(9, 10, .floats([Float(bitPattern: 0x7F80_0001)]))
        #expect(throws: RecordingError.self) { try wave([base, odd], isWide: true) }
        let counts = try run(0, 10, .counts([1], scale: 1, offset: 0))
        #expect(throws: RecordingError.self) { try wave([counts, try run(9, 10, .counts([1], scale: 2, offset: 0))]) }
        #expect(throws: RecordingError.self) { try wave([counts, try run(9, 10, .value(0.5))]) }
    }

    /// A player finds a plain WAV file, with a whole rate.
    @Test func playersReadTheWave() throws {
        let floats = try Recording(bytes: wave([try run(1, 7.3, .floats([0.5, -0.5, 1]))]))
        #expect(floats.rate.hertz == 7 && floats.length == 3 && !floats.isCounts)
        let counts = try Recording(bytes: wave([try run(1, 48_000, .counts([1, 2, 3], scale: 5, offset: 6))]))
        #expect(counts.rate.hertz == 48_000 && counts.isCounts)
        #expect(try Recording(bytes: wave([try run(1, 0.01, .value(0.1))])).rate.hertz == 1)
    }

    @Test func wavesOfOthersNeedAStart() throws {
        var bytes = try wave([try run(1, 8000, .counts((0..<10_000).map { Int16($0 % 100) }, scale: 1, offset: 0))])
        let name = try #require(bytes.indices.first { bytes[$0...].starts(with: "iotc".utf8) })
        bytes[name] = UInt8(ascii: "x")
        let error = #expect(throws: RecordingError.self) { try read(bytes) }
        #expect(error?.description.contains("--start") == true)
        let runs = try read(bytes, start: Timestamp(unixNanoseconds: 55))
        #expect(runs.map(\.samples.count) == [4096, 4096, 1808])
        #expect(runs[1].start.unixNanoseconds == 55 + 512_000_000 && runs[1].rate?.hertz == 8000)
        guard case .counts(let counts, let scale, 0) = runs[2].samples else { throw RecordingError("no counts") }
        #expect(counts.last == 99 && scale == 1.0 / 32_768)
    }

    /// A file that was cut anywhere, or has a byte that is none of it, is no shorter recording.
    @Test func cutFilesAreKnown() throws {
        let runs = [try run(1, 10, .floats([1, 2, 3])), try run(900_000_000, 10, .floats([4]))]
        for bytes in [csv(runs), try wave(runs)] {
            for length in 0..<bytes.count {
                #expect(throws: RecordingError.self, "\(length)") { try read(Array(bytes.prefix(length))) }
            }
        }
        let text = String(decoding: csv(runs), as: UTF8.self)
        for (word, other) in [
            ("form=floats", "form=counts"), ("form=floats", "form=values"), ("rate_hz=10.0", "rate_hz=0"),
            (",3.0,", ",x,"), ("samples=4", "samples=5"), (",2.0,", ",2.0"), ("iotctl export 1", "iotctl export 2"),
        ] {
            #expect(throws: RecordingError.self, "\(other)") { try read(Array(text.replacing(word, with: other).utf8)) }
        }
        for text in ["", "hello", "a,b\n1,2\n", String(repeating: "x", count: 100_000)] {
            let error = #expect(throws: RecordingError.self) { try read(Array(text.utf8)) }
            #expect(error?.description.hasPrefix("neither WAV nor CSV") == true)
        }
        // With Windows' line ends it is still whole.
        #expect(bits(try read(Array(text.replacing("\n", with: "\r\n").utf8))) == bits(runs))
    }

    @Test func aPartOfARunKeepsItsTimes() throws {
        for hertz in [48_000, 7.3, 3] {
            let whole = try run(1_795_256_424_999_999_999, hertz, .floats((0..<5000).map { Float($0) }))
            let (lower, upper) = (whole.time(of: 1234), whole.time(of: 4321))
            let parts = whole.within(lower..<upper)
            let times = parts.flatMap { part in (0..<part.samples.count).map { part.time(of: $0) } }
            #expect(times == (1234..<4321).map { whole.time(of: $0) })
            #expect(
                parts.flatMap { part in (0..<part.samples.count).map { part.samples[$0] } }
                    == (1234..<4321).map { Double($0) })
            #expect(whole.within(whole.start..<whole.last).reduce(0) { $0 + $1.samples.count } == 4999)
            #expect(whole.within(whole.last.advanced(byNanoseconds: 1)..<Timestamp(unixNanoseconds: .max)).isEmpty)
        }
    }

    @Test func aSurveyCountsGaps() throws {
        var survey = SampleSurvey()
        for run in [
            try run(0, 10, .floats([1, 2])), try run(200_000_000, 10, .floats([3])),
            try run(1_200_000_000, 10, .floats([3])), try run(1_200_000_001, nil, .value(1)),
        ] { survey.add(run) }
        #expect(survey.samples == 5 && survey.runs == 4 && survey.gaps == 1 && survey.gapNanoseconds == 1_000_000_000)
        #expect(survey.first?.unixNanoseconds == 0 && survey.last?.unixNanoseconds == 1_200_000_001)
    }

    @Test func digestsTellContents() throws {
        func boot(_ name: String, _ runs: [SampleRun]) -> Int64 {
            var digest = SampleDigest()
            digest.add(name)
            for run in runs { digest.add(run) }
            return digest.boot
        }
        let runs = [try run(1, 10, .floats([1, 2])), try run(1, 10, .counts([1, 2], scale: 1, offset: 0))]
        let boots = [
            boot("x", runs), boot("y", runs), boot("x", runs.reversed()), boot("x", [runs[0]]),
            boot("x", [try run(2, 10, .floats([1, 2])), runs[1]]),
            boot("x", [try run(1, 11, .floats([1, 2])), runs[1]]),
            boot("x", [runs[0], try run(1, 10, .counts([1, 2], scale: 2, offset: 0))]),
        ]
        #expect(Set(boots).count == boots.count && boots.allSatisfy { (0..<1_000_000_000_000).contains($0) })
        #expect(boot("x", runs) == boots[0])
    }
}
