public import Time

/// The content of one data message of a sensor: samples of one or more channels that were taken together.
public struct Frame: Sendable, Equatable {
    /// The version of the wire format of ordinary frames, and of announcements.
    public static let schema: UInt32 = 1
    /// The version of frames of event captures, and the newest that this release reads. A release that does not know
    /// captures must not store their samples among the channel's own: it keeps the frames for later.
    public static let captureSchema: UInt32 = 2

    /// The boot and the sequence of the frame. Nil for devices that do not number their messages (JSON).
    public var position: FramePosition?
    /// The time at which sample 0 was taken, by the sensor's clock. Nil for devices without a clock.
    public var start: Timestamp?
    /// The sample rate. Nil only if every block has one sample.
    public var rate: SampleRate?
    /// The sensor's geographic position, if the sensor reported it.
    public var place: GeoPosition?
    /// The samples, one block for each channel.
    public var blocks: [Block]
    /// The event captures that the samples belong to; none in ordinary frames. Samples of captures are stored apart from
    /// the channel's own; they are neither newest values, nor judged by rules, nor part of statistics.
    public var captures: [CaptureMark] {
        get { marks ?? [] }
        set { marks = newValue.isEmpty ? nil : newValue }
    }
    /// The captures, if there are any: the copies of an ordinary frame do not count references to an empty array.
    private var marks: [CaptureMark]?

    /// A frame of these parts; `validate()` checks it.
    public init(
        position: FramePosition?, start: Timestamp?, rate: SampleRate?, place: GeoPosition? = nil, blocks: [Block]
    ) {
        self.position = position
        self.start = start
        self.rate = rate
        self.place = place
        self.blocks = blocks
    }

    /// Whether the samples belong to event captures.
    public var isCapture: Bool { marks != nil }

    /// The number of samples in all blocks together.
    public var sampleCount: Int { blocks.reduce(0) { $0 + $1.samples.count } }

    /// The number of samples of the longest block.
    public var length: Int { blocks.reduce(0) { max($0, $1.samples.count) } }

    /// Nanoseconds from the first sample to the last.
    public var spanNanoseconds: Int64 {
        let length = length
        guard let rate, length > 1 else { return 0 }
        return rate.nanoseconds(toSample: Int64(length - 1))
    }
}

/// The identity of a frame among those of its sensor, by which a repeated frame is recognized.
public struct FramePosition: Hashable, Sendable, Comparable {
    /// The boot's number, which grows with each start of the sensor.
    public var boot: Int64
    /// The frame's number within the boot: 0, 1, 2 …
    public var sequence: Int64

    /// The frame `sequence` of the boot `boot`.
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
public struct GeoPosition: Hashable, Sendable {
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
    /// The channel's number; for JSON devices the field's name.
    public var channel: ChannelKey
    /// The samples, 1…65,536 of them.
    public var samples: Samples

    /// A block of samples of that channel.
    public init(channel: ChannelKey, samples: Samples) {
        self.channel = channel
        self.samples = samples
    }
}

/// The key by which a message names a channel.
public enum ChannelKey: Hashable, Sendable {
    /// A number, which the sensor's announcement describes.
    case number(Int16)
    /// A name, which the ingester assigns a number when it first arrives.
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

    /// The number of samples.
    public var count: Int {
        switch self {
        case .floats(let samples): samples.count
        case .counts(let counts, _, _): counts.count
        case .value: 1
        }
    }

    /// The samples of `range`, which must lie within 0 ..< `count`.
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
