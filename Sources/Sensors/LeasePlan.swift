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
    /// Whether the replica will hold fewer than its even share, so that somebody must give one back: look again soon.
    public var isShort = false

    /// The plan of replica `me` among `replicas` (the living, `me` included).
    ///
    /// Each may hold ⌈P / replicas⌉. Who holds more gives back its last ones; who holds fewer takes free ones. When P
    /// doesn't divide evenly nobody gives back for the sake of one: a move costs more than it brings.
    public init(me: String, replicas: Set<String>, partitions: [Partition]) {
        let shareMax = (partitions.count + max(1, replicas.count) - 1) / max(1, replicas.count)
        let mine = partitions.filter { $0.owner == me }.map(\.stream).sorted()
        let free = partitions.filter { $0.owner == nil }.map(\.stream).sorted()
        take = Array(free.prefix(max(0, shareMax - mine.count)))
        giveBack = Array(mine.dropFirst(shareMax))
        isShort = mine.count + take.count < partitions.count / max(1, replicas.count)
    }
}
