/// The ledgers of all sensors of a partition, with the changes of the batch in hand kept apart until it commits.
public struct LedgerBook: Sendable {
    /// One start of one sensor.
    public struct Key: Hashable, Sendable, Comparable {
        /// The database's number of the sensor.
        public var sensor: Int32
        /// The start.
        public var boot: Int64

        /// That start of that sensor.
        public init(sensor: Int32, boot: Int64) {
            self.sensor = sensor
            self.boot = boot
        }

        /// By sensor, then by boot.
        public static func < (left: Key, right: Key) -> Bool { (left.sensor, left.boot) < (right.sensor, right.boot) }
    }

    /// A ledger and the version of its row.
    public struct Entry: Sendable, Equatable {
        /// What has come.
        public var ledger: SequenceLedger
        /// 0: there is no row yet.
        public var version: Int64
        /// Where the highest frame of the boot stood in the partition; nil: none has come by this stream.
        public var last: StreamPlace?

        /// That ledger, read at that version.
        public init(ledger: SequenceLedger, version: Int64, last: StreamPlace? = nil) {
            self.ledger = ledger
            self.version = version
            self.last = last
        }
    }

    /// What a batch does to one ledger.
    public struct Change: Sendable, Equatable {
        /// Whose it is.
        public var key: Key
        /// The version that it was read at.
        public var version: Int64
        /// After the batch.
        public var ledger: SequenceLedger
        /// Frames that the batch adds.
        public var frames: Int64 = 0
        /// Frames that it found there already.
        public var duplicates: Int64 = 0
        /// Frames that it did not add because they lie in a joined hole.
        public var givenUp: Int64 = 0
        /// Where the first frame of the boot in the batch stood in the partition; nil: none came by the stream.
        public var first: StreamPlace?
        /// Where the one with the highest sequence stood.
        public var last: StreamPlace?
        /// Holes that are gone or have changed.
        public var gapsRemoved: [SequenceGap] = []
        /// Holes that are new or have changed.
        public var gapsAdded: [SequenceGap] = []

        /// Since when each hole of `gapsAdded` is known: the earliest of the removed ones that it overlaps; nil: new.
        /// - Parameter removedAt: since when those of `gapsRemoved` are known, by their first sequence.
        public func notedAt(_ removedAt: [Int64: Timestamp]) -> [Timestamp?] {
            var rest = gapsRemoved[...]
            return gapsAdded.map { added in
                while let first = rest.first, first.range.upperBound < added.range.lowerBound { rest.removeFirst() }
                return rest.prefix { $0.range.lowerBound <= added.range.upperBound }
                    .compactMap { removedAt[$0.range.lowerBound] }.min()
            }
        }

        fileprivate mutating func note(
            _ sequence: Int64, at place: StreamPlace?, _ holes: Holes
        ) -> SequenceLedger.Verdict {
            let verdict = ledger.note(sequence) { [last] in holes.cause(after: last, before: place) }
            switch verdict {
            case .new, .late: frames += 1
            case .duplicate: duplicates += 1
            case .unknown: givenUp += 1
            }
            if let place {
                first = first ?? place
                // An older frame that is read again, after a reset for example, is not what the next one follows.
                if last == nil || sequence == ledger.next - 1 { last = place }
            }
            return verdict
        }
    }

    /// The holes of the stream: those that are stored, and those of the batch in hand.
    fileprivate struct Holes {
        var committed: StreamHoles
        var pending: [StreamHole]

        /// Why frames between two that came are missing. Before the first frame of a boot only a hole of the batch in
        /// hand is held to be it; older ones may have been long before the boot (`LossAudit` knows more).
        func cause(after last: StreamPlace?, before place: StreamPlace?) -> LossCause {
            guard let place else { return .late }
            let here = pending.last { hole in hole.first < place && last.map { $0 < hole.first } ?? true }
            return here?.cause ?? last.flatMap { committed.cause(after: $0, before: place) } ?? .late
        }
    }

    /// Most ledgers kept in memory (about 200 bytes each); beyond it they are read again when needed.
    public static let entriesMax = 200_000
    /// Most holes of ledgers kept in memory (about 32 bytes each); beyond it ledgers are read again when needed.
    public static let gapsMax = 500_000

    private var committed: [Key: Entry] = [:]
    private var committedGaps = 0
    private var committedHoles = StreamHoles()
    private var pending: [Key: Change] = [:]
    private var pendingHoles: [StreamHole] = []

    /// An empty book.
    public init() {}

    /// Which of `keys` must be loaded before frames of theirs can be noted.
    public func unknown(among keys: Set<Key>) -> [Key] { keys.filter { committed[$0] == nil }.sorted() }

    /// Takes over a ledger as the database has it.
    public mutating func load(_ key: Key, _ entry: Entry) { keep(key, entry) }

    /// Takes over the holes of the stream as the database has them.
    public mutating func load(_ holes: StreamHoles) { committedHoles = holes }

    /// Forgets ledgers that somebody else has changed.
    public mutating func forget(_ keys: some Sequence<Key>) {
        for key in keys { keep(key, nil) }
    }

    private mutating func keep(_ key: Key, _ entry: Entry?) {
        committedGaps += (entry?.ledger.gaps.count ?? 0) - (committed[key]?.ledger.gaps.count ?? 0)
        committed[key] = entry
    }

    /// Notes a hole of the stream that the batch in hand has found, before its frames are noted.
    public mutating func note(_ hole: StreamHole) { pendingHoles.append(hole) }

    /// Notes a frame of a loaded ledger.
    /// - Parameter place: where it stood in the partition; nil: it did not come by the stream.
    public mutating func note(
        _ key: Key, _ sequence: Int64, at place: StreamPlace? = nil
    ) -> SequenceLedger.Verdict {
        let holes = Holes(committed: committedHoles, pending: pendingHoles)
        guard let index = pending.index(forKey: key) else {
            let before = committed[key] ?? Entry(ledger: SequenceLedger(), version: 0)
            var change = Change(key: key, version: before.version, ledger: before.ledger, last: before.last)
            let verdict = change.note(sequence, at: place, holes)
            pending[key] = change
            return verdict
        }
        return pending.values[index].note(sequence, at: place, holes)
    }

    /// What the batch changes, in order of the keys.
    public var changes: [Change] {
        pending.values.sorted { $0.key < $1.key }.map { change in
            var change = change
            let before = committed[change.key]?.ledger.gaps ?? []
            (change.gapsRemoved, change.gapsAdded) = Self.difference(before, change.ledger.gaps)
            return change
        }
    }

    /// What is in only one of two lists that are in order.
    private static func difference(
        _ old: [SequenceGap], _ new: [SequenceGap]
    ) -> (removed: [SequenceGap], added: [SequenceGap]) {
        if old == new { return ([], []) }
        var (removed, added): ([SequenceGap], [SequenceGap]) = ([], [])
        var (oldRest, newRest) = (old[...], new[...])
        while let left = oldRest.first, let right = newRest.first {
            if left == right {
                oldRest.removeFirst()
                newRest.removeFirst()
            } else if left.range.lowerBound <= right.range.lowerBound {
                removed.append(oldRest.removeFirst())
            } else {
                added.append(newRest.removeFirst())
            }
        }
        return (removed + oldRest, added + newRest)
    }

    /// The batch is stored.
    public mutating func commit() {
        for change in pending.values {
            keep(change.key, Entry(ledger: change.ledger, version: change.version + 1, last: change.last))
        }
        for hole in pendingHoles { committedHoles.insert(hole) }
        pending = [:]
        pendingHoles = []
        guard committed.count > Self.entriesMax || committedGaps > Self.gapsMax else { return }
        committed = [:]
        committedGaps = 0
    }

    /// The batch is not stored.
    public mutating func rollBack() {
        pending = [:]
        pendingHoles = []
    }
}
