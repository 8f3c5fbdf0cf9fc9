internal import Broker
internal import Messaging
internal import Model
internal import Time
internal import Wire

/// A batch of deliveries of one stream, decoded: frames and ticks in order, and deliveries that could not be decoded.
struct FrameBatch: Sendable {
    /// A frame and its sensor.
    struct Received: Sendable {
        var serial: SerialNumber
        var frame: Frame
        /// The index of its delivery in `deliveries`.
        var index: Int
    }

    /// A tick of the partition's owner. It is delivered like a message of a sensor, and never stored.
    struct Tick: Sendable {
        var tick: StreamTick
        /// The index of its delivery in `deliveries`.
        var index: Int
    }

    /// A delivery that was rejected.
    struct Rejected: Sendable {
        /// Its index in `deliveries`.
        var index: Int
        var rejection: Rejection
    }

    /// The stream's name, which is the routing key of ticks.
    let stream: String
    /// The deliveries with their payloads.
    private(set) var deliveries: ArraySlice<Delivery>
    private(set) var frames: [Received] = []
    private(set) var ticks: [Tick] = []
    private(set) var rejects: [Rejected] = []

    /// Decodes deliveries; no content can make this fail.
    init(_ deliveries: ArraySlice<Delivery>, of stream: String) {
        self.stream = stream
        self.deliveries = deliveries
        for index in deliveries.indices {
            do throws(Rejection) {
                let (serial, subject) = try Routing.parse(key: deliveries[index].key)
                guard subject == .data else { throw Rejection(.badSerial, "not data: \(deliveries[index].key)") }
                let body = deliveries[index].body
                let frame = unsafe try DataPayload.decode(body.span.bytes)
                frames.append(Received(serial: serial, frame: frame, index: index))
            } catch {
                note(error, at: index)
            }
        }
    }

    /// A batch whose deliveries go to the quarantine without being decoded.
    init(rejecting deliveries: ArraySlice<Delivery>, of stream: String, _ rejection: Rejection) {
        self.stream = stream
        self.deliveries = deliveries
        rejects = deliveries.indices.map { Rejected(index: $0, rejection: rejection) }
    }

    /// A delivery that is no frame.
    private mutating func note(_ rejection: Rejection, at index: Int) {
        if rejection.reason == .badSerial, deliveries[index].key == stream,
            let tick = TickCodec.decode(deliveries[index].body)
        {
            ticks.append(Tick(tick: tick, index: index))
        } else {
            rejects.append(Rejected(index: index, rejection: rejection))
        }
    }

    /// Adds the batch that follows.
    mutating func append(_ next: FrameBatch) {
        if deliveries.isEmpty {
            self = next
            return
        }
        let shift = deliveries.endIndex - next.deliveries.startIndex
        deliveries += next.deliveries
        for var received in next.frames {
            received.index += shift
            frames.append(received)
        }
        for var tick in next.ticks {
            tick.index += shift
            ticks.append(tick)
        }
        for var reject in next.rejects {
            reject.index += shift
            rejects.append(reject)
        }
    }

    /// Whether nothing of it is stored but how far the stream was read.
    var isOnlyTicks: Bool { frames.isEmpty && rejects.isEmpty }

    /// The maximum number of rows that its frames can become: one for each block and UTC minute that a frame touches.
    var rowsMax: Int { frames.reduce(0) { $0 + $1.frame.rowsMax } }

    /// The two halves of its deliveries, in order.
    var halves: (first: ArraySlice<Delivery>, second: ArraySlice<Delivery>) {
        let middle = deliveries.startIndex + deliveries.count / 2
        return (deliveries[..<middle], deliveries[middle...])
    }
}
