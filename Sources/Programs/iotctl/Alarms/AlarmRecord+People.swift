internal import Store
internal import Time

extension AlarmRecord {
    /// The channel's name, such as "temperature", or its number if it has no name.
    var channelText: String { channelName ?? String(channel) }

    /// Time from trigger to clear; nil while one of the two is missing.
    var lasted: Duration? {
        guard let raisedAt, let clearedAt else { return nil }
        return .nanoseconds(clearedAt.nanoseconds(since: raisedAt))
    }
}
