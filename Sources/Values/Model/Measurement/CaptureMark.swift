public import Time

/// An event capture that a frame belongs to: samples around an alarm, as the sensor plans to send them. All frames of a
/// capture say the same of it.
public struct CaptureMark: Hashable, Sendable {
    /// The alarm's id.
    public var alarm: String
    /// When the first sample was taken, by the sensor's clock.
    public var from: Timestamp
    /// A time after the last sample, by the sensor's clock.
    public var to: Timestamp
    /// Samples of each channel from `from` to before `to`. The capture is complete when as many are stored.
    public var samples: Int64

    /// A capture of `samples` samples of each channel around that alarm.
    public init(alarm: String, from: Timestamp, to: Timestamp, samples: Int64) {
        self.alarm = alarm
        self.from = from
        self.to = to
        self.samples = samples
    }
}

extension ChannelID {
    /// The number under which the samples of this channel's event captures are stored: -1 - number. Negative numbers are no
    /// channels of sensors, so nothing that reads a channel meets its captures.
    @inlinable public var ofCaptures: ChannelID { ChannelID(sensor: sensor, number: ~number) }
}
