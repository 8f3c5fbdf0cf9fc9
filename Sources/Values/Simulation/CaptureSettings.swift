/// How a sensor captures events: which part of its signal it sends at full rate when it hears an alarm of its own.
public struct CaptureSettings: Sendable, Equatable {
    /// How much longer than `beforeNanoseconds` samples are kept: an alarm arrives later than the samples that raised it.
    static let reserveNanoseconds: Int64 = 5_000_000_000

    /// Nanoseconds of the signal before the trigger.
    public var beforeNanoseconds: Int64
    /// Nanoseconds of the signal from the trigger on.
    public var afterNanoseconds: Int64
    /// The most bytes of one sensor's samples that are kept for captures.
    public var bytesMax: Int
    /// The most captures of a sensor within an hour.
    public var perHourMax: Int

    /// Settings with these values.
    public init(beforeNanoseconds: Int64, afterNanoseconds: Int64, bytesMax: Int, perHourMax: Int = 20) {
        self.beforeNanoseconds = beforeNanoseconds
        self.afterNanoseconds = afterNanoseconds
        self.bytesMax = bytesMax
        self.perHourMax = perHourMax
    }
}
