public import Sensors

/// What makes one virtual sensor.
public struct SensorConfiguration: Sendable {
    /// Its name everywhere.
    public var serial: SerialNumber
    /// Where its samples come from.
    public var source: SignalSource
    /// Samples a second and channel; nil: what the source does by itself. Recordings always play at their own rate.
    public var rate: SampleRate?
    /// How several samples are written.
    public var encoding = SampleEncoding.floats
    /// How much goes into one frame.
    public var frameShape = FrameShape()
    /// Sensors with other seeds give other samples.
    public var seed: UInt64
    /// The version that it announces, at most 64 bytes.
    public var firmware = "simulator"
    /// Where it stands; the home of its walk if it is a `gps`.
    public var place: Place?

    /// A sensor of that name, source and seed; the rest as it is by default.
    public init(serial: SerialNumber, source: SignalSource, seed: UInt64) {
        self.serial = serial
        self.source = source
        self.seed = seed
    }
}

/// How many samples go into one frame: as many as both limits allow, at least one.
public struct FrameShape: Sendable, Equatable {
    /// Below this many samples a second, each sample is a frame of its own.
    public static let singleSampleHertz = 10.0
    /// Bytes that the samples of a frame may take, so that the message stays below 1 MiB.
    static let sampleBytesMax = 1_000_000

    /// From the first sample of a frame to the first of the next, nanoseconds.
    public var nanosecondsMax: Int64
    /// Samples of one channel.
    public var samplesMax: Int

    /// At most 100 ms and 65,536 samples unless told otherwise; limits below one sample mean one sample.
    public init(nanosecondsMax: Int64 = 100_000_000, samplesMax: Int = FrameLimits.samplesMax) {
        self.nanosecondsMax = nanosecondsMax
        self.samplesMax = samplesMax
    }

    /// Samples of one channel in each frame at that rate.
    func samples(at rate: SampleRate, channels: Int) -> Int {
        if rate.hertz < Self.singleSampleHertz { return 1 }
        let byTime = Double(nanosecondsMax) / 1e9 * rate.hertz + 1e-9
        let byBytes = Self.sampleBytesMax / (4 * max(1, channels))
        return max(1, min(byTime < 1e6 ? Int(byTime) : 1_000_000, samplesMax, FrameLimits.samplesMax, byBytes))
    }
}
