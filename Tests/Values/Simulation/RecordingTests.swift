import Model
import SampleFiles
import Simulation
import Testing
import Time

@Suite struct RecordingTests {
    private func word(_ value: Int, bytes: Int) -> [UInt8] {
        (0..<bytes).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }

    private func chunk(_ name: String, _ body: [UInt8]) -> [UInt8] {
        Array(name.utf8) + word(body.count, bytes: 4) + body + (body.count % 2 == 1 ? [0] : [])
    }

    private func format(tag: Int = 1, channels: Int, bits: Int, hertz: Int = 48_000) -> [UInt8] {
        let instant = channels * bits / 8
        return word(tag, bytes: 2) + word(channels, bytes: 2) + word(hertz, bytes: 4) + word(hertz * instant, bytes: 4)
            + word(instant, bytes: 2) + word(bits, bytes: 2)
    }

    private func wave(_ format: [UInt8], data: [UInt8], extra: [UInt8] = []) -> [UInt8] {
        let body = Array("WAVE".utf8) + chunk("fmt ", format) + extra + chunk("data", data)
        return Array("RIFF".utf8) + word(body.count, bytes: 4) + body
    }

    private func play(_ recording: Recording, seconds: Double) throws -> [Frame] {
        let serial = try #require(SerialNumber("tape"))
        var tape = VirtualSensor(
            configuration: SensorConfiguration(serial: serial, source: .recording(recording), seed: 1), boot: 1,
            start: origin, library: sharedLibrary)
        return tape.flush(at: after(seconds))
    }

    /// As Debian's /usr/share/sounds/alsa/Front_Center.wav begins: 48 kHz, 16 bits, one channel.
    @Test func alsaSpeech() throws {
        let counts = (0..<1000).map { ($0 * 37) % 65_536 - 32_768 }
        let bytes = wave(format(channels: 1, bits: 16), data: counts.flatMap { word($0, bytes: 2) })
        let recording = try Recording(bytes: bytes)
        #expect(recording.rate.hertz == 48_000 && recording.length == 1000 && recording.isCounts)
        #expect(recording.channels.map(\.name) == ["audio"])
        let frames = try play(recording, seconds: 0.05)
        #expect(frames.count == 1 && frames[0].length == 2401)
        guard case .counts(let played, 1.0 / 32_768, 0) = frames[0].blocks[0].samples else {
            Issue.record("not counts of 1/32768")
            return
        }
        #expect(played == (0..<2401).map { Int16(counts[$0 % 1000]) }, "replayed in a loop")
    }

    @Test func stereoKeepsItsSidesApart() throws {
        let data = (0..<10).flatMap { word($0, bytes: 2) + word(-$0, bytes: 2) }
        let recording = try Recording(
            wave: wave(format(channels: 2, bits: 16), data: data, extra: chunk("LIST", [1, 2, 3])))
        #expect(recording.channels.map(\.name) == ["left", "right"] && recording.length == 10)
        let frame = try #require(play(recording, seconds: 0.0001).first)
        #expect(frame.blocks[1].samples[3] == -3.0 / 32_768)
    }

    @Test(arguments: [
        (8, [255, 0, 128]), (24, [0x7F_FFFF, -0x80_0000, 0]), (32, [0x7FFF_FFFF, -0x8000_0000, 0]),
    ])
    func otherWidthsAreScaledToOne(bits: Int, values: [Int]) throws {
        let data = values.flatMap { word($0, bytes: bits / 8) }
        let recording = try Recording(wave: wave(format(channels: 1, bits: bits), data: data))
        let samples = try play(recording, seconds: 2.0 / 48_000).samples(channel: 0)
        #expect(abs(samples[0] - 1) < 0.01 && samples[1] == -1 && samples[2] == 0)
    }

    @Test func floatsAndExtensibleFormats() throws {
        let values: [Float] = [0.25, -1.5, 3]
        let data = values.flatMap { word(Int($0.bitPattern), bytes: 4) }
        let extensible =
            format(tag: 0xFFFE, channels: 1, bits: 32) + word(22, bytes: 2) + word(0, bytes: 6)
            + word(3, bytes: 2) + word(0, bytes: 14)
        for header in [format(tag: 3, channels: 1, bits: 32), extensible] {
            let recording = try Recording(wave: wave(header, data: data))
            #expect(try play(recording, seconds: 2.0 / 48_000).samples(channel: 0) == values.map { Double($0) })
        }
    }

    @Test func streamedFilesEndWhereTheyEnd() throws {
        var bytes = wave(format(channels: 1, bits: 16), data: [1, 0, 2, 0])
        bytes.replaceSubrange(40..<44, with: [255, 255, 255, 255])
        #expect(try Recording(wave: bytes + [3]).length == 2)
    }

    @Test func brokenFilesAreExplained() throws {
        func sentence(_ bytes: [UInt8]) -> String {
            do throws(RecordingError) {
                _ = try Recording(bytes: bytes)
                return "no error"
            } catch { return error.description }
        }
        let sound = wave(format(channels: 1, bits: 16), data: [1, 0, 2, 0])
        #expect(sentence(sound) == "no error")
        #expect(sentence(Array("RIFFxxxxAVI ".utf8)).contains("does not begin with RIFF"))
        #expect(sentence(Array(sound.dropLast())).contains("says 4 bytes of samples and has 3"))
        #expect(sentence(wave(format(channels: 0, bits: 16), data: [])).contains("0 channels"))
        #expect(sentence(wave(format(channels: 1, bits: 12), data: [])).contains("12 bits"))
        #expect(sentence(wave(format(tag: 85, channels: 1, bits: 16), data: [])).contains("format 85"))
        #expect(sentence(wave(format(channels: 1, bits: 16, hertz: 0), data: [1, 0])).contains("0 samples a second"))
        #expect(sentence(wave(format(channels: 1, bits: 16), data: [])).contains("no samples"))
        #expect(sentence(wave(format(channels: 1, bits: 16), data: [1])).contains("within a sample"))
        #expect(sentence(Array(sound.prefix(36))).contains("no samples"))
        #expect(sentence([]).contains("no columns"))
        #expect(sentence(Array("a,b\n1,2\n".utf8)).contains("no time column"))
    }

    @Test func commaSeparatedWithSeconds() throws {
        let text = "\u{FEFF}time,x [m/s²],\"speed, mean (m/s)\"\r\n0.0,1,2\r\n0.001,1.5,nan\r\n0.002,,-3e2\r\n\r\n"
        let recording = try Recording(bytes: Array(text.utf8))
        #expect(recording.rate.hertz == 1000 && recording.length == 3)
        #expect(recording.channels.map(\.name) == ["x", "speed, mean"])
        #expect(recording.channels.map(\.unit) == ["m/s²", "m/s"])
        let frames = try play(recording, seconds: 0.002)
        #expect(frames[0].blocks[0].samples[1] == 1.5 && frames[0].blocks[0].samples[2].isNaN)
        #expect(frames[0].blocks[1].samples[1].isNaN && frames[0].blocks[1].samples[2] == -300)
    }

    @Test(arguments: [
        ("time", "2026-01-02T03:04:05.000Z", "2026-01-02T03:04:05.020Z", 50),
        ("Timestamp", "2026-01-02 03:04:59", "2026-01-02 03:05:59", 1.0 / 60),
        ("time", "2026-01-02T23:59:59+01:00", "2026-01-02T23:00:00Z", 1),
        ("time", "1790000000000000000", "1790000000000020833", 48_000), ("t", "1790000000.5", "1790000001", 2),
        ("t", "1790000000500", "1790000001000", 2), ("timestamp", "1790000000500000", "1790000001000000", 2),
        ("time_ns", "0", "1000000", 1000), ("t (us)", "-500", "500", 1000), ("time_ms", "0.5", "1.5", 1000),
        ("t", "-0.25", "0.25", 2), ("t", ".5", "1e0", 2),
    ])
    func timesInManySpellings(heading: String, first: String, second: String, hertz: Double) throws {
        let recording = try Recording(csv: Array("\(heading);value\n\(first);1\n\(second);2\n".utf8))
        #expect(abs(recording.rate.hertz / hertz - 1) < 1e-4, "\(recording.rate)")
        #expect(recording.channels.map(\.name) == ["value"])
    }

    @Test(arguments: [
        ("time,a\n1,2\n1,3\n", "line 3 of the CSV is not later"),
        ("time,a\nx,2\n", "line 2 of the CSV: \"x\" is not a time"),
        ("time,a\n1,zwei\n", "\"zwei\" in column a is not a number"), ("time,a\n1,2,3\n", "has 3 cells, not 2"),
        ("time\n1\n", "0 columns"), ("a,b\n", "no line of numbers"), ("1,2\n3,4\n", "must name every column"),
        ("", "no columns"), ("time,a\n1,2\n", "no rate was given"), ("time,a\n0,1\n9e9,2\n", "give no sample rate"),
    ])
    func brokenTablesAreExplained(text: String, sentence: String) {
        #expect {
            try Recording(csv: Array(text.utf8))
        } throws: { error in
            ((error as? RecordingError)?.description.contains(sentence)) == true
        }
    }

    @Test func theGivenRateWins() throws {
        let text = Array("time,a\n0,1\n1,2\n".utf8)
        #expect(try Recording(csv: text, rate: rate(7)).rate.hertz == 7)
        #expect(try Recording(csv: Array("a\n0.123456789012\n".utf8), rate: rate(1)).length == 1)
        let single = try Recording(csv: Array("a\n0.123456789012\n".utf8), rate: rate(1))
        let played = try play(single, seconds: 1).map { $0.blocks[0].samples }
        #expect(played == [.value(0.123456789012), .value(0.123456789012)])
    }

    /// Random, truncated and flipped bytes give a recording or a `RecordingError`, never a trap.
    @Test(arguments: 1...4)
    func fuzz(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let data = (0..<64).flatMap { word($0 * 999, bytes: 2) }
        let samples: [[UInt8]] = [
            wave(format(channels: 2, bits: 16), data: data, extra: chunk("LIST", [1, 2, 3])),
            wave(format(tag: 3, channels: 1, bits: 32), data: data), Array("RIFF    WAVEfmt ".utf8),
            Array("time,x,\"y\"\n0,1,2\n0.1,nan,4\n2026-01-02T03:04:05Z,5,6\n".utf8), Array("a;b\n1;2\n3;4\n".utf8),
            [],
        ]
        for _ in 0..<2000 {
            var bytes = samples[Int(random.next() % 6)]
            for _ in 0..<random.next() % 6 where !bytes.isEmpty {
                bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next())
            }
            if random.next() % 3 == 0 { bytes.removeLast(Int(random.next() % UInt64(bytes.count + 1))) }
            if random.next() % 3 == 0 { bytes += (0..<random.next() % 50).map { _ in UInt8(random.next() % 256) } }
            do {
                let recording = try Recording(bytes: bytes, rate: random.next() % 2 == 0 ? rate(10) : nil)
                #expect(recording.length > 0 && !recording.channels.isEmpty)
            } catch { #expect((error as? RecordingError)?.description.isEmpty == false) }
        }
    }
}
