import Simulation
import Testing

@testable import Model

@Suite struct StreamQuotaTests {
    private let mega: Int64 = 1_000_000

    private func quota(free: Int64, limit: Int64 = 1000, streams: [Int64], segment: Int64 = 64) -> StreamQuota {
        StreamQuota(
            free: free * mega, limit: limit * mega,
            streams: streams.map { StreamQuota.Stream(bytes: $0 * mega, segmentBytes: segment * mega) })
    }

    @Test func nothingHappensWhileThereIsRoom() {
        for free: Int64 in [2000, 2500, 2999, 3000, 90_000] {
            #expect(quota(free: free, streams: [5000, 5000]).decide(inForce: nil) == .keep)
        }
        #expect(quota(free: 1999, streams: []).decide(inForce: nil) == .keep)
    }

    /// Free space comes back to 2.5 times the limit, from the longest streams only.
    @Test func streamsAreCutBeforeTheLimit() {
        #expect(quota(free: 1500, streams: [2000, 2000]).decide(inForce: nil) == .cut(bytesMax: 1500 * mega))
        #expect(quota(free: 1500, streams: [100, 3000]).decide(inForce: nil) == .cut(bytesMax: 2000 * mega))
        #expect(
            quota(free: 1999, streams: [5000, 5000, 5000, 5000]).decide(inForce: nil)
                == .cut(bytesMax: 4_874_750_000))
    }

    @Test func neverBelowOneSegment() {
        #expect(quota(free: 10, streams: [900, 900]).decide(inForce: nil) == .cut(bytesMax: 64 * mega))
        #expect(quota(free: 10, streams: [0, 0], segment: 100).decide(inForce: nil) == .cut(bytesMax: 100 * mega))
        #expect(quota(free: 10, streams: [64, 64]).decide(inForce: 64 * mega) == .exhausted)
    }

    @Test func aCutHoldsUntilThereIsMuchRoom() {
        for free: Int64 in [2000, 2500, 2999] {
            #expect(quota(free: free, streams: [1500, 1500]).decide(inForce: 1500 * mega) == .keep)
        }
        #expect(quota(free: 3000, streams: [1500, 1500]).decide(inForce: 1500 * mega) == .release)
        // What one cut did not bring, the next one does.
        #expect(quota(free: 1900, streams: [1500, 1500]).decide(inForce: 1500 * mega) == .cut(bytesMax: 1200 * mega))
    }

    /// With any sizes: what is kept is what was asked for, but for the rounding of a share.
    @Test func theLevelSharesTheRest() {
        var random = SplitMix64(seed: 5)
        for _ in 0..<500 {
            let sizes = (0..<Int.random(in: 1...8, using: &random)).map { _ in
                Int64.random(in: 0...10_000, using: &random)
            }
            let total = Int64.random(in: 0...sizes.reduce(0, +), using: &random)
            let level = StreamQuota.level(sizes, total: total)
            let kept = sizes.reduce(0) { $0 + min($1, level) }
            #expect(kept <= total && kept > total - Int64(sizes.count), "\(sizes) \(total) \(level)")
        }
    }

    @Test func extremesDontTrap() {
        for free in [Int64.min, 0, .max] {
            for limit in [Int64.min, 0, 1, .max] {
                let quota = StreamQuota(free: free, limit: limit, streams: [.init(bytes: 0, segmentBytes: 1)])
                _ = quota.decide(inForce: 5)
            }
        }
    }
}
