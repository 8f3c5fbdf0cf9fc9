/// A message to send to the broker.
public struct OutboxMessage: Sendable, Equatable {
    /// The sensor's number, from 0.
    public var sensor: Int
    /// The lane, which stands for a connection: 0 ..< the outbox's lanes. All messages of a sensor use the same lane.
    public var lane: Int
    /// The words after the sensor in the routing key: "data", "acks" …
    public var suffix: String
    /// The encoded message.
    public var payload: [UInt8]
    /// The kind of content.
    public var cargo: Cargo

    /// The kind of content, which decides whether a full outbox may drop the message.
    public enum Cargo: Sendable, Equatable {
        /// A frame with that many samples, all channels together, of the channels or of an event capture; a full outbox drops
        /// the oldest frames.
        case frame(samples: Int, isCapture: Bool = false)
        /// A copy of a frame that follows once more: treated like a frame, but neither its confirm nor its loss counts.
        case extra
        /// An answer, announcement or log line: never dropped for space.
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

/// The limits of an outbox.
public struct OutboxLimits: Sendable, Equatable {
    /// The bytes counted for a message in addition to its payload.
    public static let overheadBytes = 160

    /// The most bytes of all messages together, including `overheadBytes` for each.
    public var bytesMax: Int
    /// The most messages of one lane that may be in flight.
    public var windowMax: Int
    /// The outbox gives up a message that was in flight at this many disconnects, because it may be the cause of the
    /// disconnects. The last attempt sends the message alone.
    public var disconnectsMax: Int

    /// Limits of 64 MiB, 32 messages in flight on each lane and three disconnects by default.
    public init(bytesMax: Int = 64 << 20, windowMax: Int = 32, disconnectsMax: Int = 3) {
        self.bytesMax = bytesMax
        self.windowMax = windowMax
        self.disconnectsMax = disconnectsMax
    }
}

/// The messages of many sensors that the broker has not confirmed yet: bounded, and in order for each lane.
///
/// A lane is a connection: with MQTT each sensor has its own, with AMQP or a gateway many sensors share one. The
/// messages of a lane are sent in the order in which they were appended and stay until they are confirmed; after a lost
/// connection they are sent again in the same order. All operations take constant time, except `connectionLost`, whose
/// time is proportional to the number of messages in flight.
///
/// Entries never move: each lane is a list in order of arrival through one common store, and a further list links all
/// frames, to find the oldest. Each list has a cursor; all messages before it are in flight.
public struct Outbox: Sendable {
    /// Identifies a message that was taken; never reused.
    public struct Token: Hashable, Sendable {
        /// The token as a number, for interfaces that only carry a number.
        public let bits: UInt64

        /// The token with these `bits`.
        public init(bits: UInt64) { self.bits = bits }
    }

    /// Lost messages of a sensor, with the cause.
    public struct Loss: Sendable, Equatable {
        /// The cause of the loss.
        public enum Cause: Sendable, Equatable {
            /// The outbox was full and dropped the oldest frames.
            case overflow
            /// The messages were in flight at too many disconnects, or can never be sent.
            case givenUp
        }

        /// The sensor's number.
        public var sensor: Int
        /// The cause.
        public var cause: Cause
        /// The number of lost frames.
        public var frames: Int
        /// The number of those that belong to event captures.
        public var captureFrames = 0
        /// The number of samples in the lost frames.
        public var samples: Int
        /// The number of other lost messages.
        public var words: Int

        /// A loss of that many frames, samples and other messages.
        public init(sensor: Int, cause: Cause, frames: Int, samples: Int, words: Int) {
            self.sensor = sensor
            self.cause = cause
            self.frames = frames
            self.samples = samples
            self.words = words
        }
    }

    /// The outbox's limits.
    public let limits: OutboxLimits
    /// The bytes of all messages, including the overhead.
    public private(set) var bytes = 0
    /// The number of messages.
    public private(set) var count = 0
    /// The number of messages in flight.
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
        /// A message that may be the cause of disconnects is in flight alone.
        var isProbing = false
    }

    /// An empty outbox with that many lanes, all of them closed.
    public init(lanes: Int, limits: OutboxLimits = OutboxLimits()) {
        precondition(lanes >= 0 && limits.windowMax > 0 && limits.disconnectsMax > 0, "an outbox without room")
        self.lanes = Array(repeating: Lane(), count: lanes)
        self.limits = limits
    }

    /// The number of messages of that lane in flight.
    public func inFlight(lane: Int) -> Int { lanes[lane].inFlight }

    /// Adds a closed lane and returns its number.
    public mutating func addLane() -> Int {
        lanes.append(Lane())
        return lanes.count - 1
    }

    // MARK: in

    /// Adds a message. If the outbox is full, drops the oldest frames that are not in flight (see `takeLosses`).
    ///
    /// - Returns: false if the message itself could not be kept: it is a frame, and older messages that may not be
    ///   dropped leave no space (counted as a loss), or it is a `word`, and words alone fill the outbox (not counted).
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

    /// Opens a lane whose connection is established: its messages may be taken.
    public mutating func connected(lane: Int) {
        lanes[lane].isOpen = true
        queueIfReady(lane)
    }

    /// Takes the next messages of any open lanes, at most `limit`, in order for each lane; lanes take turns. The
    /// messages are in flight from now on.
    public mutating func take(atMost limit: Int) -> [(token: Token, message: OutboxMessage)] {
        var taken: [(token: Token, message: OutboxMessage)] = []
        while taken.count < limit, let lane = popReadyLane() {
            take(lane: lane, atMost: limit - taken.count, into: &taken)
            queueIfReady(lane)
        }
        return taken
    }

    /// Takes the next messages of one lane, at most `limit`; none if the lane is closed or its window is full.
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

    /// The next message of a lane that may be sent now.
    ///
    /// A message that would be given up at one more disconnect is sent alone. So only the message for which the broker
    /// disconnects is given up, not the messages that happened to be in flight with it.
    private mutating func nextToTake(_ lane: Int) -> MessageStore.Slot? {
        guard lanes[lane].isOpen, !lanes[lane].isPaused, !lanes[lane].isProbing,
            lanes[lane].inFlight < limits.windowMax, let slot = store.advance(&lanes[lane].messages, as: .lane)
        else { return nil }
        return isSuspect(slot) && lanes[lane].inFlight > 0 ? nil : slot
    }

    private func isSuspect(_ slot: MessageStore.Slot) -> Bool {
        limits.disconnectsMax > 1 && store.disconnects(of: slot) >= limits.disconnectsMax - 1
    }

    /// Removes a message that the broker confirmed.
    /// - Returns: the message; nil if it is not in flight (it was confirmed or given up before).
    public mutating func confirm(_ token: Token) -> OutboxMessage? {
        guard let slot = store.slot(of: token), store.isInFlight(slot) else { return nil }
        let message = store.message(at: slot)
        remove(slot)
        queueIfReady(message.lane)
        return message
    }

    /// Puts back a message that was not sent: it waits again in its old position.
    public mutating func returned(_ token: Token) {
        guard let slot = store.slot(of: token), store.isInFlight(slot) else { return }
        makeIdle(slot)
        queueIfReady(store.message(at: slot).lane)
    }

    /// Puts back a message that the broker could not accept, and pauses its lane: the message waits again in its old
    /// position, and no message of its lane is taken before `resume`.
    /// - Returns: the lane; nil if it was paused already, or if the message is not in flight.
    public mutating func pause(by token: Token) -> Int? {
        guard let slot = store.slot(of: token), store.isInFlight(slot) else { return nil }
        makeIdle(slot)
        let lane = store.message(at: slot).lane
        guard !lanes[lane].isPaused else { return nil }
        lanes[lane].isPaused = true
        return lane
    }

    /// Ends the pause of a lane: its messages may be taken again if the lane is open.
    public mutating func resume(lane: Int) {
        lanes[lane].isPaused = false
        queueIfReady(lane)
    }

    /// Removes a message that can never be sent (it is too large), and counts it as given up.
    public mutating func giveUp(_ token: Token) {
        guard let slot = store.slot(of: token) else { return }
        let lane = store.message(at: slot).lane
        noteLoss(of: slot, cause: .givenUp)
        remove(slot)
        queueIfReady(lane)
    }

    /// Closes a lane whose connection broke: its messages in flight wait again, in order. Messages that were in flight
    /// at `disconnectsMax` disconnects are given up (see `takeLosses`). No message of the lane is taken before
    /// `connected`.
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

    /// Counts a message of the lane that is no longer in flight.
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
        case .frame(let samples, let isCapture):
            losses[index].frames += 1
            losses[index].captureFrames += isCapture ? 1 : 0
            losses[index].samples += samples
        case .extra: break
        case .word: losses[index].words += 1
        }
    }

    /// Queues a lane for `take(atMost:)` if it has a message to send.
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
