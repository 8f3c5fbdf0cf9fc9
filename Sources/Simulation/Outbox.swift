/// A message on its way to the broker.
public struct OutboxMessage: Sendable, Equatable {
    /// Whose it is: 0 ..< the outbox's `sensors`.
    public var sensor: Int
    /// Which connection takes it: 0 ..< the outbox's `lanes`. All messages of a sensor take the same.
    public var lane: Int
    /// What follows the sensor in the routing key: "data", "acks" …
    public var suffix: String
    /// The encoded message.
    public var payload: [UInt8]
    /// Whether it carries samples.
    public var cargo: Cargo

    /// What a message is worth when there is no room for all.
    public enum Cargo: Sendable, Equatable {
        /// Samples, so many of all channels together; the oldest are dropped when there is no more room.
        case frame(samples: Int)
        /// A frame that follows once more: like it, but neither its confirm nor its loss counts.
        case extra
        /// An answer, announcement or log line: never dropped for room.
        case word
    }

    /// A message of these parts.
    public init(sensor: Int, lane: Int, suffix: String, payload: [UInt8], cargo: Cargo) {
        self.sensor = sensor
        self.lane = lane
        self.suffix = suffix
        self.payload = payload
        self.cargo = cargo
    }
}

/// What an outbox can hold.
public struct OutboxLimits: Sendable, Equatable {
    /// Bytes that a message takes besides its payload.
    public static let overheadBytes = 160

    /// Bytes of all messages together, with `overheadBytes` for each.
    public var bytesMax: Int
    /// Messages of one lane that may be under way at a time.
    public var windowMax: Int
    /// A message that was under way at so many disconnects is given up: it may be what the broker disconnects for. The last
    /// chance it gets alone.
    public var disconnectsMax: Int

    /// 64 MiB, 32 messages under way on each lane, three disconnects, unless told otherwise.
    public init(bytesMax: Int = 64 << 20, windowMax: Int = 32, disconnectsMax: Int = 3) {
        self.bytesMax = bytesMax
        self.windowMax = windowMax
        self.disconnectsMax = disconnectsMax
    }
}

/// Messages of many sensors that the broker has not confirmed yet: bounded, in order for each lane.
///
/// A lane is a connection: with MQTT each sensor has its own, with AMQP or a gateway many sensors share one. Messages of a
/// lane leave in the order in which they were appended and stay until they are confirmed; after a lost connection they leave
/// again in the same order. All operations take constant time, `connectionLost` time proportional to what was under way.
///
/// Entries never move: each lane is a list in order of arrival through one common store, and so are all frames, for
/// finding the oldest. Each list has a cursor with nothing but messages under way before it.
public struct Outbox: Sendable {
    /// Names a message that was taken; never used twice.
    public struct Token: Hashable, Sendable {
        /// For crossing to where there is only room for a number.
        public let bits: UInt64

        /// The token with these `bits`.
        public init(bits: UInt64) { self.bits = bits }
    }

    /// Frames that will not arrive, and why.
    public struct Loss: Sendable, Equatable {
        /// Why messages were lost.
        public enum Cause: Sendable, Equatable {
            /// No more room: the oldest frames were dropped.
            case overflow
            /// Under way at too many disconnects, or refused for good.
            case givenUp
        }

        /// Whose.
        public var sensor: Int
        /// Why.
        public var cause: Cause
        /// Frames that were lost.
        public var frames: Int
        /// Samples in these frames.
        public var samples: Int
        /// Other messages that were lost.
        public var words: Int

        /// A loss of so much.
        public init(sensor: Int, cause: Cause, frames: Int, samples: Int, words: Int) {
            self.sensor = sensor
            self.cause = cause
            self.frames = frames
            self.samples = samples
            self.words = words
        }
    }

    /// What it can hold.
    public let limits: OutboxLimits
    /// Bytes of all messages in it, with the overhead.
    public private(set) var bytes = 0
    /// Messages in it.
    public private(set) var count = 0
    /// Messages under way.
    public private(set) var inFlight = 0

    var store = MessageStore()
    private var lanes: [Lane]
    private var frames = MessageList()
    private var readyLanes: [Int] = []
    private var readyHead = 0
    private var losses: [Loss] = []
    private var lossOfSensor: [Int: [Int]] = [:]
    private var wordBytes = 0

    private struct Lane {
        var messages = MessageList()
        var inFlight = 0
        var isOpen = false
        var isPaused = false
        var isQueued = false
        /// A suspect is under way, alone.
        var isProbing = false
    }

    /// An empty outbox for that many lanes, all of them closed.
    public init(lanes: Int, limits: OutboxLimits = OutboxLimits()) {
        precondition(lanes >= 0 && limits.windowMax > 0 && limits.disconnectsMax > 0, "an outbox without room")
        self.lanes = Array(repeating: Lane(), count: lanes)
        self.limits = limits
    }

    /// Messages of that lane under way.
    public func inFlight(lane: Int) -> Int { lanes[lane].inFlight }

    /// Adds one more lane, closed, and gives its number.
    public mutating func addLane() -> Int {
        lanes.append(Lane())
        return lanes.count - 1
    }

    // MARK: in

    /// Keeps a message. Drops the oldest frames that are not under way if there is no more room (see `takeLosses`).
    ///
    /// - Returns: false if the message itself could not be kept: it is a frame and older messages that may not be dropped
    ///   leave no room (counted as a loss), or it is a word and words alone fill the outbox (not counted).
    public mutating func append(_ message: OutboxMessage) -> Bool {
        let size = Self.size(of: message)
        if message.cargo == .word {
            guard wordBytes + size <= limits.bytesMax else { return false }
            wordBytes += size
        }
        let slot = store.insert(message)
        count += 1
        bytes += size
        store.append(slot, to: &lanes[message.lane].messages, as: .lane)
        if message.cargo != .word { store.append(slot, to: &frames, as: .age) }
        let token = store.token(of: slot)
        while bytes > limits.bytesMax, let oldest = oldestIdleFrame() {
            noteLoss(of: oldest, cause: .overflow)
            remove(oldest)
        }
        queueIfReady(message.lane)
        return store.slot(of: token) != nil
    }

    /// The losses since the last call, one entry for each sensor and cause.
    public mutating func takeLosses() -> [Loss] {
        let taken = losses
        losses.removeAll()
        lossOfSensor.removeAll()
        return taken
    }

    // MARK: out

    /// The lane's connection stands: its messages may be taken.
    public mutating func connected(lane: Int) {
        lanes[lane].isOpen = true
        queueIfReady(lane)
    }

    /// The next messages of any open lanes, at most `limit`, in order for each lane; lanes take turns. They are under way
    /// from now on.
    public mutating func take(atMost limit: Int) -> [(token: Token, message: OutboxMessage)] {
        var taken: [(token: Token, message: OutboxMessage)] = []
        while taken.count < limit, let lane = popReadyLane() {
            take(lane: lane, atMost: limit - taken.count, into: &taken)
            queueIfReady(lane)
        }
        return taken
    }

    /// The next messages of one lane, at most `limit`; none if it is closed or its window is full.
    public mutating func take(lane: Int, atMost limit: Int) -> [(token: Token, message: OutboxMessage)] {
        var taken: [(token: Token, message: OutboxMessage)] = []
        take(lane: lane, atMost: limit, into: &taken)
        return taken
    }

    private mutating func take(
        lane: Int, atMost limit: Int, into taken: inout [(token: Token, message: OutboxMessage)]
    ) {
        var room = limit
        while room > 0, let slot = nextToTake(lane) {
            lanes[lane].isProbing = isSuspect(slot)
            store.setInFlight(slot, true)
            lanes[lane].inFlight += 1
            inFlight += 1
            room -= 1
            taken.append((store.token(of: slot), store.message(at: slot)))
        }
    }

    /// The next message of a lane that may leave now.
    ///
    /// A message that one more disconnect would give up leaves alone: so only the one for which the broker disconnects is
    /// given up, not those that happened to be under way with it.
    private mutating func nextToTake(_ lane: Int) -> MessageStore.Slot? {
        guard lanes[lane].isOpen, !lanes[lane].isPaused, !lanes[lane].isProbing,
            lanes[lane].inFlight < limits.windowMax, let slot = store.advance(&lanes[lane].messages, as: .lane)
        else { return nil }
        return isSuspect(slot) && lanes[lane].inFlight > 0 ? nil : slot
    }

    private func isSuspect(_ slot: MessageStore.Slot) -> Bool {
        limits.disconnectsMax > 1 && store.disconnects(of: slot) >= limits.disconnectsMax - 1
    }

    /// The broker has the message.
    /// - Returns: the message, or nil if the token names none that is under way (it was confirmed or given up before).
    public mutating func confirm(_ token: Token) -> OutboxMessage? {
        guard let slot = store.slot(of: token), store.isInFlight(slot) else { return nil }
        let message = store.message(at: slot)
        remove(slot)
        queueIfReady(message.lane)
        return message
    }

    /// The message was not sent after all: it waits again, in its old place.
    public mutating func returned(_ token: Token) {
        guard let slot = store.slot(of: token), store.isInFlight(slot) else { return }
        makeIdle(slot)
        queueIfReady(store.message(at: slot).lane)
    }

    /// The broker had no place for the message: it waits again, in its old place, and nothing of its lane is taken before
    /// `resume`.
    /// - Returns: the lane; nil if it was paused before, or the token names none that is under way.
    public mutating func pause(by token: Token) -> Int? {
        guard let slot = store.slot(of: token), store.isInFlight(slot) else { return nil }
        makeIdle(slot)
        let lane = store.message(at: slot).lane
        guard !lanes[lane].isPaused else { return nil }
        lanes[lane].isPaused = true
        return lane
    }

    /// A paused lane's messages may be taken again, if its connection stands.
    public mutating func resume(lane: Int) {
        lanes[lane].isPaused = false
        queueIfReady(lane)
    }

    /// The message can never be sent (it is too large): it is counted as given up.
    public mutating func giveUp(_ token: Token) {
        guard let slot = store.slot(of: token) else { return }
        let lane = store.message(at: slot).lane
        noteLoss(of: slot, cause: .givenUp)
        remove(slot)
        queueIfReady(lane)
    }

    /// The lane's connection broke: what was under way waits again, in order; what was under way at the third disconnect is
    /// given up (see `takeLosses`). Nothing of the lane is taken before `connected`.
    public mutating func connectionLost(lane: Int) {
        lanes[lane].isOpen = false
        var cursor = lanes[lane].messages.head
        while lanes[lane].inFlight > 0, let slot = cursor {
            cursor = store.next(slot, as: .lane)
            guard store.isInFlight(slot) else { continue }
            if store.countDisconnect(slot) >= limits.disconnectsMax {
                noteLoss(of: slot, cause: .givenUp)
                remove(slot)
            } else {
                makeIdle(slot)
            }
        }
    }

    // MARK: inside

    private static func size(of message: OutboxMessage) -> Int { message.payload.count + OutboxLimits.overheadBytes }

    private mutating func makeIdle(_ slot: MessageStore.Slot) {
        store.setInFlight(slot, false)
        let lane = store.message(at: slot).lane
        countLanding(lane)
        store.moveCursorBack(&lanes[lane].messages, to: slot)
        if store.message(at: slot).cargo != .word { store.moveCursorBack(&frames, to: slot) }
    }

    /// A message of the lane is not under way any more.
    private mutating func countLanding(_ lane: Int) {
        lanes[lane].inFlight -= 1
        lanes[lane].isProbing = false
        inFlight -= 1
    }

    private mutating func oldestIdleFrame() -> MessageStore.Slot? { store.advance(&frames, as: .age) }

    private mutating func remove(_ slot: MessageStore.Slot) {
        let message = store.message(at: slot)
        if store.isInFlight(slot) { countLanding(message.lane) }
        let size = Self.size(of: message)
        bytes -= size
        count -= 1
        store.unlink(slot, from: &lanes[message.lane].messages, as: .lane)
        if message.cargo == .word {
            wordBytes -= size
        } else {
            store.unlink(slot, from: &frames, as: .age)
        }
        store.free(slot)
    }

    private mutating func noteLoss(of slot: MessageStore.Slot, cause: Loss.Cause) {
        let message = store.message(at: slot)
        if message.cargo == .extra { return }
        let known = lossOfSensor[message.sensor, default: []].first { losses[$0].cause == cause }
        let index = known ?? losses.count
        if known == nil {
            losses.append(Loss(sensor: message.sensor, cause: cause, frames: 0, samples: 0, words: 0))
            lossOfSensor[message.sensor, default: []].append(index)
        }
        switch message.cargo {
        case .frame(let samples):
            losses[index].frames += 1
            losses[index].samples += samples
        case .extra: break
        case .word: losses[index].words += 1
        }
    }

    /// Puts a lane into the queue of those from which `take(atMost:)` takes.
    private mutating func queueIfReady(_ lane: Int) {
        guard !lanes[lane].isQueued, nextToTake(lane) != nil else { return }
        lanes[lane].isQueued = true
        readyLanes.append(lane)
    }

    private mutating func popReadyLane() -> Int? {
        guard readyHead < readyLanes.count else { return nil }
        let lane = readyLanes[readyHead]
        readyHead += 1
        if readyHead == readyLanes.count || readyHead > 1024 && readyHead * 2 > readyLanes.count {
            readyLanes.removeFirst(readyHead)
            readyHead = 0
        }
        lanes[lane].isQueued = false
        return lane
    }
}
