public import Model
internal import SampleFiles
public import Time

/// A simulated sensor: it samples by its clock, produces frames, obeys commands and announces itself.
///
/// A pure value: the caller passes the time, and the sensor returns the messages to send. Call `frames(until:)` at
/// `nextDue`, `announcement(at:)` at `announcementDue`, and `receive(_:at:)` for each command.
public struct VirtualSensor: Sendable {
    /// The default interval between announcements, in nanoseconds: 10 s.
    public static let announcementNanoseconds: Int64 = 10_000_000_000
    /// A sensor that does not move states its position in one of this many frames.
    static let framesForEachPlace: Int64 = 600

    /// The sensor's configuration.
    public let configuration: SensorConfiguration
    /// The boot's number, which grows with each start.
    public let boot: Int64
    /// The sensor's state: awake, asleep or stopped.
    public private(set) var state = Announcement.State.awake
    /// The sequence of the sensor's next frame.
    public private(set) var nextSequence: Int64 = 0
    /// Frames that were produced and dropped before they could be sent.
    public private(set) var framesDropped: Int64 = 0
    /// The number of connection attempts in this boot; 0 before the first.
    public private(set) var connection: Int64 = 0
    /// Nanoseconds between announcements.
    public var announcementInterval = Self.announcementNanoseconds
    /// The time of the next announcement.
    public var announcementDue: Timestamp

    /// Whether frames are produced when there is space for them instead of when they are complete (`--unpaced`). Then
    /// sampling does not follow the clock: commands and the stop do not end a frame early.
    public var isUnpaced = false

    /// The most properties that the command `set` may set.
    static let propertiesMax = 64
    /// The properties set by the command `set` in this boot.
    public internal(set) var properties: [String: Command.Value] = [:]

    var clock: SampleClock
    var answers = AnswerMemory()
    var alarmAnswers = AnswerMemory()
    /// The memory of the signal at full rate; nil: no events are captured.
    var recorder: EventRecorder?
    private var signal: SignalGenerator
    private var samplesPerFrame: Int
    private let origin: Timestamp
    private let library: SignalLibrary
    private let channels: [Announcement.Channel]

    /// A sensor that is awake and takes its first sample at `start`.
    ///
    /// Sensors that share `library` share the memory of their signals.
    /// - Parameter captures: how it captures events; nil: not at all.
    public init(
        configuration: SensorConfiguration, boot: Int64, start: Timestamp, library: SignalLibrary,
        captures: CaptureSettings? = nil
    ) {
        let source = configuration.source
        let rate = Self.firstRate(configuration)
        self.configuration = configuration
        self.boot = boot
        self.library = library
        origin = start
        announcementDue = start
        clock = SampleClock(start: start, rate: rate)
        channels = source.channels
        samplesPerFrame = configuration.frameShape.samples(at: rate, channels: channels.count)
        signal = SignalGenerator(configuration: configuration, rate: rate, origin: start, library: library)
        recorder = captures.map { EventRecorder($0, configuration, rate: rate, start: start, library: library) }
    }

    /// Nanoseconds from the first sample of a sensor's first frame to the first sample after `count` frames.
    public static func span(ofFrames count: Int64, _ configuration: SensorConfiguration) -> Int64 {
        let rate = firstRate(configuration)
        let samples = configuration.frameShape.samples(at: rate, channels: configuration.source.channels.count)
        let (total, overflow) = count.multipliedReportingOverflow(by: Int64(samples))
        return overflow ? .max : rate.nanoseconds(toSample: total)
    }

    private static func firstRate(_ configuration: SensorConfiguration) -> SampleRate {
        switch configuration.source {
        case .recording(let recording): recording.rate
        case .kind(let kind):
            configuration.rate.map { $0.hertz > kind.rateMax.hertz ? kind.rateMax : $0 } ?? kind.rateDefault
        }
    }

    /// The serial number.
    public var serial: SerialNumber { configuration.serial }
    /// Samples per second and channel.
    public var rate: SampleRate { clock.rate }
    /// The number of instants sampled in this boot. Each instant gives one sample per channel.
    public var instantsTaken: Int64 { clock.taken }

    // MARK: frames

    /// The time at which the next frame is complete; nil while the sensor does not sample.
    public var nextDue: Timestamp? {
        state == .awake ? clock.time(ofSample: clock.next + Int64(samplesPerFrame) - 1) : nil
    }

    /// The time at which `captured(until:)` has something to send; nil while no capture is running.
    public var captureDue: Timestamp? { state == .awake ? recorder?.nextDue : nil }

    /// The frames that are complete at `now`, oldest first, at most `limit`; the next call returns the others.
    public mutating func frames(until now: Timestamp, atMost limit: Int = 64) -> [Frame] {
        guard let due = nextDue, due <= now else { return [] }
        let complete = min(Int64(max(0, limit)), clock.samplesDue(at: now) / Int64(samplesPerFrame))
        var frames: [Frame] = []
        frames.reserveCapacity(Int(complete))
        for _ in 0..<complete { frames.append(nextFrame(of: samplesPerFrame)) }
        return frames
    }

    /// All frames that are complete at `now`, and a last frame of the samples taken since.
    public mutating func flush(at now: Timestamp) -> [Frame] {
        guard state == .awake, !isUnpaced else { return [] }
        var frames = frames(until: now, atMost: .max)
        let rest = Int(clock.samplesDue(at: now))
        if rest > 0 { frames.append(nextFrame(of: rest)) }
        return frames
    }

    private mutating func nextFrame(of count: Int) -> Frame {
        let start = clock.nextTime
        var place = signal.place(at: start)
        if place == nil, nextSequence % Self.framesForEachPlace == 0 { place = configuration.place }
        let samples = signal.samples(clock: clock, origin: origin, count: count, encoding: configuration.encoding)
        let blocks = zip(channels, samples).map { Block(channel: .number($0.number), samples: $1) }
        clock.take(count)
        return Frame(position: takePosition(), start: start, rate: clock.rate, place: place, blocks: blocks)
    }

    /// The next frame's position.
    mutating func takePosition() -> FramePosition {
        defer { nextSequence += 1 }
        return FramePosition(boot: boot, sequence: nextSequence)
    }

    /// Counts frames that were dropped before they were sent; the next announcement reports them.
    public mutating func dropped(frames: Int) { framesDropped += Int64(frames) }

    // MARK: announcements

    /// The announcement at `now`; the next one is due an `announcementInterval` later.
    public mutating func announcement(at now: Timestamp) -> Announcement {
        announcementDue = now.advanced(byNanoseconds: announcementInterval)
        return announcement(state, at: now)
    }

    /// Counts a connection attempt and returns the Last Will for it.
    ///
    /// Last Will and announcements of one connection carry the same number, so that a late Last Will can be recognized.
    public mutating func willConnect() -> Announcement {
        connection += 1
        return announcement(.lost, at: nil)
    }

    /// Stops the sensor, which does not sample any more.
    /// - Returns: the last frames and the announcement of the stop.
    public mutating func stop(at now: Timestamp) -> [Reply] {
        let frames = flush(at: now).map { Reply.frame($0) } + endCaptures("the sensor stopped", at: now)
        state = .stopped
        return frames + [.announcement(announcement(at: now))]
    }

    /// A line for the sensor's log, truncated to 8192 bytes.
    public func log(_ level: LogLine.Level, _ text: String, at now: Timestamp) -> LogLine {
        LogLine(at: now, level: level, text: text.cut(toBytes: 8192), boot: boot)
    }

    private func announcement(_ state: Announcement.State, at now: Timestamp?) -> Announcement {
        Announcement(
            boot: boot, connection: connection, kind: configuration.source.name, firmware: configuration.firmware,
            state: state, rate: clock.rate, nextSequence: nextSequence, framesDropped: framesDropped,
            channels: channels, at: now, properties: properties,
            intervalSeconds: announcementInterval == Self.announcementNanoseconds
                ? nil : max(1, announcementInterval / 1_000_000_000))
    }

    // MARK: effects of commands

    /// Stops sampling; returns the frames sampled until `now`, and what ends the event captures.
    mutating func fallAsleep(at now: Timestamp) -> [Reply] {
        let replies = flush(at: now).map { Reply.frame($0) } + endCaptures("the sensor was put to sleep", at: now)
        state = .asleep
        return replies
    }

    /// Resumes sampling, with the first sample at `now`.
    mutating func wake(at now: Timestamp) {
        guard state == .asleep else { return }
        clock.resume(at: now)
        recorder?.resume(at: now)
        state = .awake
    }

    /// Continues at another rate; returns the frames sampled until `now` at the old rate.
    mutating func change(to rate: SampleRate, at now: Timestamp) -> [Frame] {
        let frames = flush(at: now)
        clock.change(to: rate, at: now)
        samplesPerFrame = configuration.frameShape.samples(at: rate, channels: channels.count)
        signal.change(to: rate, library: library)
        recorder?.raise(to: rate, at: now)
        return frames
    }
}
