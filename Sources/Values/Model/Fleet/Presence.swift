public import Time

/// Whether a sensor is present, derived from its announcements, its answers, its data and its Last Will.
///
/// A broken connection does not mean an absent sensor: after a Last Will the sensor is `lost`, and `offline` only if no
/// message arrives for two keep-alives. Silence counts only while the registry was listening: a registry that was down,
/// or a broker that accepted no publishes, gives no information about sensors.
public struct Presence: Sendable, Equatable {
    /// The state of presence. The raw value is stored in the `sensor` table.
    public enum Word: String, Sendable, CaseIterable {
        /// No message of the sensor ever arrived.
        case unknown
        /// Present.
        case online
        /// The sensor's connection broke less than `lostSecondsMax` ago.
        case lost
        /// Absent, or stopped.
        case offline
    }

    /// A boot of a sensor and a connection within it; later ones are greater.
    public struct Connection: Sendable, Hashable, Comparable {
        /// The boot's number, which grows with each start of the sensor.
        public var boot: Int64
        /// The connection's number within the boot: 1, 2, 3 …
        public var number: Int64

        /// The connection with that number in that boot.
        public init(boot: Int64, number: Int64) {
            self.boot = boot
            self.number = number
        }

        /// The connection that an announcement or a Last Will refers to.
        public init(_ announcement: Announcement) {
            self.init(boot: announcement.boot, number: announcement.connection)
        }

        /// By boot, then by number.
        public static func < (left: Connection, right: Connection) -> Bool {
            (left.boot, left.number) < (right.boot, right.number)
        }
    }

    /// Seconds after a Last Will until a sensor is offline: two of the 30 s keep-alives that the devices use.
    public static let lostSecondsMax: Int64 = 60
    /// Seconds without a message until a sensor that announces itself is offline: at least this long, and at least
    /// three of the sensor's own intervals between announcements.
    public static let silentSecondsMin: Int64 = 60
    /// Seconds without data until a device that only sends data is offline.
    public static let dataSilentSecondsMax: Int64 = 300
    /// Seconds after a stop or a Last Will during which arriving data may have been in transit before.
    private static let tailSeconds: Int64 = 5

    /// The state of presence.
    public private(set) var word: Word
    /// The sensor's newest connection; nil if the sensor never announced itself.
    public private(set) var connection: Connection?
    /// Whether the sensor announced that it stopped.
    public private(set) var isStopped: Bool
    /// The time of arrival of the sensor's newest announcement or answer.
    public private(set) var heard: Timestamp?
    /// The time at which the sensor became `lost`; nil if a later message arrived from it.
    public private(set) var lost: Timestamp?
    /// Seconds between the sensor's announcements.
    public private(set) var interval: Int64

    /// The known presence of a sensor; by default nothing is known.
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

    /// Records an announcement that is not a Last Will.
    /// - Returns: false, without any change, if the announcement is of an older connection than the newest.
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

    /// Records a Last Will: it means only that one connection broke. A newer connection may exist by now.
    public mutating func note(will: Announcement, at received: Timestamp) {
        let connection = Connection(will)
        if let known = self.connection, connection < known || isStopped { return }
        self.connection = connection
        broke(at: received)
    }

    /// Records that the sensor's gateway lost its connection.
    public mutating func gatewayBroke(at received: Timestamp) {
        if let heard, heard > received { return }
        broke(at: received)
    }

    private mutating func broke(at received: Timestamp) {
        if isStopped || word == .offline { return }
        word = .lost
        lost = received
    }

    /// Records an answer to a command.
    public mutating func answered(at received: Timestamp) {
        heard = max(heard ?? received, received)
        if isStopped { return }
        if let lost, lost >= received { return }
        lost = nil
        word = .online
    }

    /// Re-evaluates the presence at `now`.
    /// - Parameters:
    ///   - data: the time of arrival of the sensor's newest frame.
    ///   - listening: the time since which the registry has received the sensors' messages without interruption.
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

    /// Whether data is newer than everything else that arrived from the sensor.
    private func isNews(_ data: Timestamp) -> Bool {
        if word == .online { return false }
        guard let last = [heard, lost].compactMap({ $0 }).max() else { return true }
        return data > last.advanced(bySeconds: isStopped || word == .lost ? Self.tailSeconds : 0)
    }
}
