internal import Broker
internal import Sensors
internal import Wire

/// A batch of deliveries of one stream, read: frames in order, and what could not be read.
struct FrameBatch: Sendable {
    /// A frame and where it came from.
    struct Received: Sendable {
        var serial: SerialNumber
        var frame: Frame
        var received: Timestamp
        var delivery: Delivery
    }

    /// What could not be read.
    struct Rejected: Sendable {
        var delivery: Delivery
        var rejection: Rejection
    }

    var frames: [Received] = []
    var rejects: [Rejected] = []

    /// Reads deliveries; nothing in them can make it fail.
    init(_ deliveries: some Sequence<Delivery>) {
        for delivery in deliveries {
            do throws(Rejection) {
                let (serial, subject) = try Routing.parse(key: delivery.key)
                guard subject == .data else { throw Rejection(.badSerial, "not data: \(delivery.key)") }
                let frame = unsafe try DataPayload.decode(delivery.body.span.bytes)
                frames.append(
                    Received(serial: serial, frame: frame, received: delivery.received, delivery: delivery))
            } catch {
                rejects.append(Rejected(delivery: delivery, rejection: error))
            }
        }
    }

    /// The most rows that its frames can become: one for each block and UTC minute that a frame touches.
    var rowsMax: Int { frames.reduce(0) { $0 + $1.frame.rowsMax } }

    /// One delivery that is to be put into quarantine unread.
    init(rejecting delivery: Delivery, _ rejection: Rejection) {
        rejects = [Rejected(delivery: delivery, rejection: rejection)]
    }
}
