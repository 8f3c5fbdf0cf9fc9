/// How much disk the streams may take while the broker's disk is nearly full.
///
/// Below its `disk_free_limit` a broker blocks every publisher, of commands and alarms too. So before that the streams
/// give way: their oldest segments go, and what was not stored of them becomes holes with a cause.
public struct StreamQuota: Sendable, Equatable {
    /// Below this many times the limit the streams are cut.
    public static let cutBelow = 2.0
    /// They are cut to what brings the free space to this many times the limit.
    public static let aim = 2.5
    /// From this many times the limit on they may grow again.
    public static let releaseFrom = 3.0

    /// A stream on the disk.
    public struct Stream: Sendable, Equatable {
        /// Bytes that it takes, or somewhat more.
        public var bytes: Int64
        /// Bytes of its segments: only whole ones go, and the last one stays.
        public var segmentBytes: Int64

        /// A stream of that size.
        public init(bytes: Int64, segmentBytes: Int64) {
            self.bytes = bytes
            self.segmentBytes = segmentBytes
        }
    }

    /// What to do.
    public enum Decision: Sendable, Equatable {
        /// Nothing.
        case keep
        /// No stream may be longer than that many bytes.
        case cut(bytesMax: Int64)
        /// The streams' own limits are enough again.
        case release
        /// There is too little space, and the streams have given all they can.
        case exhausted
    }

    /// Bytes that are free.
    public var free: Int64
    /// The broker's `disk_free_limit`, in bytes.
    public var limit: Int64
    /// The streams.
    public var streams: [Stream]

    /// That disk, with those streams on it.
    public init(free: Int64, limit: Int64, streams: [Stream]) {
        self.free = free
        self.limit = limit
        self.streams = streams
    }

    /// What to do while `bytesMax` is in force; nil: nothing is.
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

    /// The length at which streams of these sizes take `total` bytes in all: short ones give nothing.
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
