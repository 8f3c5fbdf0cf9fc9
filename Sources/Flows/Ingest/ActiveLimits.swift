internal import Model
internal import Postgres
internal import Store

/// The limits of all channels that have some.
struct ActiveLimits: Sendable {
    private var channels: [ChannelID: StoreConnection.LimitedChannel] = [:]
    /// The sensors that have a channel with limits.
    private(set) var sensors: Set<SensorID> = []

    init(_ limited: [StoreConnection.LimitedChannel] = []) {
        for channel in limited {
            channels[channel.channel] = channel
            sensors.insert(channel.channel.sensor)
        }
    }

    subscript(channel: ChannelID) -> StoreConnection.LimitedChannel? { channels[channel] }
}
