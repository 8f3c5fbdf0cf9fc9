/// Which publishes wait for the broker's confirm, and in which batch they were: a pure value.
struct ConfirmTable {
    /// Where a publish belongs.
    struct Place: Equatable {
        /// The batch.
        var batch: Int
        /// Its position in the batch.
        var position: Int
    }

    /// The end of a publish.
    struct Settled: Equatable {
        var place: Place
        var outcome: PublishOutcome
    }

    private var places: [UInt64: Place] = [:]
    private var returned: Set<UInt64> = []
    /// The tag of the next publish; the broker counts the same way, from 1, on each channel.
    private(set) var nextTag: UInt64 = 1
    private var lowest: UInt64 = 1

    /// Publishes that wait.
    var count: Int { places.count }

    /// Notes a publish.
    /// - Returns: its tag.
    mutating func add(_ place: Place) -> UInt64 {
        let tag = nextTag
        nextTag += 1
        places[tag] = place
        return tag
    }

    /// Notes that the broker sent a message back; its confirm follows.
    mutating func noteReturn(of tag: UInt64) {
        if places[tag] != nil { returned.insert(tag) }
    }

    /// Notes a confirm (or, if not `ok`, a refusal) of one tag or of all up to it.
    mutating func settle(_ tag: UInt64, multiple: Bool, ok: Bool) -> [Settled] {
        guard tag < nextTag else { return [] }
        let tags = multiple && lowest <= tag ? lowest...tag : tag...tag
        var settled: [Settled] = []
        for tag in tags {
            guard let place = places.removeValue(forKey: tag) else { continue }
            let wasReturned = returned.remove(tag) != nil
            settled.append(Settled(place: place, outcome: !ok ? .refused : wasReturned ? .unroutable : .confirmed))
        }
        if multiple { lowest = max(lowest, tag + 1) }
        while lowest < nextTag, places[lowest] == nil { lowest += 1 }
        return settled
    }
}
