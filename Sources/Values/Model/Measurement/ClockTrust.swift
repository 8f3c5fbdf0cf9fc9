public import Time

/// Whether a device's time was accepted. The raw value is stored in `measurement.clock`.
public enum ClockVerdict: Int16, Sendable, CaseIterable {
    /// The device's time is stored.
    case ok = 0
    /// The device's time is too far ahead: the time of arrival is stored.
    case future = 1
    /// The device's time is too old: the time of arrival is stored.
    case past = 2
    /// The device has no clock: the time of arrival is stored.
    case none = 3
}

/// The window of accepted times: from `lateWindowSeconds` before the arrival to `aheadWindowSeconds` after it.
///
/// Without this rule a few thousand wrong dates create a chunk each, and their batch fails because the server runs out
/// of shared memory.
public struct ClockRule: Sendable {
    /// The largest age of a frame at its arrival, in seconds; store-and-forward devices may have been offline for long.
    public var lateWindowSeconds: Int64
    /// How far ahead of the arrival a frame's time may be, in seconds.
    public var aheadWindowSeconds: Int64

    /// A rule that accepts by default a week back and ten minutes ahead.
    public init(lateWindowSeconds: Int64 = 7 * 86_400, aheadWindowSeconds: Int64 = 600) {
        self.lateWindowSeconds = lateWindowSeconds
        self.aheadWindowSeconds = aheadWindowSeconds
    }

    /// The time to store for a frame that began at `start` by the device's clock, and the verdict on that clock.
    ///
    /// - Parameter spanNanoseconds: the time from the first sample to the last; if the device's time is not used, the
    ///   *last* sample counts as taken at the arrival.
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
