/// How far a device's clock can be believed. The raw value is what `measurement.clock` holds.
public enum ClockVerdict: Int16, Sendable, CaseIterable {
    /// The device's time was taken.
    case ok = 0
    /// The device's time is too far ahead: the time of arrival was taken.
    case future = 1
    /// The device's time is too old: the time of arrival was taken.
    case past = 2
    /// The device has no clock: the time of arrival was taken.
    case none = 3
}

/// Which times are believed: from `late` before the arrival to `ahead` after it (design §3).
///
/// Without this rule a few thousand bad dates make a chunk each, and the batch that brings them fails for want of
/// shared memory.
public struct ClockRule: Sendable {
    /// How old a frame may be when it arrives, in seconds; store-and-forward devices may have been away for long.
    public var lateWindowSeconds: Int64
    /// How far ahead of the arrival, in seconds.
    public var aheadWindowSeconds: Int64

    /// By default a week back and ten minutes ahead.
    public init(lateWindowSeconds: Int64 = 7 * 86_400, aheadWindowSeconds: Int64 = 600) {
        self.lateWindowSeconds = lateWindowSeconds
        self.aheadWindowSeconds = aheadWindowSeconds
    }

    /// The time to store for what the device says was at `start`, and why.
    ///
    /// - Parameter spanNanoseconds: from the first sample to the last; without a clock the *last* sample is taken to
    ///   have been made at the arrival.
    public func judge(
        start: Timestamp?, spanNanoseconds: Int64, received: Timestamp
    ) -> (time: Timestamp, verdict: ClockVerdict) {
        let fallback = received.advanced(byNanoseconds: -spanNanoseconds)
        guard let start else { return (fallback, .none) }
        if start < received.advanced(bySeconds: -lateWindowSeconds) { return (fallback, .past) }
        if start > received.advanced(bySeconds: aheadWindowSeconds) { return (fallback, .future) }
        return (start, .ok)
    }
}
