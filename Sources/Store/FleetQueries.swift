public import Sensors

/// A machine that carries sensors, in one line.
public struct TargetSummary: Sendable, Equatable {
    /// What people call it.
    public var name: String
    /// Anything else about it; may be empty.
    public var description: String
    /// Its sensors.
    public var sensors: Int64
    /// Those of them that sample.
    public var awake: Int64
    /// Those of them that are connected.
    public var online: Int64
    /// Alarms of its sensors that are on.
    public var activeAlarms: Int64
}

/// All that is known of a machine.
public struct TargetDetail: Sendable, Equatable {
    /// A sensor on it, with its newest values.
    public struct Sensor: Sendable, Equatable {
        /// The sensor in one line.
        public var summary: SensorSummary
        /// By number.
        public var channels: [ChannelRecord]
    }

    /// The machine in one line.
    public var summary: TargetSummary
    /// By serial.
    public var sensors: [Sensor]
    /// Those that are on, the newest first.
    public var activeAlarms: [AlarmRecord]
}

/// A stream: how far it is stored, and by whom.
public struct PartitionRecord: Sendable, Equatable {
    /// Its name at the broker.
    public var stream: String
    /// Grows when the stream was made anew.
    public var incarnation: Int64
    /// The replica that holds the lease; nil: none ever did.
    public var owner: String?
    /// Grows with each change of owner.
    public var epoch: Int64
    /// How long the lease still lasts; below zero: it has run out; nil: there never was one.
    public var leaseLeft: Duration?
    /// Offset of the last message that is stored; nil before the first.
    public var committedOffset: Int64?
    /// When that was stored.
    public var committedAt: Timestamp?
    /// How long before the database's now that was.
    public var committedAge: Duration?
    /// The database's now.
    public var at: Timestamp

    /// Messages stored a second since an earlier look; nil if nobody can say: the stream was made anew, or no time has
    /// passed.
    public func messagesPerSecond(since earlier: PartitionRecord) -> Double? {
        let seconds = Double(at.unixNanoseconds - earlier.at.unixNanoseconds) / 1e9
        guard earlier.stream == stream, earlier.incarnation == incarnation, seconds > 0 else { return nil }
        return max(0, Double((committedOffset ?? -1) - (earlier.committedOffset ?? -1))) / seconds
    }

    /// Messages that are not stored, if the stream's newest message has that offset (-1: there is none).
    public func lag(end: Int64) -> Int64 { max(0, end - (committedOffset ?? -1)) }
}

/// The whole installation at one moment.
public struct FleetSnapshot: Sendable, Equatable {
    /// A sensor and what it makes.
    public struct Load: Sendable, Equatable {
        /// Its serial number.
        public var serial: String
        /// "vibration" …, may be empty.
        public var kind: String
        /// `awake` …
        public var state: String
        /// `online` …
        public var presence: String
        /// Samples a second in all channels together, by the rates of its newest rows; 0 if none came within 15 s.
        public var samplesPerSecond: Double
        /// How long before the database's now its newest value was taken.
        public var lastValueAge: Duration?
        /// Its alarms that are on.
        public var activeAlarms: Int64
    }

    /// In which order sensors are looked at.
    public enum Order: String, Sendable, CaseIterable {
        /// Those that make most first.
        case rate
        /// Those with most alarms first.
        case alarms
    }

    /// The database's now.
    public var at: Timestamp
    /// How many sensors are in each state.
    public var states: [String: Int64]
    /// How many sensors have each presence.
    public var presences: [String: Int64]
    /// Frames stored, in all.
    public var frames: Int64
    /// Samples a second of all sensors, by the rates of their newest rows.
    public var samplesPerSecond: Double
    /// Alarms that are on.
    public var activeAlarms: Int64
    /// By name.
    public var partitions: [PartitionRecord]
    /// The first of them.
    public var sensors: [Load]
    /// The newest that are on.
    public var alarms: [AlarmRecord]

    /// All sensors.
    public var sensorCount: Int64 { states.values.reduce(0, +) }

    /// Frames stored a second since an earlier look; nil if no time has passed.
    public func framesPerSecond(since earlier: FleetSnapshot) -> Double? {
        let seconds = Double(at.unixNanoseconds - earlier.at.unixNanoseconds) / 1e9
        return seconds > 0 ? max(0, Double(frames - earlier.frames)) / seconds : nil
    }
}

extension StoreConnection {
    /// The machines, by name.
    /// - Throws: `StoreError`.
    public func targetSummaries() throws -> [TargetSummary] {
        try transaction(timeout: .seconds(30)) { session in try session.targets(named: nil) }
    }

    /// All that is known of a machine; nil if there is none of that name.
    /// - Throws: `StoreError`.
    public func targetDetail(_ name: String) throws -> TargetDetail? {
        try transaction(timeout: .seconds(30)) { session in
            guard let summary = try session.targets(named: name).first else { return nil }
            let serials = try session.query(
                "SELECT serial FROM sensor JOIN target USING (target_id) WHERE target.name = $1", [.text(name)]
            ).rows.compactMap { $0["serial"] }
            let channels = try session.channels(of: serials)
            return TargetDetail(
                summary: summary,
                sensors: try session.sensorSummaries(serials).map {
                    TargetDetail.Sensor(summary: $0, channels: channels[$0.serial] ?? [])
                },
                activeAlarms: try session.alarms(AlarmFilter(activeOnly: true, serials: serials)))
        }
    }

    /// The streams, by number.
    /// - Throws: `StoreError`.
    public func partitions() throws -> [PartitionRecord] {
        try transaction(timeout: .seconds(30)) { session in try session.partitions() }
    }

    /// The whole installation as it is now.
    /// - Parameters:
    ///   - sensorsMax: most sensors that are given.
    ///   - alarmsMax: most alarms that are given.
    /// - Throws: `StoreError`.
    public func fleetSnapshot(
        by order: FleetSnapshot.Order, sensorsMax: Int, alarmsMax: Int
    ) throws -> FleetSnapshot {
        try transaction(timeout: .seconds(30)) { session in
            let counts = try session.query("SELECT state, presence, count(*) AS n FROM sensor GROUP BY 1, 2").rows
            let sums = try session.query(
                """
                SELECT (SELECT coalesce(sum(frames), 0) FROM sensor_boot)::bigint AS frames,
                    (SELECT count(*) FROM alarm WHERE cleared_at IS NULL) AS alarms,
                    (SELECT coalesce(sum(sample_rate_hz), 0) FROM latest WHERE received_at > \(fresh)) AS rate,
                    \(microseconds("now()")) AS now_us
                """
            ).first
            func tally(_ column: String) -> [String: Int64] {
                counts.reduce(into: [:]) { $0[$1.text(column), default: 0] += $1.integer("n") ?? 0 }
            }
            return FleetSnapshot(
                at: sums?.time("now_us") ?? Timestamp(unixNanoseconds: 0), states: tally("state"),
                presences: tally("presence"), frames: sums?.integer("frames") ?? 0,
                samplesPerSecond: sums?.double("rate") ?? 0, activeAlarms: sums?.integer("alarms") ?? 0,
                partitions: try session.partitions(), sensors: try session.loads(order, sensorsMax),
                alarms: try session.alarms(AlarmFilter(activeOnly: true, countMax: alarmsMax)))
        }
    }
}

// MARK: statements

/// A sensor that has sent nothing since then makes nothing.
private let fresh = "now() - INTERVAL '15 seconds'"

/// How many alarms of each sensor are on.
private let alarmCounts = "(SELECT sensor_id, count(*) AS n FROM alarm WHERE cleared_at IS NULL GROUP BY sensor_id)"

extension Session {
    fileprivate func targets(named name: String?) throws -> [TargetSummary] {
        try query(
            """
            SELECT t.name, t.description, count(s.sensor_id) AS sensors,
                count(*) FILTER (WHERE s.state = 'awake') AS awake,
                count(*) FILTER (WHERE s.presence = 'online') AS online, coalesce(sum(a.n), 0)::bigint AS alarms
            FROM target t LEFT JOIN sensor s USING (target_id) LEFT JOIN \(alarmCounts) a USING (sensor_id)
            WHERE $1::text IS NULL OR t.name = $1::text
            GROUP BY t.target_id ORDER BY t.name
            """, [.text(name)]
        ).rows.map { row in
            TargetSummary(
                name: row.text("name"), description: row.text("description"), sensors: row.integer("sensors") ?? 0,
                awake: row.integer("awake") ?? 0, online: row.integer("online") ?? 0,
                activeAlarms: row.integer("alarms") ?? 0)
        }
    }

    fileprivate func partitions() throws -> [PartitionRecord] {
        // measurements.10 comes after measurements.9.
        try query(
            """
            SELECT stream, incarnation, owner, epoch, committed_offset, \(microseconds("lease_until")) AS lease_us,
                \(microseconds("committed_at")) AS committed_us, \(microseconds("now()")) AS now_us
            FROM ingest_partition ORDER BY length(stream), stream
            """
        ).rows.map { row in
            PartitionRecord(
                stream: row.text("stream"), incarnation: row.integer("incarnation") ?? 0, owner: row["owner"],
                epoch: row.integer("epoch") ?? 0, leaseLeft: row.age("lease_us").map { .zero - $0 },
                committedOffset: row.integer("committed_offset"), committedAt: row.time("committed_us"),
                committedAge: row.age("committed_us"), at: row.time("now_us") ?? Timestamp(unixNanoseconds: 0))
        }
    }

    fileprivate func loads(_ order: FleetSnapshot.Order, _ countMax: Int) throws -> [FleetSnapshot.Load] {
        let first =
            switch order {
            case .rate: "rate DESC, alarms DESC"
            case .alarms: "alarms DESC, rate DESC"
            }
        return try query(
            """
            SELECT s.serial, s.kind, s.state, s.presence, coalesce(l.rate, 0) AS rate, coalesce(a.n, 0) AS alarms,
                \(microseconds("l.newest")) AS newest_us, \(microseconds("now()")) AS now_us
            FROM sensor s LEFT JOIN \(alarmCounts) a USING (sensor_id) LEFT JOIN (
                SELECT sensor_id, max("time") AS newest,
                    sum(sample_rate_hz) FILTER (WHERE received_at > \(fresh)) AS rate
                FROM latest GROUP BY sensor_id) l USING (sensor_id)
            ORDER BY \(first), s.serial LIMIT $1
            """, [.integer(Int64(countMax))]
        ).rows.map { row in
            FleetSnapshot.Load(
                serial: row.text("serial"), kind: row.text("kind"), state: row.text("state"),
                presence: row.text("presence"), samplesPerSecond: row.double("rate") ?? 0,
                lastValueAge: row.age("newest_us"), activeAlarms: row.integer("alarms") ?? 0)
        }
    }
}
