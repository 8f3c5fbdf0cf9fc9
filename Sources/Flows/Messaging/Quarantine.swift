public import Broker
public import Model
public import Store
internal import Wire

extension QuarantinedPayload {
    /// A delivery that can't be stored, with its sensor and frame as far as they can be read.
    public init(_ delivery: Delivery, _ rejection: Rejection, source: String, incarnation: Int64? = nil) {
        let subject = try? Routing.parse(key: delivery.key)
        self.init(
            rejection: rejection, key: delivery.key, source: source, incarnation: incarnation,
            offset: delivery.streamOffset, received: delivery.received, body: delivery.body, serial: subject?.serial,
            position: subject?.subject == .data ? unsafe FrameHeader(delivery.body.span.bytes)?.position : nil,
            isRedelivered: delivery.isRedelivered)
    }
}
