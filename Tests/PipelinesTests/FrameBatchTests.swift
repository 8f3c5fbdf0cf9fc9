import Sensors
import Testing
import Wire

@testable import Broker
@testable import Pipelines

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

    @Test func goodAndBadAreKeptApartInOrder() {
        let batch = FrameBatch([
            delivery(1, "sensor_a.data", good), delivery(2, "sensor_a.data", [1, 2, 3]),
            delivery(3, "sensor_b.data", Array(#"{"t":1}"#.utf8)), delivery(4, "sensor_b.dat", good),
            delivery(5, "sensor_b.logs", good), delivery(6, "sensor_b.data", []),
            delivery(7, "sensor_b.data", Array(repeating: 0, count: (1 << 20) + 1)),
            delivery(8, "sensor_b.data", Array(#"{"t":"1"}"#.utf8)), delivery(9, "sensor_c.data", good),
        ])
        #expect(batch.frames.map(\.serial.text) == ["a", "b", "c"])
        #expect(batch.frames.map(\.received.unixNanoseconds) == [1_001_000_000, 1_003_000_000, 1_009_000_000])
        #expect(batch.rejects.map(\.delivery.tag) == [2, 4, 5, 6, 7, 8])
        #expect(
            batch.rejects.map(\.rejection.reason)
                == [.undecodable, .badSerial, .badSerial, .undecodable, .tooLarge, .noNumericFields])
    }

    /// Whatever comes, each delivery ends exactly one way.
    @Test func garbageIsRejectedAndCostsNothingElse() {
        var random = Seeded(state: 1)
        let keys = ["sensor_1.data", "sensor_ü.data", "", "sensor_1.data.data", "\0", "sensor_1.commands.x"]
        let deliveries = (UInt64(1)...3000).map { tag -> Delivery in
            guard tag % 3 != 0 else { return delivery(tag, "sensor_good.data", good) }
            let body = (0..<Int.random(in: 0...50, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random)
            }
            return delivery(tag, keys[Int(tag) % keys.count], body)
        }
        let batch = FrameBatch(deliveries)
        #expect(batch.frames.count + batch.rejects.count == 3000)
        #expect(batch.frames.count { $0.serial.text == "good" } == 1000)
        for frame in batch.frames { #expect(throws: Never.self) { try frame.frame.validate() } }
    }

    @Test func oneDeliveryCanBeRejectedUnread() {
        let batch = FrameBatch(rejecting: delivery(1, "sensor_a.data", good), Rejection(.refusedByDatabase, "22P05"))
        #expect(batch.frames.isEmpty && batch.rejects.map(\.rejection.detail) == ["22P05"])
    }

    @Test func nothingIsAnEmptyBatch() {
        let batch = FrameBatch([])
        #expect(batch.frames.isEmpty && batch.rejects.isEmpty)
    }

    private struct Seeded: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (state ^ (state >> 33)) &* 0xFF51_AFD7_ED55_8CCD
        }
    }
}
