public import Time

/// Consecutive samples of one channel: the content of a row of `measurement`.
///
/// Sample k was taken at `start` + k / `rate`, rounded to the nanosecond.
public struct SampleRun: Sendable, Equatable {
    /// The time at which the first sample was taken.
    public var start: Timestamp
    /// The sample rate; nil only for a single sample.
    public var rate: SampleRate?
    /// The samples, at least one.
    public var samples: Samples

    /// Samples that begin at `start`.
    public init(start: Timestamp, rate: SampleRate?, samples: Samples) {
        self.start = start
        self.rate = rate
        self.samples = samples
    }

    /// The time at which sample `index` was taken, or would have been taken.
    public func time(of index: Int) -> Timestamp {
        index == 0 ? start : start.advanced(byNanoseconds: rate?.nanoseconds(toSample: Int64(index)) ?? 0)
    }

    /// The time at which the last sample was taken.
    public var last: Timestamp { time(of: samples.count - 1) }

    /// The samples that were taken in `range`, as runs that give each sample its exact time: a part of a run is split
    /// where rounding from another start would be off by a nanosecond.
    public func within(_ range: Range<Timestamp>) -> [SampleRun] {
        if range.contains(start), range.contains(last) { return [self] }
        let inside = (0..<samples.count).filter { range.contains(time(of: $0)) }
        guard let lower = inside.first, let upper = inside.last else { return [] }
        var runs: [SampleRun] = []
        var first = lower
        while first <= upper {
            var run = SampleRun(start: time(of: first), rate: rate, samples: samples)
            var count = 1
            while first + count <= upper, run.time(of: count) == time(of: first + count) { count += 1 }
            run.samples = samples.slice(first..<first + count)
            runs.append(run)
            first += count
        }
        return runs
    }

    /// Whether this run holds all samples of another one, at the same times and bit for bit, and at the same rate.
    public func contains(_ other: SampleRun) -> Bool {
        guard rate == other.rate, start <= other.start, other.last <= last else { return false }
        let parts = within(other.start..<other.last.advanced(byNanoseconds: 1))
        return parts.count == 1 && parts[0].start == other.start && parts[0].samples.hasSameBits(as: other.samples)
    }

    /// The nanoseconds from the last sample to the first sample of `next`, if that run does not follow at the rate; nil
    /// if it follows.
    public func gap(before next: SampleRun) -> Int64? {
        let wait = next.start.nanoseconds(since: last)
        guard let rate else { return nil }
        return wait > rate.nanoseconds(toSample: 1) &* 3 / 2 ? wait : nil
    }
}

extension Samples {
    /// Whether both are the same samples bit for bit: a NaN equals itself, and 0 does not equal -0.
    fileprivate func hasSameBits(as other: Samples) -> Bool {
        switch (self, other) {
        case (.floats(let left), .floats(let right)): left.map(\.bitPattern) == right.map(\.bitPattern)
        case (.counts(let left, let scale, let offset), .counts(let right, let otherScale, let otherOffset)):
            left == right && scale.bitPattern == otherScale.bitPattern && offset.bitPattern == otherOffset.bitPattern
        case (.value(let left), .value(let right)): left.bitPattern == right.bitPattern
        case (.floats, _), (.counts, _), (.value, _): false
        }
    }
}

/// A hash of a channel's samples and their times, independent of the file format. Not a cryptographic hash.
public struct SampleDigest: Sendable {
    private var hash: UInt64 = 0xCBF2_9CE4_8422_2325

    /// The digest of no samples.
    public init() {}

    /// Adds a name.
    public mutating func add(_ name: String) {
        for byte in name.utf8 { add(UInt64(byte)) }
        add(UInt64.max)
    }

    /// Adds samples.
    public mutating func add(_ run: SampleRun) {
        add(UInt64(bitPattern: run.start.unixNanoseconds))
        add((run.rate?.hertz ?? 0).bitPattern)
        switch run.samples {
        case .floats(let samples):
            add(1)
            for sample in samples { add(UInt64(sample.bitPattern)) }
        case .counts(let counts, let scale, let offset):
            add(2)
            add(scale.bitPattern)
            add(offset.bitPattern)
            for count in counts { add(UInt64(UInt16(bitPattern: count))) }
        case .value(let value):
            add(3)
            add(value.bitPattern)
        }
    }

    /// Like FNV-1a, with words in place of bytes, mixed so that high bits affect the low ones.
    private mutating func add(_ word: UInt64) {
        hash = (hash ^ word) &* 0x9E37_79B9_7F4A_7C15
        hash ^= hash >> 29
    }

    /// A boot number below 10^12 to store the samples under: as milliseconds it lies before September 2001, so that it
    /// is never the newest boot.
    public var boot: Int64 { Int64(hash % 1_000_000_000_000) }
}
