public import Model
public import Time

/// A frame as received from the broker (docs/iotctl-json.md, "frame").
public struct FrameView: Codable, Sendable, Equatable {
    /// The samples of one channel.
    public struct Channel: Codable, Sendable, Equatable {
        /// The channel's number; nil for a device's JSON.
        public var channel: Int16?
        /// The channel's name, or its number if the name is not known.
        public var name: String
        /// Number of samples.
        public var count: Int
        /// The smallest sample; nil if none is finite.
        public var min: Double?
        /// The arithmetic mean of the samples; nil if none is finite.
        public var mean: Double?
        /// The largest sample; nil if none is finite.
        public var max: Double?
        /// The root mean square of the samples; nil if none is finite.
        public var rms: Double?
        /// The sample, if there is exactly one.
        public var value: Double?

        private enum CodingKeys: String, CodingKey {
            case channel, name
            case count = "n"
            case min, mean, max, rms, value
        }
    }

    /// The sensor's serial number; nil if the routing key names none.
    public var sensor: String?
    /// When sample 0 was taken, by the sensor's clock; nil for devices without one.
    public var time: Timestamp?
    /// `time` in nanoseconds since 1970.
    public var unixNanoseconds: Int64?
    /// The sensor's boot; nil for devices that do not number frames.
    public var bootID: Int64?
    /// The frame's sequence number within the boot; nil for devices that do not number frames.
    public var sequence: Int64?
    /// The sample rate in Hz; nil only if every channel has one sample.
    public var sampleRateHz: Double?
    /// When the broker received the frame, in milliseconds since 1970.
    public var receivedUnixMilliseconds: Int64?
    /// The channels, one for each block of samples.
    public var channels: [Channel]

    private enum CodingKeys: String, CodingKey {
        case sensor, time
        case unixNanoseconds = "unix_ns"
        case bootID = "boot_id"
        case sequence
        case sampleRateHz = "sample_rate_hz"
        case receivedUnixMilliseconds = "received_unix_ms"
        case channels
    }
}

extension FrameView {
    /// The view of a decoded frame.
    /// - Parameters:
    ///   - sensor: the serial number in the routing key; nil if the key has none.
    ///   - receivedUnixMilliseconds: the broker's timestamp, in milliseconds since 1970.
    ///   - names: the names of the sensor's channels by their numbers.
    public init(_ frame: Frame, of sensor: SerialNumber?, receivedUnixMilliseconds: Int64?, names: [Int16: String]) {
        self.init(
            sensor: sensor?.text, time: frame.start, unixNanoseconds: frame.start?.unixNanoseconds,
            bootID: frame.position?.boot, sequence: frame.position?.sequence, sampleRateHz: frame.rate?.hertz,
            receivedUnixMilliseconds: receivedUnixMilliseconds, channels: frame.blocks.map { Channel($0, names) })
    }
}

extension FrameView.Channel {
    fileprivate init(_ block: Block, _ names: [Int16: String]) {
        let statistics = SampleStatistics(block.samples)
        let (channel, name): (Int16?, String) =
            switch block.channel {
            case .name(let name): (nil, name)
            case .number(let number): (number, names[number] ?? String(number))
            }
        self.init(
            channel: channel, name: name, count: block.samples.count, min: statistics.min, mean: statistics.mean,
            max: statistics.max, rms: statistics.rms, value: block.samples.count == 1 ? block.samples[0] : nil)
    }
}
