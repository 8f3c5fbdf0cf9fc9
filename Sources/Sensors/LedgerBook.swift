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

        /// That ledger, read at that version.
        public init(ledger: SequenceLedger, version: Int64) {
            self.ledger = ledger
            self.version = version
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
        /// Holes that are gone or have changed.
        public var gapsRemoved: [ClosedRange<Int64>] = []
        /// Holes that are new or have changed.
        public var gapsAdded: [ClosedRange<Int64>] = []
    }

    /// Most ledgers kept in memory (about 100 bytes each); beyond it they are read again when needed.
    public static let entriesMax = 200_000

    private var committed: [Key: Entry] = [:]
    private var pending: [Key: Change] = [:]

    /// An empty book.
    public init() {}

    /// Which of `keys` must be loaded before frames of theirs can be noted.
    public func unknown(among keys: Set<Key>) -> [Key] { keys.filter { committed[$0] == nil }.sorted() }

    /// Takes over a ledger as the database has it.
    public mutating func load(_ key: Key, _ entry: Entry) { committed[key] = entry }

    /// Forgets ledgers that somebody else has changed.
    public mutating func forget(_ keys: some Sequence<Key>) {
        for key in keys { committed[key] = nil }
    }

    /// Notes a frame of a loaded ledger.
    public mutating func note(_ key: Key, _ sequence: Int64) -> SequenceLedger.Verdict {
        let before = committed[key] ?? Entry(ledger: SequenceLedger(), version: 0)
        var change = pending[key] ?? Change(key: key, version: before.version, ledger: before.ledger)
        let verdict = change.ledger.note(sequence)
        switch verdict {
        case .new, .late: change.frames += 1
        case .duplicate: change.duplicates += 1
        }
        pending[key] = change
        return verdict
    }

    /// What the batch changes, in order of the keys.
    public var changes: [Change] {
        pending.values.sorted { $0.key < $1.key }.map { change in
            var change = change
            let before = committed[change.key]?.ledger.gaps ?? []
            guard before != change.ledger.gaps else { return change }
            let (old, new) = (Set(before), Set(change.ledger.gaps))
            change.gapsRemoved = before.filter { !new.contains($0) }
            change.gapsAdded = change.ledger.gaps.filter { !old.contains($0) }
            return change
        }
    }

    /// The batch is stored.
    public mutating func commit() {
        for change in pending.values {
            committed[change.key] = Entry(ledger: change.ledger, version: change.version + 1)
        }
        pending = [:]
        if committed.count > Self.entriesMax { committed = [:] }
    }

    /// The batch is not stored.
    public mutating func rollBack() { pending = [:] }
}
