internal import Store

extension SensorDetail {
    /// What is wanted and not reported so.
    var drift: [Twin.Drift] {
        Twin.drift(desired: Value(json: desired.json) ?? .null, reported: Value(json: reportedJSON) ?? .null)
    }

    /// As JSON (docs/iotctl-json.md, "sensor in detail").
    var record: Value {
        let more = Value.record([
            "first_seen": .time(firstSeen), "desired": Value(json: desired.json) ?? .null,
            "desired_version": .integer(desired.version), "desired_changed_at": .time(desired.changedAt),
            "reported": Value(json: reportedJSON) ?? .null, "reported_version": .integer(reportedVersion),
            "drift": .list(drift.map(\.record)), "announced_next_sequence": .integer(announcedNextSequence),
            "channels": .list(channels.map(\.record)), "boots": .list(boots.map(\.record)),
            "commands": .list(commands.map(\.record)), "active_alarms": .list(activeAlarms.map(\.record)),
        ])
        guard case .object(let fields) = more else { return more }
        return .object(summary.fields + fields)
    }
}

extension Twin.Drift {
    /// As JSON.
    var record: Value { .record(["path": .text(path), "desired": desired, "reported": reported]) }
}

extension ChannelRecord {
    /// As JSON.
    var record: Value {
        .record([
            "channel": .integer(Int64(channel)), "name": .text(name), "quantity": .text(quantity),
            "unit": .text(unit), "value": .number(value), "min": .number(min), "max": .number(max),
            "rms": .number(rms), "time": .time(time), "age_s": .seconds(age),
        ])
    }
}

extension BootRecord {
    /// As JSON.
    var record: Value {
        .record([
            "boot_id": .integer(boot), "frames": .integer(frames), "missing": .integer(missing),
            "duplicates": .integer(duplicates), "next_sequence": .integer(nextSequence), "first_at": .time(firstAt),
        ])
    }
}
