public import Time

/// A kind of stored data with its own retention. The raw value is its name in policies.
public enum StoreTier: String, Sendable, CaseIterable {
    /// The samples.
    case measurement
    /// The rollups of the samples by minute.
    case minutes = "measurement_1m"
    /// The rollups of the samples by hour.
    case hours = "measurement_1h"
    /// The rollups of the samples by day.
    case days = "measurement_1d"
    /// The positions of sensors.
    case location
    /// The log lines of sensors.
    case log = "sensor_log"
    /// Alarms that have ended.
    case alarm
    /// Commands that have ended.
    case command
    /// Payloads that could not be stored.
    case quarantine
    /// The history of ingest, storage and queries.
    case history

    /// Whether the data is kept in chunks, which retention drops as a whole.
    public var isChunked: Bool {
        switch self {
        case .alarm, .command, .quarantine, .history: false
        default: true
        }
    }

    /// The tables that hold the data.
    public var tables: [String] {
        self == .history ? ["ingest_history", "storage_history", "query_history"] : [rawValue]
    }

    /// Whether TimescaleDB's community edition can compress the data.
    public var hasColumnstore: Bool {
        switch self {
        case .measurement, .minutes, .hours, .days, .log: true
        default: false
        }
    }
}

/// A change of one policy: `measurement=30d`, `measurement_1d=forever`, `measurement.columnstore=2d`,
/// `measurement.columnstore=never`.
public struct PolicyChange: Sendable, Equatable {
    /// The setting of a tier that the policy changes.
    public enum Aspect: Sendable, Equatable {
        /// The retention: how long the data is kept.
        case keep
        /// The age at which a chunk is compressed, if the edition of TimescaleDB can do so.
        case columnstoreAfter
    }

    /// The error for a text that is not a policy change.
    public struct Unreadable: Error, Equatable, CustomStringConvertible {
        /// The reason, in one line.
        public let description: String
    }

    /// The shortest duration of either setting: one hour.
    public static let shortest: Duration = .seconds(3600)

    /// The tier to change.
    public var tier: StoreTier
    /// The setting to change.
    public var aspect: Aspect
    /// The new duration; nil: keep without limit, or never compress.
    public var duration: Duration?

    /// A change of that setting of `tier` to `duration`.
    public init(tier: StoreTier, aspect: Aspect = .keep, duration: Duration?) {
        self.tier = tier
        self.aspect = aspect
        self.duration = duration
    }

    /// Reads a policy change.
    /// - Parameter duration: reads the text after the equals sign, `30d`.
    /// - Throws: `Unreadable`.
    public init(_ text: String, duration: (String) -> Duration?) throws(Unreadable) {
        let sides = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let names = sides[0].split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard sides.count == 2 else {
            throw Unreadable(description: "\(text): a policy is like measurement=30d or measurement.columnstore=2d")
        }
        guard let tier = StoreTier(rawValue: names[0]) else {
            let all = StoreTier.allCases.map(\.rawValue).joined(separator: ", ")
            throw Unreadable(description: "no policy for \(names[0]); there are \(all)")
        }
        self.tier = tier
        switch names.dropFirst().first {
        case nil: aspect = .keep
        case "columnstore" where tier.hasColumnstore: aspect = .columnstoreAfter
        case "columnstore": throw Unreadable(description: "\(tier.rawValue) has no columnstore")
        case let other?: throw Unreadable(description: "\(tier.rawValue) has no \(other); there is columnstore")
        }
        if sides[1] == (aspect == .keep ? "forever" : "never") {
            self.duration = nil
        } else if let value = duration(sides[1]), value >= Self.shortest {
            self.duration = value
        } else {
            let none = aspect == .keep ? "forever" : "never"
            throw Unreadable(description: "\(text): a time of 1h or more, like 30d, or \(none)")
        }
    }
}

/// Data that would be dropped before it is compressed.
public struct PolicyContradiction: Error, Sendable, Equatable, CustomStringConvertible {
    /// The kind of data.
    public var tier: StoreTier

    /// The description for operators.
    public var description: String {
        "\(tier.rawValue) would be dropped before it is compressed; add \(tier.rawValue).columnstore=never, or a time "
            + "that is not longer"
    }

    /// Checks the policies that changes touch.
    /// - Parameter policies: the present policies.
    /// - Throws: `PolicyContradiction` for the first tier whose policies would contradict each other.
    public static func check(
        _ changes: [PolicyChange], on policies: [(tier: StoreTier, keep: Duration?, columnstoreAfter: Duration?)]
    ) throws(PolicyContradiction) {
        for var policy in policies where changes.contains(where: { $0.tier == policy.tier }) {
            for change in changes where change.tier == policy.tier {
                switch change.aspect {
                case .keep: policy.keep = change.duration
                case .columnstoreAfter: policy.columnstoreAfter = change.duration
                }
            }
            if let keep = policy.keep, let after = policy.columnstoreAfter, after > keep {
                throw PolicyContradiction(tier: policy.tier)
            }
        }
    }
}

/// A forecast of the database's growth and of the time at which its volume is full.
public struct StorageForecast: Sendable, Equatable {
    /// The fewest days until the volume is full that do not count as a fault.
    public static let daysLeftMin: Double = 7

    /// The database's size at a point in time.
    public struct Point: Sendable, Equatable {
        /// The time of the measurement.
        public var at: Timestamp
        /// Bytes of the whole database.
        public var bytes: Int64
        /// Free bytes of the database's volume; nil: not known.
        public var freeBytes: Int64?

        /// A size that was measured at that time.
        public init(at: Timestamp, bytes: Int64, freeBytes: Int64?) {
            self.at = at
            self.bytes = bytes
            self.freeBytes = freeBytes
        }
    }

    /// The shortest period that allows a forecast, in seconds: two hours.
    public static let shortest: Double = 7200
    /// The longest period that the forecast uses, in seconds, so that an earlier load does not count: seven days.
    public static let longest: Double = 7 * 86_400

    /// Growth in bytes per day; negative if the database shrinks; nil: the period is too short.
    public var bytesPerDay: Double?
    /// Days until the volume is full; nil: not known, or never at this rate.
    public var daysLeft: Double?
    /// The length of the period that the forecast is based on, in hours.
    public var hours: Double

    /// The forecast from measured sizes, which may be in any order.
    public init(_ points: [Point]) {
        hours = 0
        guard let newest = points.max(by: { $0.at < $1.at }),
            let oldest = points.filter({ newest.at.seconds(since: $0.at) <= Self.longest })
                .min(by: { $0.at < $1.at })
        else { return }
        let seconds = newest.at.seconds(since: oldest.at)
        hours = seconds / 3600
        guard seconds >= Self.shortest else { return }
        let growth = Double(newest.bytes - oldest.bytes) / seconds * 86_400
        bytesPerDay = growth
        if let free = newest.freeBytes, growth > 0 { daysLeft = Double(free) / growth }
    }
}
