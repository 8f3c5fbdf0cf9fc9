/// A doubly linked list through a `MessageStore`, in order of arrival.
///
/// All messages before `cursor` are in flight.
struct MessageList: Sendable {
    /// The oldest message.
    var head: MessageStore.Slot?
    /// The newest message.
    var tail: MessageStore.Slot?
    /// The position to look for the oldest message that is not in flight; nil: there is none.
    var cursor: MessageStore.Slot?
}

/// The messages of an outbox: reusable slots, each linked into the list of its lane and, if it holds a frame, into the
/// list of all frames.
struct MessageStore: Sendable {
    /// The index of a message while it is stored.
    typealias Slot = Int

    /// The two lists that a message can be in.
    enum Link {
        /// The list of its lane.
        case lane
        /// The list of all frames.
        case age
    }

    private struct Neighbours {
        var previous: Slot?
        var next: Slot?
    }

    private struct Entry {
        var message: OutboxMessage
        var order: UInt64
        var use: UInt32
        var disconnects = 0
        var isUsed = true
        var isInFlight = false
        var lane = Neighbours()
        var age = Neighbours()
    }

    private var entries: [Entry] = []
    private var unused: [Slot] = []
    private var orderNext: UInt64 = 0

    private static let empty = OutboxMessage(sensor: 0, lane: 0, suffix: "", payload: [], cargo: .word)

    // MARK: slots

    /// Stores a message without adding it to a list.
    mutating func insert(_ message: OutboxMessage) -> Slot {
        orderNext += 1
        if let slot = unused.popLast() {
            let use = entries[slot].use &+ 1
            entries[slot] = Entry(message: message, order: orderNext, use: use)
            return slot
        }
        precondition(entries.count < UInt32.max, "too many messages")
        entries.append(Entry(message: message, order: orderNext, use: 0))
        return entries.count - 1
    }

    /// Removes a message that is no longer in a list.
    mutating func free(_ slot: Slot) {
        entries[slot].message = Self.empty
        entries[slot].isUsed = false
        unused.append(slot)
    }

    /// The message in that slot.
    func message(at slot: Slot) -> OutboxMessage { entries[slot].message }

    /// The token of the message in that slot: the slot and the number of its uses.
    func token(of slot: Slot) -> Outbox.Token { Outbox.Token(bits: UInt64(entries[slot].use) << 32 | UInt64(slot)) }

    /// The slot of the message with that token; nil if the message was removed.
    func slot(of token: Outbox.Token) -> Slot? {
        let slot = Int(token.bits & 0xFFFF_FFFF)
        guard slot < entries.count, entries[slot].isUsed, UInt64(entries[slot].use) == token.bits >> 32 else {
            return nil
        }
        return slot
    }

    /// Whether the message in that slot is in flight.
    func isInFlight(_ slot: Slot) -> Bool { entries[slot].isInFlight }

    /// Marks whether the message in that slot is in flight.
    mutating func setInFlight(_ slot: Slot, _ isInFlight: Bool) { entries[slot].isInFlight = isInFlight }

    /// The number of disconnects during which the message in that slot was in flight.
    func disconnects(of slot: Slot) -> Int { entries[slot].disconnects }

    /// Counts a disconnect while the message in that slot was in flight, and returns the number of those disconnects.
    mutating func countDisconnect(_ slot: Slot) -> Int {
        entries[slot].disconnects += 1
        return entries[slot].disconnects
    }

    // MARK: lists

    /// The message that follows the one in that slot.
    func next(_ slot: Slot, as link: Link) -> Slot? { neighbours(slot, link).next }

    /// Appends the newest message to a list.
    mutating func append(_ slot: Slot, to list: inout MessageList, as link: Link) {
        setNeighbours(slot, link, Neighbours(previous: list.tail, next: nil))
        if let tail = list.tail {
            var old = neighbours(tail, link)
            old.next = slot
            setNeighbours(tail, link, old)
        }
        list.tail = slot
        if list.head == nil { list.head = slot }
        if list.cursor == nil { list.cursor = slot }
    }

    /// Removes a message from a list.
    mutating func unlink(_ slot: Slot, from list: inout MessageList, as link: Link) {
        let old = neighbours(slot, link)
        if let previous = old.previous {
            var changed = neighbours(previous, link)
            changed.next = old.next
            setNeighbours(previous, link, changed)
        } else {
            list.head = old.next
        }
        if let next = old.next {
            var changed = neighbours(next, link)
            changed.previous = old.previous
            setNeighbours(next, link, changed)
        } else {
            list.tail = old.previous
        }
        if list.cursor == slot { list.cursor = old.next }
    }

    /// Moves the cursor to the oldest message that is not in flight, and returns it.
    mutating func advance(_ list: inout MessageList, as link: Link) -> Slot? {
        while let slot = list.cursor, entries[slot].isInFlight { list.cursor = neighbours(slot, link).next }
        return list.cursor
    }

    /// Moves the cursor back if it is beyond the message in that slot, which is no longer in flight.
    mutating func moveCursorBack(_ list: inout MessageList, to slot: Slot) {
        if let cursor = list.cursor, entries[cursor].order <= entries[slot].order { return }
        list.cursor = slot
    }

    private func neighbours(_ slot: Slot, _ link: Link) -> Neighbours {
        switch link {
        case .lane: entries[slot].lane
        case .age: entries[slot].age
        }
    }

    private mutating func setNeighbours(_ slot: Slot, _ link: Link, _ neighbours: Neighbours) {
        switch link {
        case .lane: entries[slot].lane = neighbours
        case .age: entries[slot].age = neighbours
        }
    }
}
