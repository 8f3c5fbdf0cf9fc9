internal import Sensors
internal import Store

extension AlarmRecord {
    /// As JSON (docs/iotctl-json.md, "alarm").
    var record: Value {
        .record([
            "id": .text(id), "sensor": .text(serial), "channel": .integer(Int64(channel)),
            "channel_name": .text(channelName), "unit": .text(unit), "rule": .text(rule),
            "active": .flag(isActive), "raised_at": .time(raisedAt), "cleared_at": .time(clearedAt),
            "value": .number(value), "limit_value": .number(limit), "clear_value": .number(clearValue),
            "text": .text(text),
        ])
    }

    /// "temperature", or the number of a channel without a name.
    var channelText: String { channelName ?? String(channel) }

    /// From its trigger to its clear; nil while one of them has not come.
    var lasted: Duration? {
        guard let raisedAt, let clearedAt else { return nil }
        return .nanoseconds(clearedAt.nanoseconds(since: raisedAt))
    }
}
