public import Time

/// The newest value of a channel.
public struct LatestValue: Sendable, Equatable {
    /// The channel.
    public var channel: ChannelID
    /// When the value was taken.
    public var time: Timestamp
    /// When its frame arrived; nil: it comes from a file.
    public var received: Timestamp?
    /// The last sample of its frame.
    public var value: Double
    /// What all samples of the channel in that frame come to.
    public var statistics: SampleStatistics
    /// The frame's rate; 0: none.
    public var rateHertz: Double
    /// How far the device's clock was believed.
    public var clock: ClockVerdict
    /// Seconds from the frame's arrival to the time that the device gave its last sample: below 0 by as long as the
    /// frame was under way, unless the device's clock is wrong. Nil: it has no clock.
    public var clockOffsetSeconds: Double?

    /// The value that a frame's block leaves, given uncut.
    public init(_ row: MeasurementRow) {
        let last = row.samples.count - 1
        channel = row.channel
        let offset = SampleRate(hertz: row.rateHertz)?.nanoseconds(toSample: Int64(last)) ?? 0
        time = row.time.advanced(byNanoseconds: offset)
        received = row.received
        value = row.samples[last]
        statistics = row.statistics
        rateHertz = row.rateHertz
        clock = row.clock
        let device = row.clock == .ok ? time : row.deviceTime?.advanced(byNanoseconds: offset)
        clockOffsetSeconds = device?.seconds(since: row.received)
    }
}

/// Which newest values have yet to be written: at most one a second and channel, never an older one.
public struct LatestValues: Sendable {
    /// How often a channel's row is written.
    public static let interval: Duration = .seconds(1)

    /// Most channels kept in memory (about 200 bytes each); beyond it those that are written are forgotten, and the
    /// database's own comparison keeps older values out.
    public static let entriesMax = 200_000

    private struct Entry {
        var newest: LatestValue
        var writtenAt: ContinuousClock.Instant?
    }

    private var entries: [ChannelID: Entry] = [:]
    private var pending: Set<ChannelID> = []
    /// The entries as they were before the batch in hand; nil: there was none.
    private var before: [ChannelID: Entry?] = [:]

    /// No values.
    public init() {}

    /// Notes a value of the batch in hand.
    public mutating func note(_ value: LatestValue) {
        let key = value.channel
        let known = entries[key]
        if before.index(forKey: key) == nil { before[key] = .some(known) }
        guard let known else {
            entries[key] = Entry(newest: value)
            pending.insert(key)
            return
        }
        guard value.time >= known.newest.time else { return }
        entries[key]?.newest = value
        pending.insert(key)
    }

    /// The values to write now, in order of sensor and channel. They count as written until `writeFailed`.
    public mutating func takeDue(now: ContinuousClock.Instant) -> [LatestValue] {
        var due: [LatestValue] = []
        for key in pending {
            guard let entry = entries[key] else { continue }
            if let writtenAt = entry.writtenAt, writtenAt.duration(to: now) < Self.interval { continue }
            due.append(entry.newest)
            entries[key]?.writtenAt = now
        }
        for value in due { pending.remove(value.channel) }
        if entries.count > Self.entriesMax { entries = entries.filter { pending.contains($0.key) } }
        return due.sorted { $0.channel < $1.channel }
    }

    /// Adopts the values of the batch after it was stored.
    public mutating func commit() { before.removeAll(keepingCapacity: true) }

    /// Discards the values of the batch after it was not stored.
    public mutating func rollBack() {
        for (key, entry) in before {
            entries[key] = entry
            if entry == nil { pending.remove(key) }
        }
        commit()
    }

    /// These were not written after all.
    public mutating func writeFailed(_ values: [LatestValue]) {
        for value in values {
            entries[value.channel]?.writtenAt = nil
            pending.insert(value.channel)
        }
    }
}
