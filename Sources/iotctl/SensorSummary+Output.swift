internal import Sensors
internal import Store

extension SensorSummary {
    /// As JSON (docs/iotctl-json.md, "sensor").
    var record: Value { .object(fields) }

    /// The fields of that.
    var fields: [Value.Field] {
        let record = Value.record([
            "serial": .text(serial), "kind": .text(kind), "state": .text(state), "presence": .text(presence),
            "rate_hz": .number(rate?.hertz), "last_seen": .time(lastSeen), "last_seen_age_s": .seconds(lastSeenAge),
            "last_value": .time(lastValue), "last_value_age_s": .seconds(lastValueAge),
            "firmware": .text(firmware), "target": .text(target), "tags": Value(json: tagsJSON) ?? .null,
            "boot_id": .integer(boot), "frames_dropped": .integer(framesDropped),
        ])
        guard case .object(let fields) = record else { return [] }
        return fields
    }

    /// "hall=3,line=2", for people.
    var tagsText: String {
        Twin.leaves(of: Value(json: tagsJSON) ?? .null).filter { !$0.path.isEmpty }
            .map { "\($0.path)=\($0.value.plain)" }.joined(separator: ",")
    }
}

extension SampleRate {
    /// "1000 Hz", "2.5 kHz", "0.0167 Hz", for people.
    var short: String { hertz >= 10_000 ? "\((hertz / 1000).short) kHz" : "\(hertz.short) Hz" }
}

extension Timestamp {
    /// To the second, for people: "2026-11-21 09:30:00".
    var short: String {
        let text = description
        return "\(text.prefix(10)) \(text.dropFirst(11).prefix(8))"
    }
}
