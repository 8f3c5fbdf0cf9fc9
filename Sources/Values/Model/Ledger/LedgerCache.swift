public import Time

/// The ledgers of all sensors of a partition. The changes of the current batch are kept apart until it commits.
public struct LedgerCache: Sendable {
    /// One boot of one sensor.
    public struct Key: Hashable, Sendable, Comparable {
        /// The sensor's number in the database.
        public var sensor: SensorID
        /// The boot's number.
        public var boot: Int64

        /// The boot with that number of that sensor.
        public init(sensor: SensorID, boot: Int64) {
            self.sensor = sensor
            self.boot = boot
        }

        /// By sensor, then by boot.
        public static func < (left: Key, right: Key) -> Bool { (left.sensor, left.boot) < (right.sensor, right.boot) }
    }

    /// A ledger and the version of its row.
    public struct Entry: Sendable, Equatable {
        /// The ledger of the frames received.
        public var ledger: SequenceLedger
        /// The version of the row; 0: the row does not exist yet.
        public var version: Int64
        /// The place in the partition of the boot's highest frame; nil: no frame has arrived by this stream.
        public var last: StreamPosition?

        /// A ledger that was read at that version.
        public init(ledger: SequenceLedger, version: Int64, last: StreamPosition? = nil) {
            self.ledger = ledger
            self.version = version
            self.last = last
        }
    }

    /// The changes of a batch to one ledger.
    public struct Change: Sendable, Equatable {
        /// The sensor and boot of the ledger.
        public var key: Key
        /// The version at which the ledger was read.
        public var version: Int64
        /// The ledger after the batch.
        public var ledger: SequenceLedger
        /// Frames that the batch adds.
        public var frames: Int64 = 0
        /// Frames of the batch that were stored already.
        public var duplicates: Int64 = 0
        /// Frames that the batch does not add because they lie in a joined gap.
        public var givenUp: Int64 = 0
        /// The place in the partition of the boot's first frame in the batch; nil: none arrived by the stream.
        public var first: StreamPosition?
        /// The place in the partition of the boot's frame with the highest sequence.
        public var last: StreamPosition?
        /// Gaps that the batch removes or changes.
        public var gapsRemoved: [SequenceGap] = []
        /// Gaps that the batch adds or changes.
        public var gapsAdded: [SequenceGap] = []

        /// The time since which each gap of `gapsAdded` is known: the earliest time of the removed gaps that it
        /// overlaps; nil: the gap is new.
        /// - Parameter removedAt: the times since which the gaps of `gapsRemoved` are known, by their first sequence.
        public func notedAt(_ removedAt: [Int64: Timestamp]) -> [Timestamp?] {
            var rest = gapsRemoved[...]
            return gapsAdded.map { added in
                while let first = rest.first, first.range.upperBound < added.range.lowerBound { rest.removeFirst() }
                return rest.prefix { $0.range.lowerBound <= added.range.upperBound }
                    .compactMap { removedAt[$0.range.lowerBound] }.min()
            }
        }

        fileprivate mutating func note(
            _ sequence: Int64, at place: StreamPosition?, _ holes: Holes
        ) -> SequenceLedger.Verdict {
            let verdict = ledger.note(sequence) { [last] in holes.cause(after: last, before: place) }
            switch verdict {
            case .new, .late: frames += 1
            case .duplicate: duplicates += 1
            case .unknown: givenUp += 1
            }
            if let place {
                first = first ?? place
                // The next frame does not follow an older frame that is read again, for example after a reset.
                if last == nil || sequence == ledger.next - 1 { last = place }
            }
            return verdict
        }
    }

    /// The holes of the stream: the stored ones and those of the current batch.
    fileprivate struct Holes {
        var committed: StreamGaps
        var pending: [StreamGap]

        /// The cause of missing frames between two received ones. Before the first frame of a boot only a hole of the
        /// current batch counts as the cause; older holes may have been long before the boot (`LossAudit` knows more).
        func cause(after last: StreamPosition?, before place: StreamPosition?) -> LossCause {
            guard let place else { return .late }
            let here = pending.last { hole in hole.first < place && last.map { $0 < hole.first } ?? true }
            return here?.cause ?? last.flatMap { committed.cause(after: $0, before: place) } ?? .late
        }
    }

    /// The most ledgers kept in memory (about 200 bytes each); beyond it ledgers are read again when needed.
    public static let entriesMax = 200_000
    /// The most gaps of ledgers kept in memory (about 32 bytes each); beyond it ledgers are read again when needed.
    public static let gapsMax = 500_000

    private var committed: [Key: Entry] = [:]
    private var committedGaps = 0
    private var committedHoles = StreamGaps()
    private var pending: [Key: Change] = [:]
    private var pendingHoles: [StreamGap] = []

    /// A cache without ledgers.
    public init() {}

    /// The keys of `keys` whose ledgers must be loaded before their frames can be noted.
    public func unknown(among keys: Set<Key>) -> [Key] { keys.filter { committed[$0] == nil }.sorted() }

    /// Sets a ledger as read from the database.
    public mutating func load(_ key: Key, _ entry: Entry) { keep(key, entry) }

    /// Sets the holes of the stream as read from the database.
    public mutating func load(_ holes: StreamGaps) { committedHoles = holes }

    /// Removes ledgers that another writer has changed.
    public mutating func forget(_ keys: some Sequence<Key>) {
        for key in keys { keep(key, nil) }
    }

    private mutating func keep(_ key: Key, _ entry: Entry?) {
        committedGaps += (entry?.ledger.gaps.count ?? 0) - (committed[key]?.ledger.gaps.count ?? 0)
        committed[key] = entry
    }

    /// Records a hole of the stream found by the current batch; must be called before the frames after it are noted.
    public mutating func note(_ hole: StreamGap) { pendingHoles.append(hole) }

    /// Records a frame of a loaded ledger.
    /// - Parameter place: the frame's place in the partition; nil: it did not arrive by the stream.
    public mutating func note(
        _ key: Key, _ sequence: Int64, at place: StreamPosition? = nil
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

    /// The changes of the batch, in order of the keys.
    public var changes: [Change] {
        pending.values.sorted { $0.key < $1.key }.map { change in
            var change = change
            let before = committed[change.key]?.ledger.gaps ?? []
            (change.gapsRemoved, change.gapsAdded) = Self.difference(before, change.ledger.gaps)
            return change
        }
    }

    /// The elements that only one of two sorted lists contains.
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

    /// Adopts the batch's changes after it was stored.
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

    /// Discards the batch's changes after it was not stored.
    public mutating func rollBack() {
        pending = [:]
        pendingHoles = []
    }
}
