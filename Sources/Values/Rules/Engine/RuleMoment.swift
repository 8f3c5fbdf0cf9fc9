internal import Model
internal import Time

/// What the rules of one sensor are judged by: a frame, or a tick. A class, because it is handed to every condition.
final class RuleMoment {
    let serial: SerialNumber
    /// The message.
    let decided: StreamPosition
    /// The trusted time of the frame's first sample; of a tick its stamp.
    let time: Timestamp
    /// Whether it is a tick, and not a frame.
    let isTick: Bool
    /// The frame; an empty one for a tick.
    let frame: Frame
    /// The statistics of its blocks.
    let statistics: [SampleStatistics]
    /// For each channel of the plan the index of its block; -1: the frame has none.
    let blockOf: [Int]
    /// The signal time of the first sample.
    let tau: Timestamp
    /// The signal time of the last sample.
    let tauEnd: Timestamp
    /// For how long the engine has listened, in nanoseconds.
    let listened: Int64
    /// The listened time at which the sensor was heard last.
    let heard: Int64
    /// The number of the frame among those that were judged.
    let number: Int64
    /// Whether its samples follow those of the frame before.
    let isContinuous: Bool

    /// A frame of that sensor.
    init(
        _ frame: Frame, _ state: borrowing SensorState, statistics: [SampleStatistics], blockOf: [Int],
        decided: StreamPosition, time: Timestamp, tau: Timestamp, tauEnd: Timestamp
    ) {
        serial = state.serial
        self.decided = decided
        self.time = time
        isTick = false
        self.frame = frame
        self.statistics = statistics
        self.blockOf = blockOf
        self.tau = tau
        self.tauEnd = tauEnd
        (listened, heard) = (state.heard, state.heard)
        number = state.clock.frames
        isContinuous = state.clock.isContinuous
    }

    /// A tick with that stamp.
    init(tick stamp: Timestamp, _ state: borrowing SensorState, decided: StreamPosition, listened: Int64) {
        serial = state.serial
        self.decided = decided
        time = stamp
        isTick = true
        frame = Frame(position: nil, start: nil, rate: nil, blocks: [])
        (statistics, blockOf) = ([], [])
        (tau, tauEnd) = (stamp, stamp)
        self.listened = listened
        heard = state.heard
        (number, isContinuous) = (state.clock.frames, false)
    }
}

extension Condition.Statistic {
    /// The number; nil without a finite sample, and of `deviation` with fewer than two.
    func value(_ statistics: SampleStatistics, _ samples: Samples) -> Double? {
        guard let minimum = statistics.min, let maximum = statistics.max, let mean = statistics.mean,
            let rms = statistics.rms
        else { return nil }
        switch self {
        case .sample, .max: return maximum
        case .min: return minimum
        case .mean: return mean
        case .rms: return rms
        case .peak: return Swift.max(abs(minimum), abs(maximum))
        case .span: return maximum - minimum
        case .deviation:
            guard statistics.finiteCount > 1 else { return nil }
            let square = rms * rms - mean * mean
            // What is left of nearly equal numbers is noise: then the samples decide.
            if square > 1e-6 * mean * mean { return square.squareRoot() }
            var sum = 0.0
            samples.forEachFinite { _, sample in sum += (sample - mean) * (sample - mean) }
            return (sum / Double(statistics.finiteCount)).squareRoot()
        }
    }
}

extension Samples {
    /// Calls `body` with the index and value of each finite sample.
    @inline(__always)
    func forEachFinite(_ body: (Int, Double) -> Void) {
        switch self {
        case .floats(let samples):
            for index in samples.indices where samples[index].isFinite { body(index, Double(samples[index])) }
        case .counts(let counts, let scale, let offset):
            for index in counts.indices { body(index, offset + scale * Double(counts[index])) }
        case .value(let value): if value.isFinite { body(0, value) }
        }
    }

    /// The samples as numbers.
    var numbers: [Double] {
        switch self {
        case .floats(let samples): samples.map { Double($0) }
        case .counts(let counts, let scale, let offset): counts.map { offset + scale * Double($0) }
        case .value(let value): [value]
        }
    }

    /// The ends of the converter's range; nil for samples that are no counts.
    var rails: (low: Double, high: Double)? {
        guard case .counts(_, let scale, let offset) = self else { return nil }
        let ends = (offset + scale * Double(Int16.min), offset + scale * Double(Int16.max))
        return (Swift.min(ends.0, ends.1), Swift.max(ends.0, ends.1))
    }
}
