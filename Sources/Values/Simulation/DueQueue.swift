public import Time

/// A priority queue of the times at which sensors are due: a heap, so that ten thousand sensors need no scan.
///
/// A sensor may be in the queue more than once; the caller of `popDue` checks whether the sensor is really due.
public struct DueQueue: Sendable {
    private var heap: [(time: Timestamp, sensor: Int)] = []

    /// An empty queue.
    public init() {}

    /// The earliest time in the queue; nil if the queue is empty.
    public var first: Timestamp? { heap.first?.time }

    /// The number of entries.
    public var count: Int { heap.count }

    /// Adds an entry: the sensor with number `sensor` is due at `time`.
    public mutating func insert(sensor: Int, at time: Timestamp) {
        heap.append((time, sensor))
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].time < heap[parent].time else { break }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    /// Removes and returns the first sensor if it is due at `now`; otherwise nil.
    public mutating func popDue(at now: Timestamp) -> Int? {
        guard let first = heap.first, first.time <= now else { return nil }
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < heap.count && heap[child].time < heap[least].time {
                least = child
            }
            if least == parent { return first.sensor }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
