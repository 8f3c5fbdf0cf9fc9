internal import Broker
internal import Model

/// The publishes that wait for the broker's confirm, each with its batch. A pure value without I/O.
struct ConfirmTable {
    /// The batch of a publish and its position in that batch.
    struct Slot: Equatable {
        var batch: Int
        var position: Int
    }

    /// A publish that the broker has settled.
    struct Settled: Equatable {
        var place: Slot
        var outcome: PublishOutcome
    }

    private var places: [UInt64: Slot] = [:]
    private var returned: Set<UInt64> = []
    /// The tag of the next publish; the broker counts the same way, from 1, on each channel.
    private(set) var nextTag: UInt64 = 1
    private var lowest: UInt64 = 1

    /// The number of publishes that wait for a confirm.
    var count: Int { places.count }

    /// Records a publish.
    /// - Returns: the publish's delivery tag.
    mutating func add(_ place: Slot) -> UInt64 {
        let tag = nextTag
        nextTag += 1
        places[tag] = place
        return tag
    }

    /// Records that the broker returned a message; the message's confirm follows.
    mutating func noteReturn(of tag: UInt64) {
        if places[tag] != nil { returned.insert(tag) }
    }

    /// Records a confirm (or, if not `ok`, a nack) of one tag, or with `multiple` of all tags up to it.
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
