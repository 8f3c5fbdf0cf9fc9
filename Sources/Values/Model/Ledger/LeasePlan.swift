/// The partitions that a replica acquires and releases, so that the live replicas share them evenly.
public struct LeasePlan: Sendable, Equatable {
    /// A partition as stored in the database.
    public struct Partition: Sendable, Equatable {
        /// The stream's name.
        public var stream: String
        /// The replica that holds the partition's lease; nil: none, or the lease has expired.
        public var owner: String?

        /// The partition of that stream, held by that owner.
        public init(stream: String, owner: String?) {
            self.stream = stream
            self.owner = owner
        }
    }

    /// Streams to acquire now.
    public var take: [String] = []
    /// Streams to release after the current batch.
    public var giveBack: [String] = []
    /// Whether the replica will hold fewer partitions than the minimum share, so that another replica must release one:
    /// plan again soon.
    public var isShort = false

    /// The plan of replica `me` among `replicas` (the live ones, including `me`).
    ///
    /// Each replica should hold at least ⌊P / replicas⌋ and at most ⌈P / replicas⌉ partitions. A replica that holds
    /// more releases its last ones. A replica that holds fewer acquires free ones; if none is free, the replicas that
    /// hold the most release one each, in order of their names. So of four partitions a third replica gets one, and no
    /// other moves.
    public init(me: String, replicas: Set<String>, partitions: [Partition]) {
        let count = max(1, replicas.count)
        let shareMin = partitions.count / count
        let shareMax = (partitions.count + count - 1) / count
        let mine = partitions.filter { $0.owner == me }.map(\.stream).sorted()
        let free = partitions.filter { $0.owner == nil }.map(\.stream).sorted()
        let held = Dictionary(partitions.compactMap { $0.owner.map { ($0, 1) } }, uniquingKeysWith: +)
        let lacking = replicas.reduce(0) { $0 + max(0, shareMin - held[$1, default: 0]) }

        // Free partitions that other replicas need for their minimum share are left to them.
        let wanted = mine.count < shareMin || free.count > lacking ? shareMax - mine.count : 0
        take = Array(free.prefix(max(0, wanted)))
        giveBack = Array(mine.dropFirst(shareMax))
        isShort = mine.count + take.count < shareMin

        // Replicas above their share release partitions anyway; others release only what is still missing then.
        let excess = replicas.reduce(0) { $0 + max(0, held[$1, default: 0] - shareMax) }
        let asked = replicas.filter { held[$0, default: 0] == shareMax && shareMax > shareMin }.sorted()
            .prefix(max(0, lacking - free.count - excess))
        if asked.contains(me) { giveBack = mine.suffix(1) }
    }
}
