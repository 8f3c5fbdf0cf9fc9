internal import Simulation

/// What the sensors of a simulation capture around their alarms.
public struct CapturePlan: Sendable, Equatable {
    /// The least bytes of memory of a sensor for which captures are switched on: otherwise a hundred thousand sensors would
    /// keep a few samples each, at the cost of many.
    static let sensorBytesMin = 64 << 10

    /// How much of the signal before the trigger.
    public var before: Duration
    /// How much of the signal from the trigger on.
    public var after: Duration
    /// The most bytes of the signals of all sensors that are kept for captures.
    public var bytesMax: Int
    /// The most captures of a sensor within an hour.
    public var perHourMax: Int

    /// A plan with these values.
    public init(before: Duration, after: Duration, bytesMax: Int, perHourMax: Int) {
        self.before = before
        self.after = after
        self.bytesMax = bytesMax
        self.perHourMax = perHourMax
    }

    /// The settings of each sensor; nil: there is too little memory for each, or nothing to capture.
    func settings(sensors: Int) -> CaptureSettings? {
        let bytes = bytesMax / max(1, sensors)
        guard bytes >= Self.sensorBytesMin, before + after > .zero, perHourMax > 0 else { return nil }
        return CaptureSettings(
            beforeNanoseconds: Int64(before / .nanoseconds(1)), afterNanoseconds: Int64(after / .nanoseconds(1)),
            bytesMax: bytes, perHourMax: perHourMax)
    }
}
