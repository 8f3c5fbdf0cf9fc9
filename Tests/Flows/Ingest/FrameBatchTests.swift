import Model
import Simulation
import Testing
import Time
import Wire

@testable import Broker
@testable import Ingest

@Suite struct FrameBatchTests {
    private func delivery(_ tag: UInt64, _ key: String, _ body: [UInt8]) -> Delivery {
        Delivery(
            tag: tag, key: key, body: body, streamOffset: Int64(tag), receivedUnixMilliseconds: 1000 + Int64(tag),
            deathReason: nil)
    }

    private let good = FrameCodec.encode(
        Frame(
            position: FramePosition(boot: 1, sequence: 2), start: nil, rate: nil,
            blocks: [Block(channel: .number(0), samples: .value(1))]))

    private func batch(_ deliveries: [Delivery]) -> FrameBatch { FrameBatch(deliveries[...], of: "measurements.0") }

    @Test func goodAndBadAreKeptApartInOrder() {
        let batch = batch([
            delivery(1, "sensor_a.data", good), delivery(2, "sensor_a.data", [1, 2, 3]),
            delivery(3, "sensor_b.data", Array(#"{"t":1}"#.utf8)), delivery(4, "sensor_b.dat", good),
            delivery(5, "sensor_b.logs", good), delivery(6, "sensor_b.data", []),
            delivery(7, "sensor_b.data", Array(repeating: 0, count: (1 << 20) + 1)),
            delivery(8, "sensor_b.data", Array(#"{"t":"1"}"#.utf8)), delivery(9, "sensor_c.data", good),
        ])
        #expect(batch.frames.map(\.serial.text) == ["a", "b", "c"])
        #expect(batch.frames.map(\.index) == [0, 2, 8])
        #expect(batch.rejects.map(\.index) == [1, 3, 4, 5, 6, 7])
        #expect(
            batch.rejects.map(\.rejection.reason)
                == [.undecodable, .badSerial, .badSerial, .undecodable, .tooLarge, .noNumericFields])
    }

    @Test func ticksAreNeitherFramesNorRejected() {
        let tick = StreamTick(revision: 3, epoch: 2, sent: Timestamp(unixNanoseconds: 1))
        let batch = batch([
            delivery(1, "measurements.0", TickCodec.encode(tick)), delivery(2, "sensor_a.data", good),
            delivery(3, "measurements.1", TickCodec.encode(tick)), delivery(4, "measurements.0", [0xFF]),
        ])
        #expect(batch.ticks.map(\.tick) == [tick] && batch.ticks.map(\.index) == [0])
        #expect(batch.frames.map(\.index) == [1] && batch.rejects.map(\.index) == [2, 3])
        #expect(batch.rejects.map(\.rejection.reason) == [.badSerial, .badSerial] && !batch.isOnlyTicks)
        #expect(self.batch([delivery(1, "measurements.0", TickCodec.encode(tick))]).isOnlyTicks)
    }

    @Test func aBatchThatFollowsIsAdded() {
        let tick = TickCodec.encode(StreamTick(revision: 3, epoch: 2, sent: Timestamp(unixNanoseconds: 1)))
        let deliveries = [
            delivery(1, "sensor_a.data", good), delivery(2, "sensor_a.data", [1]), delivery(3, "measurements.0", tick),
            delivery(4, "measurements.0", tick), delivery(5, "sensor_b.data", good), delivery(6, "sensor_b.data", []),
        ]
        let whole = batch(deliveries)
        for cut in deliveries.indices {
            // The second part is a slice with indices of its own.
            var parts = batch(Array(deliveries[..<cut]))
            parts.append(FrameBatch(deliveries[cut...], of: "measurements.0"))
            #expect(parts.deliveries.map(\.tag) == whole.deliveries.map(\.tag))
            func tags(_ batch: FrameBatch, _ indexes: [Int]) -> [UInt64] { indexes.map { batch.deliveries[$0].tag } }
            #expect(tags(parts, parts.frames.map(\.index)) == [1, 5])
            #expect(tags(parts, parts.ticks.map(\.index)) == [3, 4])
            #expect(tags(parts, parts.rejects.map(\.index)) == [2, 6])
        }
    }

    /// Whatever comes, each delivery ends exactly one way.
    @Test func garbageIsRejectedAndCostsNothingElse() {
        var random = SplitMix64(seed: 1)
        let keys = ["sensor_1.data", "sensor_ü.data", "", "sensor_1.data.data", "\0", "sensor_1.commands.x"]
        let deliveries = (UInt64(1)...3000).map { tag -> Delivery in
            guard tag % 3 != 0 else { return delivery(tag, "sensor_good.data", good) }
            let body = (0..<Int.random(in: 0...50, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random)
            }
            return delivery(tag, keys[Int(tag) % keys.count], body)
        }
        let batch = batch(deliveries)
        #expect(batch.frames.count + batch.rejects.count == 3000)
        #expect(batch.frames.count { $0.serial.text == "good" } == 1000)
        for frame in batch.frames { #expect(throws: Never.self) { try frame.frame.validate() } }
    }

    @Test func oneDeliveryCanBeRejectedUnread() {
        let batch = FrameBatch(
            rejecting: [delivery(1, "sensor_a.data", good)], of: "s", Rejection(.refusedByDatabase, "22P05"))
        #expect(batch.frames.isEmpty && batch.rejects.map(\.rejection.detail) == ["22P05"])
    }

    @Test func nothingIsAnEmptyBatch() {
        let batch = batch([])
        #expect(batch.frames.isEmpty && batch.rejects.isEmpty)
    }

    /// A half is a batch with indices of its own, and no delivery is in both or in none.
    @Test func halvesKeepOrderAndIndices() {
        let all = (UInt64(1)...5).map { delivery($0, "sensor_\($0).data", $0 == 4 ? [] : good) }
        let (first, second) = batch(all).halves
        #expect(first.map(\.tag) == [1, 2] && second.map(\.tag) == [3, 4, 5])
        let half = FrameBatch(second, of: "s")
        #expect(half.frames.map { half.deliveries[$0.index].tag } == [3, 5])
        #expect(half.rejects.map { half.deliveries[$0.index].tag } == [4])
        #expect(half.frames.map(\.serial.text) == ["3", "5"])
    }
}
