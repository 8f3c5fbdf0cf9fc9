/// The limit on the streams' disk usage while the broker's disk is nearly full.
///
/// Below its `disk_free_limit` a broker blocks every publisher, also those of commands and alarms. So the registry
/// truncates the streams before: the broker drops their oldest segments, and unstored messages become holes with a
/// cause.
public struct StreamQuota: Sendable, Equatable {
    /// The streams are truncated if less than this many times the limit is free.
    public static let cutBelow = 2.0
    /// The streams are truncated so that this many times the limit is free.
    public static let aim = 2.5
    /// The streams may grow again if at least this many times the limit is free.
    public static let releaseFrom = 3.0
    /// The name of the operator policy that truncates the streams.
    public static let policyName = "sensor-services-disk-guard"

    /// A stream on the broker's disk.
    public struct Stream: Sendable, Equatable {
        /// An upper estimate of the stream's size in bytes.
        public var bytes: Int64
        /// The segment size in bytes: the broker drops only whole segments and keeps the last one.
        public var segmentBytes: Int64

        /// A stream of that size.
        public init(bytes: Int64, segmentBytes: Int64) {
            self.bytes = bytes
            self.segmentBytes = segmentBytes
        }
    }

    /// The action to take.
    public enum Decision: Sendable, Equatable {
        /// Change nothing.
        case keep
        /// Limit every stream to that many bytes.
        case cut(bytesMax: Int64)
        /// Remove the limit: the streams' own limits suffice again.
        case release
        /// The free space is too small, and the streams cannot be truncated further.
        case exhausted
    }

    /// Free bytes on the broker's disk.
    public var free: Int64
    /// The broker's `disk_free_limit`, in bytes.
    public var limit: Int64
    /// The streams on the disk.
    public var streams: [Stream]

    /// A disk with that free space and those streams.
    public init(free: Int64, limit: Int64, streams: [Stream]) {
        self.free = free
        self.limit = limit
        self.streams = streams
    }

    /// The action to take.
    /// - Parameter bytesMax: the limit in force; nil: none.
    public func decide(inForce bytesMax: Int64?) -> Decision {
        let (free, limit) = (Double(free), Double(limit))
        if free >= limit * Self.releaseFrom { return bytesMax == nil ? .keep : .release }
        guard free < limit * Self.cutBelow, let segment = streams.map(\.segmentBytes).max() else { return .keep }
        let wanted = Int64(clamping: Int(min(limit * Self.aim - free, 9e18)))
        let target = max(segment, Self.level(streams.map(\.bytes), total: max(0, total - wanted)))
        guard bytesMax.map({ target < $0 }) != false else { return .exhausted }
        return .cut(bytesMax: target)
    }

    private var total: Int64 { streams.reduce(0) { $0 + $1.bytes } }

    /// The limit at which streams of these sizes take `total` bytes together; shorter streams are not truncated.
    static func level(_ sizes: [Int64], total: Int64) -> Int64 {
        var left = total
        let ascending = sizes.sorted()
        for (index, size) in ascending.enumerated() {
            let share = left / Int64(ascending.count - index)
            if size >= share { return share }
            left -= size
        }
        return ascending.last ?? 0
    }
}
