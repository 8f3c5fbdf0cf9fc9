import Foundation
import Model
import Testing

@testable import Simulation

@Suite struct SignalTests {
    private func rms(_ samples: [Double]) -> Double {
        (samples.reduce(0) { $0 + $1 * $1 } / Double(samples.count)).squareRoot()
    }

    /// The amplitude of the component at `hertz`, by Goertzel's recurrence.
    private func amplitude(_ samples: [Double], hertz: Double, rate: Double) -> Double {
        let angle = 2 * Double.pi * hertz / rate
        let factor = 2 * cos(angle)
        var (last, beforeLast) = (0.0, 0.0)
        for sample in samples { (last, beforeLast) = (sample + factor * last - beforeLast, last) }
        let power = last * last + beforeLast * beforeLast - factor * last * beforeLast
        return 2 * power.squareRoot() / Double(samples.count)
    }

    /// The frequency of the strongest component among `candidates`.
    private func peak(_ samples: [Double], _ candidates: StrideThrough<Double>, rate: Double) -> Double? {
        candidates.map { ($0, amplitude(samples, hertz: $0, rate: rate)) }.max { $0.1 < $1.1 }?.0
    }

    @Test(arguments: SampleEncoding.allCases)
    func vibrationLooksLikeAMachine(encoding: SampleEncoding) throws {
        var machine = try sensor(.vibration, hertz: 5000, encoding: encoding)
        let frames = machine.frames(until: after(1))
        for channel in 0..<3 {
            let samples = frames.samples(channel: channel)
            #expect((0.4...3).contains(rms(samples)), "channel \(channel): \(rms(samples)) m/s²")
            #expect(peak(samples, stride(from: 5, through: 200, by: 5), rate: 5000) == 25)
        }
    }

    @Test func bearingStrokesShowInTheEnvelope() throws {
        var machine = try sensor(.vibration, hertz: 10_000)
        let samples = machine.frames(until: after(1)).samples(channel: 0)
        var filtered = samples  // what changes from sample to sample: ringing and noise, not the shaft
        for index in samples.indices.dropFirst() { filtered[index] = abs(samples[index] - samples[index - 1]) }
        let mean = filtered.reduce(0, +) / Double(filtered.count)
        let envelope = filtered.map { $0 - mean }
        #expect(peak(envelope, stride(from: 30, through: 140, by: 0.5), rate: 10_000) == 89.5)
    }

    @Test func theShaftKeepsItsPhaseWhenTheRateChanges() throws {
        var machine = try sensor(.vibration, hertz: 5000)
        let before = machine.frames(until: after(2)).samples(channel: 0)
        _ = machine.receive(command("change_sample_frequency", ["hertz": .number(2500)]), at: after(2))
        let later = machine.frames(until: after(4)).samples(channel: 0)
        #expect(abs(amplitude(later, hertz: 25, rate: 2500) - amplitude(before, hertz: 25, rate: 5000)) < 0.1)
    }

    @Test func climateIsPlausibleAndSlow() throws {
        var day = try sensor(.climate, hertz: 0.1)
        let frames = day.frames(until: after(86_400), atMost: .max)
        let temperatures = frames.samples(channel: 0)
        #expect(temperatures.allSatisfy { (10...35).contains($0) })
        #expect(frames.samples(channel: 1).allSatisfy { (5...95).contains($0) })
        let range = try #require(temperatures.max()) - #require(temperatures.min())
        #expect((6...14).contains(range))
        var hour = try sensor(.climate, hertz: 1)
        let seconds = hour.frames(until: after(3600), atMost: .max).samples(channel: 0)
        #expect(seconds.count > 3500)
        #expect(zip(seconds, seconds.dropFirst()).allSatisfy { abs($0 - $1) < 0.5 })
    }

    @Test func odometersNeverRunBackwards() throws {
        var vehicle = try sensor(.odometer)
        let frames = vehicle.frames(until: after(3600), atMost: .max)
        let distances = frames.samples(channel: 0)
        let speeds = frames.samples(channel: 1)
        for index in distances.indices.dropFirst() {
            let metres = distances[index] - distances[index - 1]
            #expect(metres >= 0)
            #expect(abs(metres - (speeds[index] + speeds[index - 1]) / 2) < 0.5)
        }
        #expect(try (35_000...52_000).contains(#require(distances.last)))
    }

    @Test func walkersStayNearAndOnEarth() throws {
        var walker = try sensor(.gps)
        let frames = walker.frames(until: after(3600), atMost: .max)
        let places = try frames.map { try #require($0.place) }
        #expect(places.allSatisfy { $0.isValid })
        #expect(places.allSatisfy { abs($0.latitude - 49.01) < 0.05 && abs($0.longitude - 8.4) < 0.08 })
        #expect(frames.samples(channel: 0).allSatisfy { (0...8).contains($0) })
        #expect(frames.samples(channel: 1).allSatisfy { (0..<360).contains($0) })
        for index in places.indices.dropFirst() {
            let metresNorth = (places[index].latitude - places[index - 1].latitude) * 111_320
            let metresEast =
                (places[index].longitude - places[index - 1].longitude) * 111_320
                * cos(places[index].latitude * .pi / 180)
            let speed = frames[index].blocks[0].samples[0]
            #expect(abs((metresEast * metresEast + metresNorth * metresNorth).squareRoot() - speed) < 0.5)
        }
    }

    @Test(arguments: SensorKind.allCases)
    func theSeedDecides(kind: SensorKind) throws {
        func run(seed: UInt64, library: UInt64) throws -> [Frame] {
            var machine = try sensor(kind, seed: seed, library: SignalLibrary(seed: library))
            return machine.frames(until: after(5))
        }
        #expect(try run(seed: 1, library: 1) == run(seed: 1, library: 1))
        #expect(try run(seed: 1, library: 1) != run(seed: 2, library: 1))
        if kind == .vibration { #expect(try run(seed: 1, library: 1) != run(seed: 1, library: 2)) }
    }

    @Test(arguments: [1e-6, 0.5, 10, 99.9, 1000.5, 24_000])
    func anyRateGivesSamples(hertz: Double) throws {
        var machine = try sensor(.vibration, hertz: hertz)
        let due = try #require(machine.nextDue)
        let frame = try #require(machine.frames(until: due).first)
        try frame.validate()
        #expect(frame.blocks.allSatisfy { $0.samples[0].isFinite })
    }

    @Test func manyRatesShareAFewTables() throws {
        let library = SignalLibrary(seed: 1, tablesMax: 3)
        func tables(_ hertz: [Double]) throws -> [Double] {
            try hertz.map { library.table(at: try rate($0)).rate.hertz }
        }
        #expect(try tables([100, 200, 300]) == [100, 200, 300])
        #expect(try tables([120, 180, 1000, 200]) == [100, 200, 300, 200])
        var machine = try sensor(.vibration, hertz: 150.5, library: library)
        #expect(!machine.frames(until: after(1)).isEmpty)
    }

    @Test func gaussianNoiseIsGaussian() {
        var random = SplitMix64(seed: 11)
        let numbers = (0..<100_000).map { _ in random.gaussian() }
        #expect(abs(numbers.reduce(0, +) / 100_000) < 0.02)
        #expect(abs(rms(numbers) - 1) < 0.02)
        #expect(abs(Double(numbers.count { abs($0) < 1 }) / 100_000 - 0.6827) < 0.01)
    }
}
