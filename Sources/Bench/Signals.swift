internal import Pipelines
public import Sensors

/// What a message carries.
public enum SignalForm: String, Sendable, CaseIterable {
    /// Samples as 32-bit floating-point numbers.
    case floats
    /// Samples as counts of a 16-bit converter.
    case counts
    /// One value.
    case value
    /// The floats as text.
    case json
}

/// Frames of sensors that take turns: contiguous, none like another.
public struct Signals: Sendable {
    /// Samples in a frame.
    public let length: Int
    /// The start of the sensors that the frames say they belong to.
    public let boot: Int64
    /// The sensors, in their order.
    public let serials: [SerialNumber]
    private let form: SignalForm
    private let rate: SampleRate?
    private let span: Int64
    private let start: Timestamp
    // With all their bits in use, so that nothing is stored smaller than real samples would be.
    private let floats: [Float]
    private let counts: [Int16]

    /// - Parameters:
    ///   - hertz: of one sensor.
    ///   - start: the first sample of each.
    public init(
        _ form: SignalForm, length: Int, hertz: Double, serials: [SerialNumber], boot: Int64, start: Timestamp
    ) {
        self.form = form
        self.length = form == .value ? 1 : length
        self.serials = serials
        self.boot = boot
        self.start = start
        rate = SampleRate(hertz: hertz)
        span = rate?.nanoseconds(toSample: Int64(self.length)) ?? 0
        let count = 7000 + self.length
        floats = (0..<count).map { _ in Float.random(in: -20...20) }
        counts = (0..<count).map { _ in Int16.random(in: -30_000...30_000) }
    }

    /// So many frames in all, of 500 samples at 5 kHz or of one value at 10 Hz, which end now.
    public init(_ form: SignalForm, messages: Int, sensors: Int) {
        let (length, hertz) = form == .value ? (1, 10.0) : (500, 5000.0)
        let now = Timestamp.now
        let seconds = Double((messages + sensors - 1) / sensors * length) / hertz
        self.init(
            form, length: length, hertz: hertz, serials: (0..<sensors).compactMap { SerialNumber("bench-\($0)") },
            boot: now.unixNanoseconds / 1_000_000, start: now.advanced(byNanoseconds: -Int64(seconds * 1e9)))
    }

    /// Frame `index` of all, and whose it is.
    public func frame(_ index: Int) -> (SerialNumber, Frame) {
        let (sequence, sensor) = index.quotientAndRemainder(dividingBy: serials.count)
        let offset = (index &* 37) % 7000
        let samples: Samples =
            switch form {
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
