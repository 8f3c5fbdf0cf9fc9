import Glibc
import Testing

@testable import AMQP

@Suite struct AMQPStatusTests {
    /// The statuses are those of amqp.h.
    @Test(
        arguments: [
            (-0x0009, ECONNRESET, "connection reset by peer"), (-0x0009, EPIPE, "broken pipe"),
            (-0x0009, 0, "the connection broke"), (-0x0009, EINTR, "the connection broke"),
            (-0x0007, 0, "the broker closed the connection"), (-0x000D, 0, "no answer within 15 s"),
            (-0x000F, 0, "no heartbeat from the broker"), (-0x0002, 0, "invalid AMQP data"),
        ] as [(Int32, Int32, String)])
    func aBrokenConnectionSaysWhy(_ status: Int32, _ number: Int32, _ text: String) {
        #expect(AMQPHandle.text(of: status, errno: number) == text)
    }

    @Test func otherStatusesHaveTheLibrarysText() {
        #expect(!AMQPHandle.text(of: -0x000B, errno: 0).isEmpty)
    }
}
