public import Model
public import Time

/// The content of a message.
public enum SignalFormat: String, Sendable, CaseIterable {
    /// Samples as 32-bit floating-point numbers.
    case floats
    /// Samples as counts of a 16-bit converter.
    case counts
    /// A single value.
    case value
    /// The floating-point samples as JSON text.
    case json
}

/// Frames of sensors that take turns: contiguous, each with different samples.
public struct Signals: Sendable {
    /// Samples in a frame.
    public let length: Int
    /// The boot of the sensors in the frames.
    public let boot: Int64
    /// The serial numbers of the sensors, in their order.
    public let serials: [SerialNumber]
    private let format: SignalFormat
    private let rate: SampleRate?
    private let span: Int64
    private let start: Timestamp
    // All bits are in use, so that the samples do not compress better than real ones.
    private let floats: [Float]
    private let counts: [Int16]

    /// Frames of one format and length.
    /// - Parameters:
    ///   - hertz: the sample rate of one sensor.
    ///   - start: the time of the first sample of each sensor.
    public init(
        _ format: SignalFormat, length: Int, hertz: Double, serials: [SerialNumber], boot: Int64, start: Timestamp
    ) {
        self.format = format
        self.length = format == .value ? 1 : length
        self.serials = serials
        self.boot = boot
        self.start = start
        rate = SampleRate(hertz: hertz)
        span = rate?.nanoseconds(toSample: Int64(self.length)) ?? 0
        let count = 7000 + self.length
        floats = (0..<count).map { _ in Float.random(in: -20...20) }
        counts = (0..<count).map { _ in Int16.random(in: -30_000...30_000) }
    }

    /// This many frames in all, of 500 samples at 5 kHz or of one value at 10 Hz; the last frame ends now.
    public init(_ format: SignalFormat, messages: Int, sensors: Int) {
        let (length, hertz) = format == .value ? (1, 10.0) : (500, 5000.0)
        let now = Timestamp.now
        let seconds = Double((messages + sensors - 1) / sensors * length) / hertz
        self.init(
            format, length: length, hertz: hertz, serials: (0..<sensors).compactMap { SerialNumber("bench-\($0)") },
            boot: now.unixNanoseconds / 1_000_000, start: now.advanced(byNanoseconds: -Int64(seconds * 1e9)))
    }

    /// Frame `index` of all, and its sensor.
    public func frame(_ index: Int) -> (SerialNumber, Frame) {
        let (sequence, sensor) = index.quotientAndRemainder(dividingBy: serials.count)
        let offset = (index &* 37) % 7000
        let samples: Samples =
            switch format {
            case .floats, .json: .floats(Array(floats[offset..<offset + length]))
            case .counts: .counts(Array(counts[offset..<offset + length]), scale: 0.001, offset: 0)
            case .value: .value(Double(floats[offset]) * 1.000_000_1)
            }
        let frame = Frame(
            position: FramePosition(boot: boot, sequence: Int64(sequence)),
            start: start.advanced(byNanoseconds: Int64(sequence) * span), rate: rate,
            blocks: [Block(channel: .number(0), samples: samples)])
        return (serials[sensor], frame)
    }
}
