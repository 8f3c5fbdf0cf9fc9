/// A channel of a sensor. A channel's number is only unique among the channels of its sensor; where the sensor is given
/// by its serial number, as in frames and announcements, the number alone identifies the channel.
@frozen
public struct ChannelID: Hashable, Sendable, Comparable {
    /// The sensor.
    public var sensor: SensorID
    /// The channel's number in frames: 0 or greater; below 0 for its event captures (`ofCaptures`).
    public var number: Int16

    /// The channel with that number of that sensor.
    @inlinable public init(sensor: SensorID, number: Int16) {
        self.sensor = sensor
        self.number = number
    }

    /// By sensor, then by number.
    @inlinable public static func < (left: ChannelID, right: ChannelID) -> Bool {
        (left.sensor, left.number) < (right.sensor, right.number)
    }
}
