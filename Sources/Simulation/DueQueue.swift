public import Sensors

/// Which of many sensors is due first: a heap of times, so that ten thousand sensors need no scan.
///
/// A sensor may stand in it more than once; whoever takes it out asks the sensor whether it is really due.
public struct DueQueue: Sendable {
    private var heap: [(time: Timestamp, sensor: Int)] = []

    /// Nobody is due.
    public init() {}

    /// When the first is due; nil if nobody is.
    public var first: Timestamp? { heap.first?.time }

    /// Entries in it.
    public var count: Int { heap.count }

    /// Sensor number `sensor` is due at `time`.
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

    /// Takes out the first sensor if it is due at `now`.
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
