/// A frame as it leaves its sensor.
public struct OutgoingFrame: Sendable, Equatable {
    /// Its number in the boot.
    public var sequence: Int64
    /// Samples in it, all channels together.
    public var samples: Int
    /// The encoded frame.
    public var payload: [UInt8]
    /// Whether the same frame follows once more: then only that one counts.
    public var isExtra = false

    /// That frame.
    public init(sequence: Int64, samples: Int, payload: [UInt8]) {
        self.sequence = sequence
        self.samples = samples
        self.payload = payload
    }
}

/// What was done to one sensor's frames.
public struct InjectedFaults: Sendable, Equatable {
    /// Sequences that were made and never sent: in order, and no two ranges touch.
    public private(set) var dropped: [ClosedRange<Int64>] = []
    /// Sequences that were sent as bytes that nobody can read: likewise.
    public private(set) var corrupted: [ClosedRange<Int64>] = []
    /// Frames that were sent twice.
    public internal(set) var duplicatedFrames: Int64 = 0
    /// Frames that were sent after a later one.
    public internal(set) var reorderedFrames: Int64 = 0
    /// How far the sensor's clock is ahead, nanoseconds.
    public let skewNanoseconds: Int64

    /// Nothing yet but the skew.
    public init(skewNanoseconds: Int64) { self.skewNanoseconds = skewNanoseconds }

    /// Frames that were never sent.
    public var droppedFrames: Int64 { dropped.reduce(0) { $0 + Int64($1.count) } }
    /// Frames that nobody can read.
    public var corruptedFrames: Int64 { corrupted.reduce(0) { $0 + Int64($1.count) } }

    mutating func drop(_ sequence: Int64) { Self.add(sequence, to: &dropped) }
    mutating func corrupt(_ sequence: Int64) { Self.add(sequence, to: &corrupted) }

    /// Sequences come in ascending order.
    private static func add(_ sequence: Int64, to ranges: inout [ClosedRange<Int64>]) {
        if let last = ranges.last, last.upperBound == sequence - 1 {
            ranges[ranges.count - 1] = last.lowerBound...sequence
        } else {
            ranges.append(sequence...sequence)
        }
    }
}

/// Stands between the frames of one sensor and its outbox and does to them what a `FaultPlan` says. Pure: the same seed
/// does the same to the same frames.
///
/// At most one frame is held back at a time, so that nothing gathers; one whose lot it is meanwhile passes as it is.
public struct FaultInjector: Sendable {
    /// The first byte of a payload that was corrupted: field 0 of the unknown wire type 7, which every reader of
    /// protobuf must refuse, and in no encoding of text the beginning of JSON.
    static let unreadable: UInt8 = 0x07
    /// How many later frames may overtake one that is held back.
    static let overtakenMax = 3

    /// What was done so far.
    public private(set) var injected: InjectedFaults
    private let plan: FaultPlan
    private var random: SplitMix64
    private var held: (frame: OutgoingFrame, left: Int, isOvertaken: Bool)?

    /// An injector for one sensor. Sensors with other seeds suffer at other frames.
    public init(plan: FaultPlan, seed: UInt64) {
        self.plan = plan
        injected = InjectedFaults(skewNanoseconds: plan.skewNanoseconds)
        random = SplitMix64(seed: SplitMix64.hash(seed, 1))
    }

    /// Takes the next frame of the sensor; frames come in order of their sequences.
    /// - Returns: what leaves the sensor now, in this order.
    public mutating func pass(_ frame: OutgoingFrame) -> [OutgoingFrame] {
        switch plan.kind(ofLot: random.uniform()) {
        case nil: return letPass([frame])
        case .drop:
            injected.drop(frame.sequence)
            return []
        case .corrupt:
            injected.corrupt(frame.sequence)
            return [corrupted(frame)]
        case .duplicate:
            injected.duplicatedFrames += 1
            var extra = frame
            extra.isExtra = true
            return letPass([extra, frame])
        case .reorder:
            if held != nil { return letPass([frame]) }
            held = (frame, 1 + Int(random.next() % UInt64(Self.overtakenMax)), false)
            return []
        }
    }

    /// The end: gives what is still held back.
    public mutating func flush() -> [OutgoingFrame] {
        guard let held else { return [] }
        self.held = nil
        if held.isOvertaken { injected.reorderedFrames += 1 }
        return [held.frame]
    }

    /// Sound frames leave, and after enough of them the one that is held back.
    private mutating func letPass(_ frames: [OutgoingFrame]) -> [OutgoingFrame] {
        held?.isOvertaken = true
        held?.left -= 1
        return held?.left == 0 ? frames + flush() : frames
    }

    /// The frame with another beginning, some bytes changed and perhaps the end cut off.
    private mutating func corrupted(_ frame: OutgoingFrame) -> OutgoingFrame {
        var damaged = frame
        if random.next() & 1 == 0 { damaged.payload.removeLast(Int(random.next() % UInt64(frame.payload.count + 1))) }
        for _ in 0..<4 where !damaged.payload.isEmpty {
            damaged.payload[Int(random.next() % UInt64(damaged.payload.count))] ^= UInt8(1 + random.next() % 255)
        }
        if damaged.payload.isEmpty { damaged.payload = [Self.unreadable] }
        damaged.payload[0] = Self.unreadable
        return damaged
    }
}
