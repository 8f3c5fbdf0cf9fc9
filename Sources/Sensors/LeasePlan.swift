/// Which partitions a replica takes and which it gives back, so that the living share them evenly.
public struct LeasePlan: Sendable, Equatable {
    /// A partition as the database shows it.
    public struct Partition: Sendable, Equatable {
        /// The stream's name.
        public var stream: String
        /// Who holds it; nil: nobody, or its lease has run out.
        public var owner: String?

        /// That partition, held by that owner.
        public init(stream: String, owner: String?) {
            self.stream = stream
            self.owner = owner
        }
    }

    /// To be taken now.
    public var take: [String] = []
    /// To be given back after the batch in hand.
    public var giveBack: [String] = []
    /// Whether the replica will hold fewer than every replica should, so that somebody must give one back: look again
    /// soon.
    public var isShort = false

    /// The plan of replica `me` among `replicas` (the living, `me` included).
    ///
    /// Each should hold ⌊P / replicas⌋ at least and ⌈P / replicas⌉ at most. Who holds more than that gives back its last
    /// ones; who holds fewer takes free ones, and if there are none, those that hold most give back one each, by name. So
    /// of four partitions a third replica gets one, and nothing else moves.
    public init(me: String, replicas: Set<String>, partitions: [Partition]) {
        let count = max(1, replicas.count)
        let shareMin = partitions.count / count
        let shareMax = (partitions.count + count - 1) / count
        let mine = partitions.filter { $0.owner == me }.map(\.stream).sorted()
        let free = partitions.filter { $0.owner == nil }.map(\.stream).sorted()
        let held = Dictionary(partitions.compactMap { $0.owner.map { ($0, 1) } }, uniquingKeysWith: +)
        let lacking = replicas.reduce(0) { $0 + max(0, shareMin - held[$1, default: 0]) }

        // What others lack to their least share is left to them.
        let wanted = mine.count < shareMin || free.count > lacking ? shareMax - mine.count : 0
        take = Array(free.prefix(max(0, wanted)))
        giveBack = Array(mine.dropFirst(shareMax))
        isShort = mine.count + take.count < shareMin

        // Those above their share give back anyway; only what is then still lacking is asked of others.
        let excess = replicas.reduce(0) { $0 + max(0, held[$1, default: 0] - shareMax) }
        let asked = replicas.filter { held[$0, default: 0] == shareMax && shareMax > shareMin }.sorted()
            .prefix(max(0, lacking - free.count - excess))
        if asked.contains(me) { giveBack = mine.suffix(1) }
    }
}
