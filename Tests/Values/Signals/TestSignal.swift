import Foundation
import Signals

/// Signals of the tests.
enum TestSignal {
    /// The numbers of dev/signal_references.py, evenly spread over -0.5…0.5.
    static func noise(_ count: Int, seed: UInt64 = 1) -> [Double] {
        var state = seed
        return (0..<count).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Double(state >> 11) / Double(UInt64(1) << 53) - 0.5
        }
    }

    /// A sum of sines.
    static func sines(
        _ sines: [(hertz: Double, amplitude: Double)], rate: Double, count: Int, phase: Double = 0.4
    )
        -> [Double]
    {
        (0..<count).map { index in
            sines.reduce(0) { $0 + $1.amplitude * sin(2 * .pi * $1.hertz * Double(index) / rate + phase) }
        }
    }
}

extension [Double] {
    /// Cut into blocks of 1 to `longest` samples.
    func blocks(_ longest: Int, seed: UInt64) -> [[Double]] {
        var blocks: [[Double]] = []
        var start = 0
        var state = seed
        while start < count {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let end = Swift.min(count, start + 1 + Int(state >> 33) % longest)
            blocks.append(Array(self[start..<end]))
            start = end
        }
        return blocks
    }
}

extension SampleMoments {
    /// Of an array.
    init(of samples: [Double]) { self.init(samples.span) }
}

extension ParticleVelocity {
    /// Adds an array.
    mutating func add(_ block: [Double], rate: Double, _ band: SignalBand, _ curve: VelocityCurve) -> Peak? {
        add(block.span, rate: rate, isContinuous: true, band: band, curve: curve)
    }
}

extension BandLevel {
    /// Adds an array.
    mutating func add(
        _ block: [Double], rate: Double, isContinuous: Bool = true, _ band: SignalBand, window: Double
    ) -> Reading? {
        add(block.span, rate: rate, isContinuous: isContinuous, band: band, window: window)
    }

    /// Everything that the blocks give: the smallest, the largest, the newest and the peak.
    mutating func all(_ blocks: [[Double]], rate: Double, _ band: SignalBand, window: Double) -> Reading? {
        var result: Reading?
        for block in blocks {
            guard let reading = add(block, rate: rate, band, window: window) else { continue }
            result = Reading(
                lowest: Swift.min(reading.lowest, result?.lowest ?? .infinity),
                highest: Swift.max(reading.highest, result?.highest ?? 0), latest: reading.latest,
                peak: Swift.max(reading.peak, result?.peak ?? 0))
        }
        return result
    }
}
