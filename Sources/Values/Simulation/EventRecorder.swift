internal import Model
internal import Time

/// A sensor's memory of its signal at full rate, and its event captures.
///
/// The full rate is the rate at which the sensor began, or a higher one that it was set to: a lower one thins out what is
/// published, not what is recorded. Captures share samples: each sample is sent once, whatever the number of alarms around
/// it. A window begins at the oldest sample that is kept, if that is younger than the setting asks for, and it ends after
/// the present.
struct EventRecorder: Sendable {
    /// Why an alarm starts no capture.
    struct Refusal: Error, Equatable {
        var reason: String
    }

    /// A capture that is not complete yet.
    private struct Window {
        var mark: CaptureMark
        var numbers: Range<Int64>
    }

    /// A piece of the signal to send, and the captures that it belongs to.
    struct Piece: Equatable {
        var recorded: RecordedPiece
        var marks: [CaptureMark]
    }

    let settings: CaptureSettings
    private var clock: SampleClock
    private var signal: SignalGenerator
    private var ring: SampleRing
    private var windows: [Window] = []
    /// Pieces of running captures that `takePieces` has not returned. They are taken from the ring when they are recorded:
    /// a small ring may not hold them for long.
    private var pending: [Piece] = []
    private var begun: [Timestamp] = []
    private var samplesPerPiece: Int
    private var nextRate: SampleRate?
    private let origin: Timestamp
    private let library: SignalLibrary
    private let encoding: SampleEncoding
    private let shape: FrameShape
    private let channels: Int

    init(
        _ settings: CaptureSettings, _ configuration: SensorConfiguration, rate: SampleRate, start: Timestamp,
        library: SignalLibrary
    ) {
        self.settings = settings
        self.library = library
        origin = start
        clock = SampleClock(start: start, rate: rate)
        signal = SignalGenerator(configuration: configuration, rate: rate, origin: start, library: library)
        let span = settings.beforeNanoseconds.addingReportingOverflow(CaptureSettings.reserveNanoseconds)
        ring = SampleRing(nanosecondsMax: span.overflow ? .max : span.partialValue, bytesMax: settings.bytesMax)
        encoding = configuration.encoding
        shape = configuration.frameShape
        channels = configuration.source.channels.count
        samplesPerPiece = shape.samples(at: rate, channels: channels)
    }

    /// The rate at which the signal is recorded.
    var rate: SampleRate { clock.rate }

    /// When there is something to send; nil while no capture is running.
    var nextDue: Timestamp? { windows.isEmpty ? nil : clock.time(ofSample: clock.next + Int64(samplesPerPiece) - 1) }

    // MARK: recording

    /// Records the samples taken until `now`, in whole pieces unless the sensor stops sampling.
    mutating func record(until now: Timestamp, stops: Bool = false) {
        applyRate(at: now)
        var due = clock.samplesDue(at: now)
        // Samples that would leave the ring before anybody looked at them are not computed.
        let kept = max(Int64(samplesPerPiece), rate.samples(within: ring.nanosecondsMax))
        if windows.isEmpty, due > kept + 2 * Int64(samplesPerPiece) {
            skip(due - kept)
            due = clock.samplesDue(at: now)
        }
        while due >= Int64(samplesPerPiece) {
            append(samplesPerPiece)
            due -= Int64(samplesPerPiece)
        }
        if stops, due > 0 { append(Int(due)) }
    }

    private mutating func skip(_ count: Int64) {
        var left = count
        while left > 0 {
            let step = Int(min(left, 1 << 30))
            clock.take(step)
            left -= Int64(step)
        }
    }

    private mutating func append(_ count: Int) {
        ring.append(
            RecordedPiece(
                first: clock.taken, start: clock.nextTime, rate: clock.rate,
                samples: signal.samples(clock: clock, origin: origin, count: count, encoding: encoding)))
        clock.take(count)
        collect()
    }

    /// Records at a higher rate from now on, or once no capture is running; a lower one changes nothing.
    mutating func raise(to rate: SampleRate, at now: Timestamp) {
        guard rate.hertz > (nextRate ?? clock.rate).hertz else { return }
        nextRate = rate
        record(until: now)
    }

    private mutating func applyRate(at now: Timestamp) {
        guard let rate = nextRate, windows.isEmpty else { return }
        nextRate = nil
        skip(clock.samplesDue(at: now))
        clock.change(to: rate, at: now)
        signal.change(to: rate, library: library)
        samplesPerPiece = shape.samples(at: rate, channels: channels)
        // Samples of two rates do not fit into one capture.
        ring.removeAll()
    }

    /// Continues after a sleep, with the first sample at `now`.
    mutating func resume(at now: Timestamp) { clock.resume(at: now) }

    // MARK: captures

    /// Begins a capture around the time of an alarm.
    /// - Throws: `Refusal` if that is not possible.
    mutating func begin(alarm: String, at trigger: Timestamp, now: Timestamp) throws(Refusal) {
        if trigger > now.advanced(bySeconds: 1) { throw Refusal(reason: "the alarm's time lies in the future") }
        if windows.count >= FrameLimits.capturesMax {
            throw Refusal(reason: "\(windows.count) captures are running")
        }
        begun.removeAll { now.nanoseconds(since: $0) >= 3_600_000_000_000 }
        if begun.count >= settings.perHourMax {
            throw Refusal(reason: "\(settings.perHourMax) captures within an hour")
        }
        record(until: now)
        let earliest = trigger.advanced(byNanoseconds: -settings.beforeNanoseconds)
        let latest = trigger.advanced(byNanoseconds: settings.afterNanoseconds)
        let oldest = ring.first(from: earliest) ?? (clock.taken, clock.nextTime)
        guard oldest.time < latest else { throw Refusal(reason: "its samples are no longer in memory") }
        // At least one piece that is not recorded yet: a capture that others have sent already would have no frame.
        let pieceEnd = clock.time(ofSample: clock.next + Int64(samplesPerPiece))
        let end = max(latest, pieceEnd)
        let left = clock.rate.samples(within: end.nanoseconds(since: clock.start) - 1) - clock.next
        let numbers = oldest.number..<clock.taken + max(left, Int64(samplesPerPiece))
        begun.append(now)
        windows.append(
            Window(
                mark: CaptureMark(alarm: alarm, from: oldest.time, to: end, samples: Int64(numbers.count)),
                numbers: numbers))
        collect()
    }

    /// The pieces to send now.
    mutating func takePieces() -> [Piece] {
        defer { pending = [] }
        return pending
    }

    /// Takes what running captures want from the ring.
    private mutating func collect() {
        if windows.isEmpty { return }
        var wanted: [Range<Int64>] = []
        for numbers in windows.map(\.numbers).sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = wanted.last, numbers.lowerBound <= last.upperBound {
                wanted[wanted.count - 1] = last.lowerBound..<max(last.upperBound, numbers.upperBound)
            } else {
                wanted.append(numbers)
            }
        }
        for piece in wanted.flatMap({ ring.take($0) }) {
            let marks = windows.filter { $0.numbers.overlaps(piece.numbers) }.map(\.mark)
            pending.append(Piece(recorded: piece, marks: marks))
        }
    }

    /// The alarms whose captures are complete, in order of their triggers' arrival; `takePieces` has returned all of them.
    mutating func takeComplete() -> [String] {
        let complete = windows.filter { $0.numbers.upperBound <= clock.taken }.map(\.mark.alarm)
        windows.removeAll { $0.numbers.upperBound <= clock.taken }
        return complete
    }

    /// Ends all captures, because the sensor stops sampling, and returns their alarms.
    mutating func cancelAll() -> [String] {
        defer { windows = [] }
        return windows.map(\.mark.alarm)
    }
}
