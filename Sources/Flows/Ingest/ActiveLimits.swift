internal import Postgres
internal import Store

/// The limits of all channels that have some.
struct ActiveLimits: Sendable {
    private var channels: [ChannelAddress: StoreConnection.LimitedChannel] = [:]
    /// The sensors that have a channel with limits.
    private(set) var sensors: Set<Int32> = []

    init(_ limited: [StoreConnection.LimitedChannel] = []) {
        for channel in limited {
            channels[ChannelAddress(sensor: channel.sensor, channel: channel.channel)] = channel
            sensors.insert(channel.sensor)
        }
    }

    subscript(address: ChannelAddress) -> StoreConnection.LimitedChannel? { channels[address] }
}

/// A channel, by the database's numbers.
struct ChannelAddress: Hashable, Sendable {
    var sensor: Int32
    var channel: Int16
}
