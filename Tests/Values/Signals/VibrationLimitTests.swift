import Foundation
import Signals
import Testing

@Suite struct VibrationLimitTests {
    @Test func zones() {
        #expect(SeverityZones.mediumRigid.zone(velocity: 1.4) == .a)
        #expect(SeverityZones.mediumRigid.zone(velocity: 1.401) == .b)
        #expect(SeverityZones.mediumRigid.zone(velocity: 4.5) == .c)
        #expect(SeverityZones.largeFlexible.zone(velocity: 11.1) == .d)
        let all: [SeverityZones] = [
            .classI, .classII, .classIII, .classIV, .largeRigid, .largeFlexible, .mediumRigid, .mediumFlexible,
        ]
        for zones in all {
            #expect(0 < zones.ab && zones.ab < zones.bc && zones.bc < zones.cd)
            for zone in SeverityZones.Zone.allCases {
                let border = zones.border(of: zone)
                #expect(zones.zone(velocity: border.nextUp) == zone)
                #expect(zone == .a || zones.zone(velocity: border) < zone)
            }
        }
    }

    /// A machine's acceleration in g gives the zone of its velocity.
    @Test func theZoneOfAnAcceleration() throws {
        // 25 Hz and 0.1 g: 6.24 mm/s, peak; 4.41 mm/s, root mean square.
        let samples = TestSignal.sines([(25, 0.1)], rate: 2560, count: 25_600).map { $0 + 1 }
        let band = try #require(SeverityZones.band(isSlow: false, isAcceleration: true, factor: 9806.65))
        var level = BandLevel()
        let found = level.all(samples.blocks(500, seed: 2), rate: 2560, band, window: 1)
        let reading = try #require(found)
        #expect(abs(reading.latest / (0.1 * 9806.65 / (2 * .pi * 25) * 0.5.squareRoot()) - 1) < 0.003, "\(reading)")
        #expect(SeverityZones.mediumRigid.zone(velocity: reading.latest) == .c)
        #expect(SeverityZones.largeRigid.zone(velocity: reading.latest) == .b)
        #expect(SeverityZones.band(isSlow: true, isAcceleration: false, factor: 1)?.from == 2)
    }

    @Test func curves() throws {
        let line2 = VelocityCurve.din4150Line2
        #expect([0.1, 1, 10, 30, 35, 50, 75, 100, 400].map(line2.limit) == [5, 5, 5, 10, 11.25, 15, 17.5, 20, 20])
        #expect(abs(VelocityCurve.bs7385Line2.limit(at: 35) - 44) < 1e-12)
        #expect(VelocityCurve.bs7385Line2.limit(at: 4) == 15 && VelocityCurve.bs7385Line1.limit(at: 80) == 50)
        // 0.6 mm below 4 Hz.
        for hertz in [0.5, 1, 2, 3.5] {
            let displacement = VelocityCurve.bs7385Line2.limit(at: hertz) / (2 * .pi * hertz)
            #expect(abs(displacement - 0.6) < 0.001, "\(displacement)")
        }
        #expect(VelocityCurve.named.count == 5)
        let logarithmic = try #require(
            VelocityCurve(
                [.init(hertz: 1, limit: 2), .init(hertz: 100, limit: 200), .init(hertz: 400, limit: 100)], .logarithmic)
        )
        for hertz in [1.0, 1.5, 10, 37, 99, 100] {
            #expect(abs(logarithmic.limit(at: hertz) / (2 * hertz) - 1) < 1e-12)
        }
        #expect(abs(logarithmic.limit(at: 200) / (100 * 2.0.squareRoot()) - 1) < 1e-12)
        #expect(VelocityCurve([]) == nil && VelocityCurve([.init(hertz: 0, limit: 1)]) == nil)
        #expect(VelocityCurve([.init(hertz: 2, limit: 1), .init(hertz: 2, limit: 3)]) == nil)
    }

    private func worst(_ blocks: [[Double]], rate: Double, _ band: SignalBand?, _ curve: VelocityCurve) throws
        -> ParticleVelocity.Peak
    {
        let band = try #require(band)
        var axis = ParticleVelocity()
        var worst: ParticleVelocity.Peak?
        for block in blocks {
            axis = try #require(ParticleVelocity(words: axis.words))
            let peak = axis.add(block, rate: rate, band, curve)
            if let peak, peak.share > (worst?.share ?? 0) { worst = peak }
        }
        return try #require(worst)
    }

    /// A sine has its amplitude and its frequency, between the lines of any spectrum.
    @Test(arguments: [4.0, 8.3, 17.77, 60, 121.5])
    func thePeakOfASine(_ hertz: Double) throws {
        let samples = TestSignal.sines([(hertz, 6)], rate: 2000, count: 20_000).map { $0 + 30 }
        let band = ParticleVelocity.band(isAcceleration: false, factor: 1)
        let peak = try worst(samples.blocks(800, seed: 7), rate: 2000, band, .din4150Line2)
        #expect(abs(peak.hertz / hertz - 1) < 0.005, "\(peak)")
        #expect(abs(peak.velocity / 6 - 1) < 0.01, "\(peak)")
        #expect(abs(peak.share / (6 / VelocityCurve.din4150Line2.limit(at: hertz)) - 1) < 0.015, "\(peak)")
    }

    /// A shock of 20 Hz in a signal of 80 Hz is judged by 20 Hz, in metres per second squared as well.
    @Test func aShockHasItsOwnFrequency() throws {
        let rate = 2000.0
        let samples = (0..<20_000).map { index in
            let time = Double(index) / rate
            let shock = exp(-pow((time - 7) / 0.1, 2)) * 12 * cos(2 * .pi * 20 * (time - 7))
            return shock + 2 * sin(2 * .pi * 80 * time)
        }
        let band = ParticleVelocity.band(isAcceleration: false, factor: 1)
        let peak = try worst(samples.blocks(500, seed: 1), rate: rate, band, .din4150Line1)
        #expect(abs(peak.velocity - 13) < 1.2 && abs(peak.hertz - 20) < 3, "\(peak)")

        let acceleration = (0..<20_000).map { 0.5 * cos(2 * .pi * 30 * Double($0) / rate) + 9.81 }
        let integrated = ParticleVelocity.band(isAcceleration: true, factor: 1000)
        let other = try worst(acceleration.blocks(500, seed: 1), rate: rate, integrated, .din4150Line3)
        #expect(abs(other.velocity / (500 / (2 * .pi * 30)) - 1) < 0.01 && abs(other.hertz - 30) < 0.3, "\(other)")
    }

    @Test func cutsChangeNoHalfWave() throws {
        let samples = TestSignal.noise(12_000, seed: 4)
        let band = ParticleVelocity.band(isAcceleration: false, factor: 10)
        let whole = try worst([samples], rate: 1000, band, .bs7385Line2)
        for seed in 1...4 {
            #expect(try worst(samples.blocks(400, seed: UInt64(seed)), rate: 1000, band, .bs7385Line2) == whole)
        }
        var quiet = ParticleVelocity()
        let none = quiet.add(Array(repeating: 3, count: 9000), rate: 1000, try #require(band), .din4150Line1)
        #expect(none == nil && ParticleVelocity(words: [0]) == nil)
    }
}
