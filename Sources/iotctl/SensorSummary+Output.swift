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
            "clock": .text(clock.map { "\($0)" }), "clock_offset_s": .number(clockOffsetSeconds),
        ])
        guard case .object(let fields) = record else { return [] }
        return fields
    }

    /// "+3.21s", "-12ms", for people; red where the time of arrival was taken instead.
    var clockCell: Cell {
        guard let clock else { return Cell(nil) }
        let tone: Tone = clock == .ok ? .plain : .bad
        guard let offset = clockOffsetSeconds else { return Cell("\(clock)", tone) }
        let sign = offset < 0 ? "-" : "+"
        let amount = abs(offset) < 10_000_000_000 ? Duration.seconds(abs(offset)).short : "\(abs(offset).short)s"
        return Cell(clock == .ok ? sign + amount : "\(clock) \(sign)\(amount)", tone)
    }

    /// "hall=3,line=2", for people.
    var tagsText: String { (Value(json: tagsJSON) ?? .null).tagsText }
}

extension Value {
    /// The tags of a sensor for people: "hall=3,line=2".
    var tagsText: String {
        Twin.leaves(of: self).filter { !$0.path.isEmpty }.map { "\($0.path)=\($0.value.plain)" }.joined(separator: ",")
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
