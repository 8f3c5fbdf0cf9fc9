/// Whether a sensor is there: what is known of it from announcements, answers, data and the Last Will.
///
/// A broken connection is not an absent sensor: after a Last Will it is `lost`, and `offline` only if nothing is heard of
/// it for two keep-alives. Silence counts from when somebody listened: a registry that was away, or a broker that took no
/// publishes, says nothing about sensors (design §1).
public struct Presence: Sendable, Equatable {
    /// The raw value is what the `sensor` table holds.
    public enum Word: String, Sendable, CaseIterable {
        /// Nothing was ever heard.
        case unknown
        /// There.
        case online
        /// Its connection broke a moment ago.
        case lost
        /// Not there, or stopped.
        case offline
    }

    /// A start of a sensor and a connection within it: later ones are greater.
    public struct Connection: Sendable, Hashable, Comparable {
        /// Grows with each start of the sensor.
        public var boot: Int64
        /// 1, 2, 3 … for each connection of one boot.
        public var number: Int64

        /// That connection of that boot.
        public init(boot: Int64, number: Int64) {
            self.boot = boot
            self.number = number
        }

        /// The one that an announcement or a Last Will speaks of.
        public init(_ announcement: Announcement) {
            self.init(boot: announcement.boot, number: announcement.connection)
        }

        /// By boot, then by number.
        public static func < (left: Connection, right: Connection) -> Bool {
            (left.boot, left.number) < (right.boot, right.number)
        }
    }

    /// Seconds after a Last Will until a sensor is offline: two of the 30 s keep-alives that devices here use.
    public static let lostSecondsMax: Int64 = 60
    /// Seconds without a word until a sensor that announces itself is offline: at least these, and three of its own
    /// intervals between announcements.
    public static let silentSecondsMin: Int64 = 60
    /// Seconds without data until a device that only sends data is offline.
    public static let dataSilentSecondsMax: Int64 = 300
    /// Data that arrived so many seconds after a good-bye is not what was still on its way.
    private static let tailSeconds: Int64 = 5

    /// Whether it is there.
    public private(set) var word: Word
    /// Its newest connection; nil if it never announced itself.
    public private(set) var connection: Connection?
    /// Whether it said good-bye.
    public private(set) var isStopped: Bool
    /// When its newest announcement or answer came.
    public private(set) var heard: Timestamp?
    /// When its Last Will came, if it is `lost` or was.
    public private(set) var lost: Timestamp?
    /// Seconds between its announcements.
    public private(set) var interval: Int64

    /// What is known; by default nothing.
    public init(
        word: Word = .unknown, connection: Connection? = nil, isStopped: Bool = false, heard: Timestamp? = nil,
        lost: Timestamp? = nil, interval: Int64 = Announcement.intervalSecondsDefault
    ) {
        self.word = word
        self.connection = connection
        self.isStopped = isStopped
        self.heard = heard
        self.lost = lost
        self.interval = interval
    }

    /// Notes an announcement that is no Last Will.
    /// - Returns: false if it is of an older connection than the newest: then it changes nothing.
    public mutating func note(_ announcement: Announcement, at received: Timestamp) -> Bool {
        let connection = Connection(announcement)
        if let known = self.connection, connection < known { return false }
        isStopped = announcement.state == .stopped
        interval = announcement.intervalSeconds ?? Announcement.intervalSecondsDefault
        self.connection = connection
        heard = max(heard ?? received, received)
        lost = nil
        word = isStopped ? .offline : .online
        return true
    }

    /// Notes a Last Will: it says only that one connection broke, and a newer one may stand by now.
    public mutating func note(will: Announcement, at received: Timestamp) {
        let connection = Connection(will)
        if let known = self.connection, connection < known || isStopped { return }
        self.connection = connection
        broke(at: received)
    }

    /// Notes that the gateway which speaks for it lost its connection.
    public mutating func gatewayBroke(at received: Timestamp) {
        if let heard, heard > received { return }
        broke(at: received)
    }

    private mutating func broke(at received: Timestamp) {
        if isStopped || word == .offline { return }
        word = .lost
        lost = received
    }

    /// Notes an answer to a command.
    public mutating func answered(at received: Timestamp) {
        heard = max(heard ?? received, received)
        if isStopped { return }
        if let lost, lost >= received { return }
        lost = nil
        word = .online
    }

    /// Judges anew, at `now`.
    /// - Parameters:
    ///   - data: when its newest frame arrived.
    ///   - listening: since when nothing kept words of sensors from being heard.
    public mutating func judge(at now: Timestamp, data: Timestamp?, listeningSince listening: Timestamp) {
        if let data, isNews(data), now.seconds(since: data) < Double(Self.dataSilentSecondsMax) {
            (word, lost) = (.online, nil)
        }
        switch word {
        case .unknown, .offline: return
        case .lost:
            let since = max(lost ?? listening, listening)
            if now.seconds(since: since) >= Double(Self.lostSecondsMax) { word = .offline }
        case .online:
            let limit = connection == nil ? Self.dataSilentSecondsMax : max(Self.silentSecondsMin, 3 * interval)
            let last = max(max(heard ?? listening, data ?? listening), listening)
            if now.seconds(since: last) >= Double(limit) { word = .offline }
        }
    }

    /// Whether data shows more than was known: it came after all else that was heard.
    private func isNews(_ data: Timestamp) -> Bool {
        if word == .online { return false }
        guard let last = [heard, lost].compactMap({ $0 }).max() else { return true }
        return data > last.advanced(bySeconds: isStopped || word == .lost ? Self.tailSeconds : 0)
    }
}
