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

    private func batch(_ deliveries: [Delivery]) -> FrameBatch { FrameBatch(deliveries[...]) }

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
            rejecting: [delivery(1, "sensor_a.data", good)], Rejection(.refusedByDatabase, "22P05"))
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
        let half = FrameBatch(second)
        #expect(half.frames.map { half.deliveries[$0.index].tag } == [3, 5])
        #expect(half.rejects.map { half.deliveries[$0.index].tag } == [4])
        #expect(half.frames.map(\.serial.text) == ["3", "5"])
    }
}
