internal import Model
internal import Time

/// The order and the time base of one sensor's frames.
///
/// Signal time is the trusted time of frames without the steps of clocks: durations of conditions are measured in it. A frame
/// follows if its time is explained by the number of frames since the newest, or by the time between their arrivals. A time that
/// is explained by neither is a step of the clock; if the second frame has the same offset, that is the new time base.
struct SensorClock: Sendable, Equatable {
    /// What may lie between the expected time and the frame's, besides a quarter of the distance of the frames.
    private static let tolerance: Int64 = 2_000_000_000

    /// What a frame is.
    enum Verdict: Equatable {
        /// It is to be judged; its first sample was taken at this signal time.
        case judge(Timestamp)
        /// The same, and a new time base holds from it on.
        case judgeAfterStep(Timestamp)
        /// It is older than the newest of its boot, or the newest again.
        case late
    }

    /// Whether a frame was heard.
    var isKnown = false
    /// The boot of the newest frame; -1 for devices that do not number.
    var boot: Int64 = -1
    /// Its number within the boot.
    var sequence: Int64 = -1
    /// The trusted time of its first sample.
    var start = Timestamp(unixNanoseconds: 0)
    /// Its arrival.
    var received = Timestamp(unixNanoseconds: 0)
    /// The signal time of its first sample.
    var tau = Timestamp(unixNanoseconds: 0)
    /// From one frame to the next, in nanoseconds; 0 if unknown.
    var interval: Int64 = 0
    /// How many frames were judged.
    var frames: Int64 = 0
    /// Whether the newest frame's samples follow those of the frame before.
    var isContinuous = false
    /// Trusted time minus signal time, in nanoseconds.
    var shift: Int64 = 0
    /// The shift that a step of the clock would make, if the next frame confirms it.
    var candidate: Int64?

    /// Looks at the next frame.
    /// - Parameters:
    ///   - start: the trusted time of its first sample.
    ///   - length: the nanoseconds that its samples stand for; 0 without a rate.
    mutating func note(_ position: FramePosition?, start: Timestamp, length: Int64, received: Timestamp) -> Verdict {
        guard isKnown else {
            isKnown = true
            tau = start
            accept(position, start, received, interval: length)
            return .judge(start)
        }
        var steps: Int64 = position == nil ? 1 : 0
        if let position {
            if position.boot == boot {
                if position.sequence <= sequence { return .late }
                steps = position.sequence - sequence
            } else if position.boot < boot, start <= self.start {
                return .late
            }
        }
        let elapsed = max(0, received.nanoseconds(since: self.received))
        let moved = start.advanced(byNanoseconds: 0 &- shift).nanoseconds(since: tau)
        let expected = interval.multipliedReportingOverflow(by: steps)
        let due = expected.overflow ? Int64.max / 4 : expected.partialValue
        if Self.explains(moved, due: due, elapsed: elapsed) {
            candidate = nil
            if length == 0, steps > 0, moved > 0 { interval = moved / steps }
            let follows = steps == 1 && length > 0 && interval > 0 && Self.isNear(moved, interval, within: interval / 4)
            tau = max(tau, tau.advanced(byNanoseconds: moved))
            accept(position, start, received, interval: length, follows: follows)
            return .judge(tau)
        }
        // A frame without a number that is older changes nothing, so that the next is expected by its arrival alone.
        let usual = due > 0 && (position != nil || moved >= 0) ? due : elapsed
        let between = start.nanoseconds(since: self.start)
        let first = interval == 0 && steps > 0 && between > 0 ? between / steps : 0
        return step(position, start, usual, moved: moved, interval: length > 0 ? length : first, received: received)
    }

    private static func explains(_ moved: Int64, due: Int64, elapsed: Int64) -> Bool {
        let tolerance = Self.tolerance + due / 4
        if due > 0, isNear(moved, due, within: tolerance) { return true }
        return moved >= 0 && moved - tolerance <= elapsed
    }

    private static func isNear(_ left: Int64, _ right: Int64, within tolerance: Int64) -> Bool {
        let (difference, overflow) = left.subtractingReportingOverflow(right)
        return !overflow && difference.magnitude <= tolerance.magnitude
    }

    private mutating func step(
        _ position: FramePosition?, _ start: Timestamp, _ usual: Int64, moved: Int64, interval: Int64,
        received: Timestamp
    ) -> Verdict {
        let predicted = tau.advanced(byNanoseconds: usual)
        let offset = start.nanoseconds(since: predicted)
        let isConfirmed = candidate.map { Self.isNear(offset, $0, within: Self.tolerance + usual / 4) } ?? false
        if !isConfirmed {
            candidate = offset
            // A device that does not number its frames says by its clock alone which of them is newer.
            if position == nil, moved < 0 { return .late }
        } else {
            shift = offset
            candidate = nil
        }
        tau = predicted
        accept(position, start, received, interval: interval)
        return isConfirmed ? .judgeAfterStep(tau) : .judge(tau)
    }

    private mutating func accept(
        _ position: FramePosition?, _ start: Timestamp, _ received: Timestamp, interval: Int64, follows: Bool = false
    ) {
        frames &+= 1
        isContinuous = follows
        boot = position?.boot ?? -1
        sequence = position?.sequence ?? -1
        self.start = start
        self.received = received
        if interval > 0 { self.interval = interval }
    }
}
