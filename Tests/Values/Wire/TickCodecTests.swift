import Model
import Testing
import Time
import Wire

@Suite struct TickCodecTests {
    @Test(arguments: [0, 17, Int64.max])
    func aTickComesBack(revision: Int64) {
        let tick = StreamTick(revision: revision, epoch: 4, sent: Timestamp(unixNanoseconds: 5))
        #expect(TickCodec.decode(TickCodec.encode(tick)) == tick)
    }

    @Test(arguments: [
        "", "tick", "tick 1 2", "tick -1 2 3", "tick 1 2 3 4", "tock 1 2 3", "tick 1 2 x",
        "tick 9223372036854775808 2 3",
        "tick 1 2 3" + String(repeating: " ", count: 91),
    ])
    func nothingElseIsATick(text: String) { #expect(TickCodec.decode(Array(text.utf8)) == nil) }

    @Test func itsKeyIsThatOfNoSensor() {
        #expect(throws: Rejection.self) { try Routing.parse(key: Routing.stream(0)) }
    }
}
