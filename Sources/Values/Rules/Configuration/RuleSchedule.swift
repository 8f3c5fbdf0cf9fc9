public import Time

/// When a rule raises alarms quietly, or not at all.
///
/// In quiet hours alarms are raised and recorded as always; their transitions are marked as quiet. During maintenance no
/// alarm is raised: a condition that still holds when the maintenance ends raises it then, at the next frame or tick.
/// Alarms always clear. For frames the time is the signal's, for ticks the broker's.
public struct RuleSchedule: Sendable, Equatable {
    /// The time zone of the local times, by its IANA name.
    public var zone: String
    /// Hours of the week in which alarms are quiet.
    public var quiet: [WeeklyHours]
    /// Hours of the week in which no alarm is raised.
    public var maintenance: [WeeklyHours]
    /// Single times in which no alarm is raised.
    public var maintenanceWindows: [Window]

    /// A schedule of these parts.
    public init(
        zone: String = "UTC", quiet: [WeeklyHours] = [], maintenance: [WeeklyHours] = [],
        maintenanceWindows: [Window] = []
    ) {
        self.zone = zone
        self.quiet = quiet
        self.maintenance = maintenance
        self.maintenanceWindows = maintenanceWindows
    }

    /// A day of the week. The raw value is the word in YAML.
    public enum Day: String, Sendable, Codable, CaseIterable {
        case mon, tue, wed, thu, fri, sat, sun
    }

    /// A local time of day, `HH:MM`; `24:00` is the end of the day.
    public struct TimeOfDay: Sendable, Hashable, Codable, CustomStringConvertible {
        /// Minutes since local midnight, 0…1440.
        public let minutes: Int

        /// Reads `HH:MM`.
        /// - Returns: nil for any other text.
        public init?(_ text: String) {
            let parts = text.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count == 2, parts[0].utf8.count == 2, parts[1].utf8.count == 2,
                parts.allSatisfy({ $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }),
                let hour = Int(parts[0]), let minute = Int(parts[1]), minute < 60, hour * 60 + minute <= 1440
            else { return nil }
            minutes = hour * 60 + minute
        }

        /// `HH:MM`.
        public var description: String {
            func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
            return "\(two(minutes / 60)):\(two(minutes % 60))"
        }

        /// Reads the text.
        /// - Throws: `DecodingError`.
        public init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            let text = try container.decode(String.self)
            guard let time = Self(text) else {
                throw DecodingError.dataCorruptedError(
                    in: container, debugDescription: "'\(text)' is no time of day; write \"07:30\", in quotes")
            }
            self = time
        }

        /// Writes the text.
        /// - Throws: `EncodingError`.
        public func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            try container.encode(description)
        }
    }

    /// Hours that come back every week.
    public struct WeeklyHours: Sendable, Equatable {
        /// The days on which they begin; empty: every day.
        public var days: [Day]
        /// The first minute.
        public var from: TimeOfDay
        /// The minute after the last; not later than `from`: on the next day.
        public var to: TimeOfDay

        /// Those hours of those days.
        public init(days: [Day] = [], from: TimeOfDay, to: TimeOfDay) {
            self.days = days
            self.from = from
            self.to = to
        }
    }

    /// A single time.
    public struct Window: Sendable, Equatable {
        /// Its beginning.
        public var from: Timestamp
        /// Its end, which does not belong to it.
        public var to: Timestamp

        /// From one moment to another.
        public init(from: Timestamp, to: Timestamp) {
            self.from = from
            self.to = to
        }
    }
}

extension RuleSchedule: Codable {
    /// Reads `{zone, quiet, maintenance, maintenance_windows}`, all optional.
    /// - Throws: `DecodingError`.
    public init(from decoder: any Decoder) throws {
        let object = try StrictContainer(decoder, ["zone", "quiet", "maintenance", "maintenance_windows"])
        self.init(
            zone: try object.optional("zone") ?? "UTC", quiet: try object.optional("quiet") ?? [],
            maintenance: try object.optional("maintenance") ?? [],
            maintenanceWindows: try object.optional("maintenance_windows") ?? [])
    }

    /// Writes the same object.
    /// - Throws: `EncodingError`.
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: AnyKey.self)
        try object.encode(zone, forKey: AnyKey("zone"))
        if !quiet.isEmpty { try object.encode(quiet, forKey: AnyKey("quiet")) }
        if !maintenance.isEmpty { try object.encode(maintenance, forKey: AnyKey("maintenance")) }
        if !maintenanceWindows.isEmpty {
            try object.encode(maintenanceWindows, forKey: AnyKey("maintenance_windows"))
        }
    }
}

extension RuleSchedule.WeeklyHours: Codable {
    /// Reads `{days, from, to}`.
    /// - Throws: `DecodingError`.
    public init(from decoder: any Decoder) throws {
        let object = try StrictContainer(decoder, ["days", "from", "to"])
        self.init(
            days: try object.optional("days") ?? [], from: try object.required("from"), to: try object.required("to"))
    }

    /// Writes the same object.
    /// - Throws: `EncodingError`.
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: AnyKey.self)
        if !days.isEmpty { try object.encode(days, forKey: AnyKey("days")) }
        try object.encode(from, forKey: AnyKey("from"))
        try object.encode(to, forKey: AnyKey("to"))
    }
}

extension RuleSchedule.Window: Codable {
    /// Reads `{from, to}`.
    /// - Throws: `DecodingError`.
    public init(from decoder: any Decoder) throws {
        let object = try StrictContainer(decoder, ["from", "to"])
        self.init(from: try object.required("from"), to: try object.required("to"))
    }

    /// Writes the same object.
    /// - Throws: `EncodingError`.
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: AnyKey.self)
        try object.encode(from, forKey: AnyKey("from"))
        try object.encode(to, forKey: AnyKey("to"))
    }
}
