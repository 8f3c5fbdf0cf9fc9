internal import Model
internal import Records
internal import Store

/// A change of one property of a sensor.
struct SensorChange: Sendable, Equatable {
    /// The sensor's serial number.
    var serial: String
    /// The property's name: `state`, `presence`, `rate_hz` …
    var property: String
    /// The old value; null if it is not known.
    var before: JSONValue
    /// The new value.
    var after: JSONValue
}

/// Derives the changes of sensors from their announcements. Pure.
struct SensorWatch: Sendable {
    private struct Known: Sendable {
        var boot: Int64?
        var connection: Int64?
        /// Values of the announced properties, by name.
        var properties: [String: JSONValue]
        /// Further reported properties, by path in the twin; nil before the first announcement.
        var reported: [String: JSONValue]?
    }

    /// The properties' names, in the order of output.
    static let names = ["boot_id", "presence", "state", "rate_hz", "kind", "firmware", "frames_dropped"]

    private var sensors: [String: Known] = [:]

    /// Starts from the sensors' state in the database.
    init(_ summaries: [SensorSummary]) {
        for summary in summaries {
            sensors[summary.serial] = Known(
                boot: summary.boot,
                properties: [
                    "boot_id": .integer(summary.boot), "presence": .text(summary.presence),
                    "state": .text(summary.state), "rate_hz": .number(summary.rate?.hertz),
                    "kind": .text(summary.kind), "firmware": .text(summary.firmware),
                    "frames_dropped": .integer(summary.framesDropped ?? 0),
                ])
        }
    }

    /// The known state of all sensors, by serial number: each property as a change from an unknown value.
    var present: [SensorChange] {
        sensors.keys.sorted().flatMap { serial in
            Self.names.compactMap { name in
                guard let value = sensors[serial]?.properties[name], value != .null, value != .text("") else {
                    return nil
                }
                return SensorChange(serial: serial, property: name, before: .null, after: value)
            }
        }
    }

    /// The changes of an announcement or a Last Will; none if it is older than the known state.
    mutating func note(_ announcement: Announcement, from serial: String) -> [SensorChange] {
        var known = sensors[serial] ?? Known(properties: [:])
        guard (announcement.boot, announcement.connection) >= (known.boot ?? 0, known.connection ?? 0) else {
            return []
        }
        let isWill = announcement.state == .lost
        if isWill, known.properties["state"] == .text("stopped") { return [] }
        if announcement.boot != known.boot { known.connection = nil }
        known.boot = announcement.boot
        known.connection = announcement.connection
        let changes = Self.told(announcement).filter { name, value in
            value != .null && (known.properties[name] ?? .null) != value
        }
        let told = Self.names.compactMap { name in
            changes[name].map {
                SensorChange(serial: serial, property: name, before: known.properties[name] ?? .null, after: $0)
            }
        }
        known.properties.merge(changes) { $1 }
        let reported = isWill ? [] : Self.note(announcement.properties.mapValues { JSONValue($0) }, in: &known)
        sensors[serial] = known
        return told + reported.map { SensorChange(serial: serial, property: $0, before: $1, after: $2) }
    }

    /// The reported properties that differ from those of the last announcement.
    private static func note(
        _ properties: [String: JSONValue], in known: inout Known
    ) -> [(property: String, before: JSONValue, after: JSONValue)] {
        defer { known.reported = properties }
        guard let before = known.reported else { return [] }
        return Set(before.keys).union(properties.keys).sorted().compactMap { path in
            let (was, now) = (before[path] ?? .null, properties[path] ?? .null)
            return was == now ? nil : ("reported.\(path)", was, now)
        }
    }

    /// The properties in an announcement. A Last Will was written when the connection began: only `lost` in it is new.
    private static func told(_ announcement: Announcement) -> [String: JSONValue] {
        if announcement.state == .lost { return ["presence": .text("lost")] }
        return [
            "boot_id": .integer(announcement.boot),
            "presence": .text(announcement.state == .stopped ? "offline" : "online"),
            "state": .text(announcement.state.rawValue), "rate_hz": .number(announcement.rate?.hertz),
            "kind": .text(announcement.kind), "firmware": .text(announcement.firmware),
            "frames_dropped": .integer(announcement.framesDropped),
        ]
    }
}
