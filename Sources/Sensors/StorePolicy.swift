/// What is kept for a time of its own.
public enum StoreTier: String, Sendable, CaseIterable {
    /// The samples.
    case measurement
    /// Their minutes.
    case minutes = "measurement_1m"
    /// Their hours.
    case hours = "measurement_1h"
    /// Their days.
    case days = "measurement_1d"
    /// Where sensors were.
    case location
    /// Sensors' log lines.
    case log = "sensor_log"
    /// Alarms that are over.
    case alarm
    /// Commands that are over.
    case command
    /// Payloads that could not be stored.
    case quarantine
    /// What is remembered of ingest, storage and queries.
    case history

    /// Whether it is kept in chunks, which go as a whole.
    public var isChunked: Bool {
        switch self {
        case .alarm, .command, .quarantine, .history: false
        default: true
        }
    }

    /// Whether TimescaleDB's community edition can compress it.
    public var hasColumnstore: Bool {
        switch self {
        case .measurement, .minutes, .hours, .days, .log: true
        default: false
        }
    }
}

/// One thing to change in the policies: `measurement=30d`, `measurement_1d=forever`, `measurement.columnstore=2d`,
/// `measurement.columnstore=never`.
public struct PolicyChange: Sendable, Equatable {
    /// What of it.
    public enum Aspect: Sendable, Equatable {
        /// How long it is kept.
        case keep
        /// At which age a chunk is compressed, where the edition can.
        case columnstoreAfter
    }

    /// What can't be read, and why.
    public struct Unreadable: Error, Equatable, CustomStringConvertible {
        /// In words.
        public let description: String
    }

    /// The shortest time for both: one hour.
    public static let shortest: Duration = .seconds(3600)

    /// Of what.
    public var tier: StoreTier
    /// Which of its two.
    public var aspect: Aspect
    /// To what; nil: for ever, or never.
    public var duration: Duration?

    /// That change.
    public init(tier: StoreTier, aspect: Aspect = .keep, duration: Duration?) {
        self.tier = tier
        self.aspect = aspect
        self.duration = duration
    }

    /// Reads one.
    /// - Parameter duration: reads what stands behind the equals sign, `30d`.
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

/// How the store grows, and when its disk will be full.
public struct StorageForecast: Sendable, Equatable {
    /// The database's size at some time.
    public struct Point: Sendable, Equatable {
        /// When.
        public var at: Timestamp
        /// Bytes of the whole database.
        public var bytes: Int64
        /// Free bytes of its volume; nil: not known.
        public var freeBytes: Int64?

        /// That.
        public init(at: Timestamp, bytes: Int64, freeBytes: Int64?) {
            self.at = at
            self.bytes = bytes
            self.freeBytes = freeBytes
        }
    }

    /// The shortest past that says anything about a day: two hours.
    public static let shortest: Double = 7200
    /// The longest past that is looked at, so that a load of long ago does not count: seven days.
    public static let longest: Double = 7 * 86_400

    /// Bytes that come in a day; below 0 where more goes; nil: too short a past.
    public var bytesPerDay: Double?
    /// Days until the volume is full; nil: not known, or never at this rate.
    public var daysLeft: Double?
    /// The past that this rests on, in hours.
    public var hours: Double

    /// What follows from points in any order.
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
