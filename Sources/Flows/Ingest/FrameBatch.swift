internal import Broker
internal import Messaging
internal import Model
internal import Time
internal import Wire

/// A batch of deliveries of one stream, decoded: frames in order, and deliveries that could not be decoded.
struct FrameBatch: Sendable {
    /// A frame and its sensor.
    struct Received: Sendable {
        var serial: SerialNumber
        var frame: Frame
        /// The index of its delivery in `deliveries`.
        var index: Int
    }

    /// A delivery that was rejected.
    struct Rejected: Sendable {
        /// Its index in `deliveries`.
        var index: Int
        var rejection: Rejection
    }

    /// The deliveries with their payloads.
    let deliveries: ArraySlice<Delivery>
    private(set) var frames: [Received] = []
    private(set) var rejects: [Rejected] = []

    /// Decodes deliveries; no content can make this fail.
    init(_ deliveries: ArraySlice<Delivery>) {
        self.deliveries = deliveries
        for index in deliveries.indices {
            do throws(Rejection) {
                let (serial, subject) = try Routing.parse(key: deliveries[index].key)
                guard subject == .data else { throw Rejection(.badSerial, "not data: \(deliveries[index].key)") }
                let body = deliveries[index].body
                let frame = unsafe try DataPayload.decode(body.span.bytes)
                frames.append(Received(serial: serial, frame: frame, index: index))
            } catch {
                rejects.append(Rejected(index: index, rejection: error))
            }
        }
    }

    /// A batch whose deliveries go to the quarantine without being decoded.
    init(rejecting deliveries: ArraySlice<Delivery>, _ rejection: Rejection) {
        self.deliveries = deliveries
        rejects = deliveries.indices.map { Rejected(index: $0, rejection: rejection) }
    }

    /// The maximum number of rows that its frames can become: one for each block and UTC minute that a frame touches.
    var rowsMax: Int { frames.reduce(0) { $0 + $1.frame.rowsMax } }

    /// The two halves of its deliveries, in order.
    var halves: (first: ArraySlice<Delivery>, second: ArraySlice<Delivery>) {
        let middle = deliveries.startIndex + deliveries.count / 2
        return (deliveries[..<middle], deliveries[middle...])
    }
}
