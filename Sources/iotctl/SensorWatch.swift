internal import Sensors
internal import Store

/// What changed of a sensor.
struct SensorChange: Sendable, Equatable {
    /// The sensor.
    var serial: String
    /// `state`, `presence`, `rate_hz` …
    var property: String
    /// What it was; null: not known.
    var before: Value
    /// What it is.
    var after: Value
}

/// Tells what changes of sensors from what they announce. Pure.
struct SensorWatch: Sendable {
    private struct Known: Sendable {
        var boot: Int64?
        var connection: Int64?
        /// By name.
        var properties: [String: Value]
        /// What it has besides, by the way through the twin; nil until it has said so.
        var reported: [String: Value]?
    }

    /// In the order they are told.
    private static let names = ["boot_id", "presence", "state", "rate_hz", "kind", "firmware", "frames_dropped"]

    private var sensors: [String: Known] = [:]

    /// Begins with what the database knows.
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

    /// What an announcement or a Last Will changes; nothing if it is older than what is known.
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
        let reported = isWill ? [] : Self.note(announcement.properties.mapValues { Value($0) }, in: &known)
        sensors[serial] = known
        return told + reported.map { SensorChange(serial: serial, property: $0, before: $1, after: $2) }
    }

    /// What differs from what it said last.
    private static func note(
        _ properties: [String: Value], in known: inout Known
    ) -> [(property: String, before: Value, after: Value)] {
        defer { known.reported = properties }
        guard let before = known.reported else { return [] }
        return Set(before.keys).union(properties.keys).sorted().compactMap { path in
            let (was, now) = (before[path] ?? .null, properties[path] ?? .null)
            return was == now ? nil : ("reported.\(path)", was, now)
        }
    }

    /// What it says; a Last Will was written when the connection began, so only its being lost is news.
    private static func told(_ announcement: Announcement) -> [String: Value] {
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

extension Value {
    /// The value of an argument or a property.
    init(_ value: Command.Value) {
        switch value {
        case .number(let number): self = .number(number)
        case .text(let text): self = .text(text)
        case .flag(let flag): self = .flag(flag)
        }
    }
}
