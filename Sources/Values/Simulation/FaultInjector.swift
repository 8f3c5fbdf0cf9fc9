/// A frame as it leaves its sensor.
public struct OutgoingFrame: Sendable, Equatable {
    /// The frame's number in the boot.
    public var sequence: Int64
    /// The number of samples, all channels together.
    public var samples: Int
    /// The encoded frame.
    public var payload: [UInt8]
    /// Whether the frame belongs to an event capture.
    public var isCapture = false
    /// Whether the same frame follows once more: then only the second one counts.
    public var isExtra = false

    /// A frame that is not an extra copy.
    public init(sequence: Int64, samples: Int, payload: [UInt8]) {
        self.sequence = sequence
        self.samples = samples
        self.payload = payload
    }
}

/// The faults injected into one sensor's frames.
public struct InjectedFaults: Sendable, Equatable {
    /// Sequences of frames that were never sent: in order, and no two ranges are adjacent.
    public private(set) var dropped: [ClosedRange<Int64>] = []
    /// Sequences of frames that were sent as undecodable bytes: in order, and no two ranges are adjacent.
    public private(set) var corrupted: [ClosedRange<Int64>] = []
    /// The number of frames that were sent twice.
    public internal(set) var duplicatedFrames: Int64 = 0
    /// The number of frames that were sent after a later one.
    public internal(set) var reorderedFrames: Int64 = 0
    /// How far the sensor's clock is ahead, in nanoseconds.
    public let skewNanoseconds: Int64

    /// No faults except the skew.
    public init(skewNanoseconds: Int64) { self.skewNanoseconds = skewNanoseconds }

    /// The number of frames that were never sent.
    public var droppedFrames: Int64 { dropped.reduce(0) { $0 + Int64($1.count) } }
    /// The number of frames that were sent as undecodable bytes.
    public var corruptedFrames: Int64 { corrupted.reduce(0) { $0 + Int64($1.count) } }

    mutating func drop(_ sequence: Int64) { Self.add(sequence, to: &dropped) }
    mutating func corrupt(_ sequence: Int64) { Self.add(sequence, to: &corrupted) }

    /// Adds a sequence, which must be above the earlier ones.
    private static func add(_ sequence: Int64, to ranges: inout [ClosedRange<Int64>]) {
        if let last = ranges.last, last.upperBound == sequence - 1 {
            ranges[ranges.count - 1] = last.lowerBound...sequence
        } else {
            ranges.append(sequence...sequence)
        }
    }
}

/// Injects the faults of a `FaultPlan` into the frames of one sensor before they enter its outbox. Deterministic: the
/// same seed and the same frames give the same result.
///
/// At most one frame is held back at a time, so that memory is bounded; another frame that is to be reordered meanwhile
/// passes unchanged.
public struct FaultInjector: Sendable {
    /// The first byte of a corrupted payload: field 0 of the unknown wire type 7, which every protobuf decoder must
    /// refuse, and which is not the beginning of JSON in any text encoding.
    static let unreadable: UInt8 = 0x07
    /// The most later frames that may overtake a frame that is held back.
    static let overtakenMax = 3

    /// The faults injected so far.
    public private(set) var injected: InjectedFaults
    private let plan: FaultPlan
    private var random: SplitMix64
    private var held: (frame: OutgoingFrame, left: Int, isOvertaken: Bool)?

    /// An injector for one sensor. Other seeds select other frames.
    public init(plan: FaultPlan, seed: UInt64) {
        self.plan = plan
        injected = InjectedFaults(skewNanoseconds: plan.skewNanoseconds)
        random = SplitMix64(seed: SplitMix64.hash(seed, 1))
    }

    /// Processes the next frame of the sensor; frames must be in order of their sequences.
    /// - Returns: the frames that leave the sensor now, in order.
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

    /// Returns the frame that is still held back, if there is one; called at the end.
    public mutating func flush() -> [OutgoingFrame] {
        guard let held else { return [] }
        self.held = nil
        if held.isOvertaken { injected.reorderedFrames += 1 }
        return [held.frame]
    }

    /// Returns the frames, followed by the frame that is held back once enough frames have overtaken it.
    private mutating func letPass(_ frames: [OutgoingFrame]) -> [OutgoingFrame] {
        held?.isOvertaken = true
        held?.left -= 1
        return held?.left == 0 ? frames + flush() : frames
    }

    /// The frame with another first byte, some bytes changed and possibly a truncated end.
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
