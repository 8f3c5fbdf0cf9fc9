/// What one message of a sensor carries: a run of samples of one or more channels that were taken together.
public struct Frame: Sendable, Equatable {
    /// The version of the wire that this program writes and reads.
    public static let schema: UInt32 = 1

    /// Which start of the sensor, and which message of it. Nil for devices that don't number (JSON).
    public var position: FramePosition?
    /// When sample 0 was taken, by the sensor's clock. Nil for devices without one.
    public var start: Timestamp?
    /// Nil only where every block has one sample.
    public var rate: SampleRate?
    /// Where the sensor was, if it said so.
    public var place: Place?
    /// One for each channel.
    public var blocks: [Block]

    /// A frame of these parts; `validate()` says whether it is a sound one.
    public init(
        position: FramePosition?, start: Timestamp?, rate: SampleRate?, place: Place? = nil, blocks: [Block]
    ) {
        self.position = position
        self.start = start
        self.rate = rate
        self.place = place
        self.blocks = blocks
    }

    /// Samples in all blocks together.
    public var sampleCount: Int { blocks.reduce(0) { $0 + $1.samples.count } }

    /// Samples of the longest block.
    public var length: Int { blocks.reduce(0) { max($0, $1.samples.count) } }

    /// Nanoseconds from the first sample to the last.
    public var spanNanoseconds: Int64 {
        guard let rate, length > 1 else { return 0 }
        return rate.nanoseconds(toSample: Int64(length - 1))
    }
}

/// Which message of which start of a sensor: what makes a frame the same frame when it comes twice.
public struct FramePosition: Hashable, Sendable, Comparable {
    /// Grows with each start of the sensor.
    public var boot: Int64
    /// 0, 1, 2 … within the boot.
    public var sequence: Int64

    /// Message `sequence` of start `boot`.
    public init(boot: Int64, sequence: Int64) {
        self.boot = boot
        self.sequence = sequence
    }

    /// By boot, then by sequence.
    public static func < (left: FramePosition, right: FramePosition) -> Bool {
        (left.boot, left.sequence) < (right.boot, right.sequence)
    }
}

/// A point on Earth, WGS 84.
public struct Place: Hashable, Sendable {
    /// Degrees, -90…90.
    public var latitude: Double
    /// Degrees, -180…180.
    public var longitude: Double
    /// Metres above mean sea level.
    public var altitude: Double

    /// The point with these coordinates: degrees, degrees, metres.
    public init(latitude: Double, longitude: Double, altitude: Double) {
        self.latitude = latitude
        self.longitude = longitude
        self.altitude = altitude
    }

    /// Whether this is a point on Earth.
    public var isValid: Bool {
        (-90...90).contains(latitude) && (-180...180).contains(longitude) && altitude.isFinite
    }
}

/// The samples of one channel.
public struct Block: Sendable, Equatable {
    /// Which quantity of the sensor; for JSON devices given by the field's name instead.
    public var channel: ChannelKey
    /// 1…65,536 of them.
    public var samples: Samples

    /// These samples of that channel.
    public init(channel: ChannelKey, samples: Samples) {
        self.channel = channel
        self.samples = samples
    }
}

/// How a message names a channel.
public enum ChannelKey: Hashable, Sendable {
    /// By the number that the sensor's announcement explains.
    case number(Int16)
    /// By a name that gets a number when it is first seen.
    case name(String)
}

/// Samples as the sensor sent them.
public enum Samples: Sendable, Equatable {
    /// Single precision.
    case floats([Float])
    /// Counts of a 16-bit converter: sample = offset + scale × count.
    case counts([Int16], scale: Double, offset: Double)
    /// One value in full double precision.
    case value(Double)

    /// How many.
    public var count: Int {
        switch self {
        case .floats(let samples): samples.count
        case .counts(let counts, _, _): counts.count
        case .value: 1
        }
    }

    /// The samples of `range`, which must lie within them.
    public func slice(_ range: Range<Int>) -> Samples {
        if range.count == count { return self }
        return switch self {
        case .floats(let samples): .floats(Array(samples[range]))
        case .counts(let counts, let scale, let offset): .counts(Array(counts[range]), scale: scale, offset: offset)
        case .value: self
        }
    }

    /// Sample `index` as a number.
    public subscript(index: Int) -> Double {
        switch self {
        case .floats(let samples): Double(samples[index])
        case .counts(let counts, let scale, let offset): offset + scale * Double(counts[index])
        case .value(let value): value
        }
    }
}
