internal import Store

extension QuarantineRecord {
    /// As JSON (docs/iotctl-json.md, "quarantined payload").
    var record: Value { .record(fields) }

    /// The fields of `record`.
    var fields: KeyValuePairs<String, Value> {
        [
            "id": .integer(id), "at": .time(at), "reason": .text(reason), "detail": .text(detail),
            "sensor": .text(serial), "boot_id": .integer(boot), "sequence": .integer(sequence),
            "routing_key": .text(key), "source": .text(source), "incarnation": .integer(incarnation),
            "stream_offset": .integer(offset), "received_at": .time(received), "length": .integer(Int64(length)),
            "kept": .integer(Int64(kept)), "hash": .integer(hash),
        ]
    }

    /// The sensor, or the key where it names none; short enough for a terminal of 80 columns.
    var whose: String {
        let text = serial ?? key
        return text.count <= 20 ? text : text.prefix(19) + "…"
    }
}
