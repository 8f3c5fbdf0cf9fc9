internal import Model
internal import Time

/// The figures of a batch, for the metrics.
struct IngestCounts: Sendable {
    var frames = 0
    var samples = 0
    var rows = 0
    var late = 0
    var duplicates = 0
    var givenUp = 0
    var rejected: [RejectionReason: Int] = [:]
    var clocks: [ClockVerdict: Int] = [:]
    /// The broker's stamp of each frame.
    var received: [Timestamp] = []
    /// The time of the last sample of each frame whose device time was accepted. Captures are sent later than their samples
    /// are taken, and say nothing of the delay.
    var lastSamples: [Timestamp] = []

    mutating func note(_ verdict: SequenceLedger.Verdict) {
        switch verdict {
        case .new: break
        case .late: late += 1
        case .duplicate: duplicates += 1
        case .unknown: givenUp += 1
        }
    }

    mutating func note(
        _ frame: Frame, received stamp: Timestamp, rows rowCount: Int, verdict: ClockVerdict, time: Timestamp
    ) {
        frames += 1
        samples += frame.sampleCount
        rows += rowCount
        received.append(stamp)
        clocks[verdict, default: 0] += 1
        if verdict == .ok, !frame.isCapture { lastSamples.append(time.advanced(byNanoseconds: frame.spanNanoseconds)) }
    }
}
