public import Postgres
public import Time

/// A summary of a machine that carries sensors.
public struct TargetSummary: Sendable, Equatable {
    /// Its name.
    public var name: String
    /// Its description; may be empty.
    public var description: String
    /// The number of its sensors.
    public var sensors: Int64
    /// The number of its sensors that sample.
    public var awake: Int64
    /// The number of its sensors that are connected.
    public var online: Int64
    /// The number of active alarms of its sensors.
    public var activeAlarms: Int64
}

/// A machine with its sensors and active alarms.
public struct TargetDetail: Sendable, Equatable {
    /// A sensor on it, with its newest values.
    public struct Sensor: Sendable, Equatable {
        /// The sensor's summary.
        public var summary: SensorSummary
        /// Its channels, by number.
        public var channels: [ChannelRecord]
    }

    /// The machine's summary.
    public var summary: TargetSummary
    /// Its sensors, by serial number.
    public var sensors: [Sensor]
    /// Its active alarms, newest first.
    public var activeAlarms: [AlarmRecord]
}

/// A stream: how far it is stored, and which replica stores it.
public struct PartitionRecord: Sendable, Equatable {
    /// The stream's name at the broker.
    public var stream: String
    /// The incarnation of the stream; grows when the stream is recreated.
    public var incarnation: Int64
    /// The replica that holds the lease; nil: no replica ever held it.
    public var owner: String?
    /// Grows each time the owner changes.
    public var epoch: Int64
    /// The remaining time of the lease; negative: the lease has expired; nil: there never was one.
    public var leaseLeft: Duration?
    /// The offset of the last stored message; nil before the first.
    public var committedOffset: Int64?
    /// When that message was stored.
    public var committedAt: Timestamp?
    /// The time since that commit, by the database's clock.
    public var committedAge: Duration?
    /// The time of the query, by the database's clock.
    public var at: Timestamp

    /// The replica that holds the lease at the time of the query; nil: none, or the lease has expired.
    public var holder: String? { leaseLeft.map { $0 > .zero } == true ? owner : nil }

    /// Messages stored per second since an earlier query; nil if the stream was recreated or no time has passed.
    public func messagesPerSecond(since earlier: PartitionRecord) -> Double? {
        let seconds = Double(at.unixNanoseconds - earlier.at.unixNanoseconds) / 1e9
        guard earlier.stream == stream, earlier.incarnation == incarnation, seconds > 0 else { return nil }
        return max(0, Double((committedOffset ?? -1) - (earlier.committedOffset ?? -1))) / seconds
    }

    /// The number of messages that are not stored, if the stream's newest message has the offset `end` (-1: the stream
    /// is empty).
    public func lag(end: Int64) -> Int64 { max(0, end - (committedOffset ?? -1)) }
}

/// The state of the whole installation at one moment.
public struct FleetSnapshot: Sendable, Equatable {
    /// A sensor and its sample rate.
    public struct Load: Sendable, Equatable {
        /// Its serial number.
        public var serial: String
        /// The kind, such as "vibration"; may be empty.
        public var kind: String
        /// The operating state, such as `awake`.
        public var state: String
        /// The presence, such as `online`.
        public var presence: String
        /// Samples per second of all channels together, by the rates of its newest rows; 0 if none came within 15 s.
        public var samplesPerSecond: Double
        /// The age of its newest value, by the database's clock.
        public var lastValueAge: Duration?
        /// The number of its active alarms.
        public var activeAlarms: Int64
    }

    /// The order of sensors.
    public enum Order: String, Sendable, CaseIterable {
        /// The highest sample rate first.
        case rate
        /// The most active alarms first.
        case alarms
    }

    /// The time of the query, by the database's clock.
    public var at: Timestamp
    /// The number of sensors in each operating state.
    public var states: [String: Int64]
    /// The number of sensors of each presence.
    public var presences: [String: Int64]
    /// The total number of stored frames.
    public var frames: Int64
    /// Samples per second of all sensors, by the rates of their newest rows.
    public var samplesPerSecond: Double
    /// The number of active alarms.
    public var activeAlarms: Int64
    /// The partitions, by name.
    public var partitions: [PartitionRecord]
    /// The first sensors in the requested order.
    public var sensors: [Load]
    /// The newest active alarms.
    public var alarms: [AlarmRecord]

    /// The number of all sensors.
    public var sensorCount: Int64 { states.values.reduce(0, +) }

    /// Frames stored per second since an earlier snapshot; nil if no time has passed.
    public func framesPerSecond(since earlier: FleetSnapshot) -> Double? {
        let seconds = Double(at.unixNanoseconds - earlier.at.unixNanoseconds) / 1e9
        return seconds > 0 ? max(0, Double(frames - earlier.frames)) / seconds : nil
    }
}

extension StoreConnection {
    /// Reads all machines, by name.
    /// - Throws: `StoreError`.
    public func targetSummaries() throws -> [TargetSummary] {
        try transaction(timeout: .seconds(30)) { session in try session.targets(named: nil) }
    }

    /// Reads a machine with its sensors and active alarms; nil if no machine has this name.
    /// - Throws: `StoreError`.
    public func targetDetail(_ name: String) throws -> TargetDetail? {
        try transaction(timeout: .seconds(30)) { session in
            guard let summary = try session.targets(named: name).first else { return nil }
            let serials = try session.fetch(
                "SELECT serial FROM sensor JOIN target USING (target_id) WHERE target.name = \(name)"
            ).map { try $0.text("serial") }
            let channels = try session.channels(of: serials)
            return TargetDetail(
                summary: summary,
                sensors: try session.sensorSummaries(serials, .full).map {
                    TargetDetail.Sensor(summary: $0, channels: channels[$0.serial] ?? [])
                },
                activeAlarms: try session.alarms(AlarmFilter(activeOnly: true, serials: serials)))
        }
    }

    /// Reads all streams, by number.
    /// - Throws: `StoreError`.
    public func partitions() throws -> [PartitionRecord] {
        try transaction(timeout: .seconds(30)) { session in try session.partitions() }
    }

    /// Reads the state of the whole installation.
    /// - Parameters:
    ///   - sensorsMax: the maximum number of sensors returned.
    ///   - alarmsMax: the maximum number of alarms returned.
    /// - Throws: `StoreError`.
    public func fleetSnapshot(
        by order: FleetSnapshot.Order, sensorsMax: Int, alarmsMax: Int
    ) throws -> FleetSnapshot {
        try transaction(timeout: .seconds(30)) { session in
            let counts = try session.fetch(
                "SELECT state, presence, count(*) AS n FROM sensor WHERE deleted_at IS NULL GROUP BY 1, 2")
            let sums = try session.fetchOne(
                """
                SELECT (SELECT coalesce(sum(frames), 0) FROM sensor_boot)::bigint AS frames,
                    (SELECT count(*) FROM alarm WHERE cleared_at IS NULL) AS alarms,
                    (SELECT coalesce(sum(sample_rate_hz), 0) FROM latest WHERE received_at > \(fresh)) AS rate,
                    \(microseconds("now()")) AS now_us
                """)
            func tally(_ column: Row.Column) throws -> [String: Int64] {
                try counts.reduce(into: [:]) { $0[try $1.text(column), default: 0] += try $1.integer("n") }
            }
            return FleetSnapshot(
                at: try sums.time("now_us"), states: try tally("state"), presences: try tally("presence"),
                frames: try sums.integer("frames"), samplesPerSecond: try sums.double("rate"),
                activeAlarms: try sums.integer("alarms"),
                partitions: try session.partitions(), sensors: try session.loads(order, sensorsMax),
                alarms: try session.alarms(AlarmFilter(activeOnly: true, countMax: alarmsMax)))
        }
    }
}

// MARK: statements

/// A sensor whose newest row is older than this has the rate 0.
private let fresh: SQL = "now() - INTERVAL '15 seconds'"

/// The number of active alarms of each sensor.
private let alarmCounts: SQL =
    "(SELECT sensor_id, count(*) AS n FROM alarm WHERE cleared_at IS NULL GROUP BY sensor_id)"

extension Session {
    fileprivate func targets(named name: String?) throws -> [TargetSummary] {
        try fetch(
            """
            SELECT t.name, t.description, count(s.sensor_id) AS sensors,
                count(*) FILTER (WHERE s.state = 'awake') AS awake,
                count(*) FILTER (WHERE s.presence = 'online') AS online, coalesce(sum(a.n), 0)::bigint AS alarms
            FROM target t LEFT JOIN sensor s USING (target_id) LEFT JOIN \(alarmCounts) a USING (sensor_id)
            \(ifPresent: name, { "WHERE t.name = \($0)" })
            GROUP BY t.target_id ORDER BY t.name
            """
        ).map { row in
            TargetSummary(
                name: try row.text("name"), description: try row.text("description"),
                sensors: try row.integer("sensors"), awake: try row.integer("awake"),
                online: try row.integer("online"), activeAlarms: try row.integer("alarms"))
        }
    }

    fileprivate func partitions() throws -> [PartitionRecord] {
        // measurements.10 comes after measurements.9.
        try fetch(
            """
            SELECT stream, incarnation, owner, epoch, committed_offset, \(microseconds("lease_until")) AS lease_us,
                \(microseconds("committed_at")) AS committed_us, \(microseconds("now()")) AS now_us
            FROM ingest_partition ORDER BY length(stream), stream
            """
        ).map { row in
            PartitionRecord(
                stream: try row.text("stream"), incarnation: try row.integer("incarnation"),
                owner: try row.optionalText("owner"), epoch: try row.integer("epoch"),
                leaseLeft: try row.optionalAge("lease_us").map { .zero - $0 },
                committedOffset: try row.optionalInteger("committed_offset"),
                committedAt: try row.optionalTime("committed_us"), committedAge: try row.optionalAge("committed_us"),
                at: try row.time("now_us"))
        }
    }

    fileprivate func loads(_ order: FleetSnapshot.Order, _ countMax: Int) throws -> [FleetSnapshot.Load] {
        let first: SQL =
            switch order {
            case .rate: "rate DESC, alarms DESC"
            case .alarms: "alarms DESC, rate DESC"
            }
        return try fetch(
            """
            SELECT s.serial, s.kind, s.state, s.presence, coalesce(l.rate, 0) AS rate, coalesce(a.n, 0) AS alarms,
                \(microseconds("l.newest")) AS newest_us, \(microseconds("now()")) AS now_us
            FROM sensor s LEFT JOIN \(alarmCounts) a USING (sensor_id) LEFT JOIN (
                SELECT sensor_id, max("time") AS newest,
                    sum(sample_rate_hz) FILTER (WHERE received_at > \(fresh)) AS rate
                FROM latest GROUP BY sensor_id) l USING (sensor_id)
            WHERE s.deleted_at IS NULL ORDER BY \(first), s.serial LIMIT \(countMax)
            """
        ).map { row in
            FleetSnapshot.Load(
                serial: try row.text("serial"), kind: try row.text("kind"), state: try row.text("state"),
                presence: try row.text("presence"), samplesPerSecond: try row.double("rate"),
                lastValueAge: try row.optionalAge("newest_us"), activeAlarms: try row.integer("alarms"))
        }
    }
}
