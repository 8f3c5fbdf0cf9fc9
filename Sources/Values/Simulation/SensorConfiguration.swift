public import Model

/// The configuration of a virtual sensor.
public struct SensorConfiguration: Sendable {
    /// The serial number.
    public var serial: SerialNumber
    /// The source of the samples.
    public var source: SignalSource
    /// Samples per second and channel; nil: the source's default. Recordings always play at their own rate.
    public var rate: SampleRate?
    /// The encoding of several samples.
    public var encoding = SampleEncoding.floats
    /// The size of frames.
    public var frameShape = FrameShape()
    /// The seed of the samples: other seeds give other samples.
    public var seed: UInt64
    /// The firmware version that the sensor announces, at most 64 bytes.
    public var firmware = "simulator"
    /// The sensor's geographic position; for a `gps` the centre of its walk.
    public var place: GeoPosition?

    /// A sensor with that serial number, source and seed; the other fields have their defaults.
    public init(serial: SerialNumber, source: SignalSource, seed: UInt64) {
        self.serial = serial
        self.source = source
        self.seed = seed
    }
}

/// The number of samples in one frame: as many as both limits allow, but at least one.
public struct FrameShape: Sendable, Equatable {
    /// The rate in samples per second below which each sample is a separate frame.
    public static let singleSampleHertz = 10.0
    /// The most bytes of samples in a frame, so that the message stays below 1 MiB.
    static let sampleBytesMax = 1_000_000

    /// The most nanoseconds from the first sample of a frame to the first sample of the next.
    public var nanosecondsMax: Int64
    /// The most samples of one channel.
    public var samplesMax: Int

    /// Limits of 100 ms and 65,536 samples by default; limits below one sample mean one sample.
    public init(nanosecondsMax: Int64 = 100_000_000, samplesMax: Int = FrameLimits.samplesMax) {
        self.nanosecondsMax = nanosecondsMax
        self.samplesMax = samplesMax
    }

    /// The number of samples of one channel in each frame at that rate.
    func samples(at rate: SampleRate, channels: Int) -> Int {
        if rate.hertz < Self.singleSampleHertz { return 1 }
        let byTime = Double(nanosecondsMax) / 1e9 * rate.hertz + 1e-9
        let byBytes = Self.sampleBytesMax / (4 * max(1, channels))
        return max(1, min(byTime < 1e6 ? Int(byTime) : 1_000_000, samplesMax, FrameLimits.samplesMax, byBytes))
    }
}
